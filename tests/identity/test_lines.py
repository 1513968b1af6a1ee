"""A client whose authentik is brought to a newer line: previews say what that changes, and nothing is made anew."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from bench.authentik.catalog import LINES, version_of
from bench.plain import PlainWorld
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

SETTINGS = yaml.safe_load((Path(__file__).parent / "twelve_apps.yaml").read_text())
LINE = "~  pulumi:providers:pulumi-python authentik update [diff: ~gatehouse:line]"


@pytest.mark.parametrize(
    "lines", [LINES[-3:], pytest.param(LINES, marks=pytest.mark.nightly)], ids=["the newest", "all"]
)
def test_a_client_goes_from_line_to_line(tmp_path: Path, lines: tuple[str, ...]) -> None:
    world = PlainWorld(tmp_path / "w", lambda _: None, version=version_of(lines[0]))
    with world.running():
        client = BenchClient(tmp_path / "c", world, **copy.deepcopy(SETTINGS))
        client.up()
        changes = {line: sorted(upgraded(client, version_of(line))) for line in lines[1:]}
    oidc = [name for name, app in SETTINGS["apps"].items() if app.get("protocol") != "proxy"]
    # What a provider may grant is a setting from 2026.5 on, and so is what each of its addresses is for. Its words
    # about itself say that nobody wrote the former. How an app hears of a logout, which its preset knows, is one from
    # 2025.10 on; before, there was one for apps that are told behind the browser's back.
    granting = "update [diff: +grant_types~gatehouse,redirect_uris]"
    hearing = {
        "files": "update [diff: +logout_method,logout_uri-backchannel_logout_uri~gatehouse]",
        "grafana": "update [diff: +logout_method,logout_uri~gatehouse]",
    }
    token = "pulumi-python:dynamic/authentik_providers_oauth2:oauth2provider"
    more = {
        "2025.10": [f"~  {token} {name} {diff}" for name, diff in hearing.items()],
        "2026.5": [f"~  {token} {name} {granting}" for name in oidc],
    }
    assert changes == {line: sorted([LINE, *more.get(line, ())]) for line in lines[1:]}


def upgraded(client: BenchClient, version: str) -> list[str]:
    """Bring server and stack to the version, which leaves nothing to do; what the preview said would change."""
    client.world.upgrade(version)
    client.pulumi("config", "set", "--path", "gatehouse:authentik.version", version)
    said = client.project.gatehouse("preview", "acme")
    assert "to create" not in said
    assert "to delete" not in said
    assert "to replace" not in said
    client.up()
    client.project.gatehouse("preview", "acme", "--expect-no-changes")
    return [line.strip() for line in said.splitlines() if " update [" in line]

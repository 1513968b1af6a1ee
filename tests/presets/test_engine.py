"""Every preset through the real engine, on an authentik that runs without a box."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.plain import PlainWorld
from components.settings import presets
from tests.operations.client import BenchClient
from tests.presets.samples import PAIRS, app, compare

pytestmark = pytest.mark.engine

PREFERRED = [(name, presets.built_in(name).protocol) for name in presets.names(own=False)]
OTHERS = [pair for pair in PAIRS if pair not in PREFERRED]
PROVIDERS = {"oidc": "oauth2", "saml": "saml", "proxy": "proxy", "ldap": "ldap"}


@pytest.mark.parametrize("pairs", [PREFERRED, OTHERS], ids=["preferred", "others"])
def test_each_is_brought_up_and_stays_as_it_is(
    tmp_path: Path, world: PlainWorld, pairs: list[tuple[str, str]]
) -> None:
    apps: dict[str, Any] = {f"{name}-{protocol}": app(name, protocol) for name, protocol in pairs}
    for name, protocol in pairs:  # some speak several of the others
        apps[f"{name}-{protocol}"]["url"] = f"https://{name}-{protocol}.acme.example"
    client = BenchClient(tmp_path / "project", world, apps=apps)
    try:
        client.up()
        made = {
            protocol: {each["name"]: each for each in client.list(f"providers/{kind}")}
            for protocol, kind in PROVIDERS.items()
        }

        def registered(name: str, protocol: str) -> list[str]:
            provider, url = made[protocol][f"{name}-{protocol}"], f"https://{name}-{protocol}.acme.example"
            uris = [provider["acs_url"]] if protocol == "saml" else [
                each["url"] for each in provider["redirect_uris"] if each["redirect_uri_type"] == "authorization"
            ]  # fmt: skip
            return [uri.replace(url, f"https://{name}.acme.example") for uri in uris]

        assert all(f"{name}-{protocol}" in made[protocol] for name, protocol in pairs)
        assert compare(pairs, registered) > len(pairs) / 3
        client.project.gatehouse("preview", "acme", "--expect-no-changes")
    finally:
        client.pulumi("destroy", check=False)
        client.end()

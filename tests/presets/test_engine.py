"""Every preset through the real engine, on an authentik that runs without a box."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.plain import PlainWorld
from tests.operations.client import BenchClient
from tests.presets.samples import PAIRS, app, compare

pytestmark = pytest.mark.engine

PROVIDERS = {"oidc": "oauth2", "saml": "saml", "proxy": "proxy", "ldap": "ldap"}


def test_each_is_brought_up_in_every_protocol_and_stays_as_it_is(tmp_path: Path, world: PlainWorld) -> None:
    """In one run: most of its time is the engine's, and the server's for each object."""
    apps = {
        f"{name}-{protocol}": app(name, protocol, url=f"https://{name}-{protocol}.acme.example")
        for name, protocol in PAIRS
    }
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

        assert all(f"{name}-{protocol}" in made[protocol] for name, protocol in PAIRS)
        assert compare(PAIRS, registered) >= 60
        client.project.gatehouse("preview", "acme", "--expect-no-changes")
    finally:
        client.end()

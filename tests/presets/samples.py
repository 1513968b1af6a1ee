"""Every preset as an app of a stack file, in each protocol that it speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from components.settings import presets

GIVEN = {
    "acs_url": "https://given.example/acs",
    "entity_id": "https://given.example/entity",
    "domain": "given.example",
    "admin_email": "sam@given.example",
}
"""What the tests say for parameters without a default, or with one that stands for nothing yet; `given` for others."""
PAIRS = [
    (name, protocol)
    for name in presets.names(own=False)
    for protocol in presets.built_in(name).protocols
]  # fmt: skip


def app(preset_name: str, protocol: str | None = None, **more: Any) -> dict[str, Any]:
    """A preset's app: as little as a stack file can say of it."""
    preset = presets.built_in(preset_name)
    needed = [each for each, what in preset.parameters.items() if what.default is None or each in GIVEN]
    settings: dict[str, Any] = {
        "preset": preset_name,
        "url": f"https://{preset_name}.acme.example",
        "everyone": True,
    }
    if needed:
        settings["parameters"] = {each: GIVEN.get(each, "given") for each in needed}
    if protocol:
        settings["protocol"] = protocol
    spoken = protocol or preset.protocol
    if spoken == "proxy":
        settings["upstream"] = f"http://{preset_name}:80"
    if spoken == "ldap":  # each directory needs a name of its own
        settings["baseDn"] = f"dc={preset_name},dc=acme,dc=example"
    return settings | more


@cache
def facts() -> Mapping[tuple[str, str], list[str]]:
    """Where authentik sends people back to, by preset and protocol, as the apps' sources have it."""
    rows = yaml.safe_load((Path(__file__).parent / "facts.yaml").read_text())
    return {
        (name, protocol): [uri.replace("APP", f"https://{name}.acme.example") for uri in uris]
        for name, protocol, uris in rows
    }


def compare(pairs: Iterable[tuple[str, str]], registered: Callable[[str, str], list[str]]) -> int:
    """Hold what is registered against the facts; how many were compared."""
    found = {pair: registered(*pair) for pair in pairs if pair in facts()}
    assert found == {pair: facts()[pair] for pair in found}
    return len(found)

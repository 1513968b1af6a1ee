"""The facts about authentik's kinds: their words are explained, and they speak of kinds that exist."""

from __future__ import annotations

import re
from typing import Any

from components.identity import catalog
from tools.kinds import FACTS, READ, read

GROUPS, KINDS = read()
EXPLAINED = set(re.findall(r"^\| `(\w+)` \|", (FACTS / "README.md").read_text(), re.MULTILINE))


def test_every_word_is_explained_and_used() -> None:
    used = {word for facts in KINDS.values() for word in facts}
    differing = {word for facts in KINDS.values() for diff in facts.get("diff", {}).values() for word in diff}
    assert used | differing == EXPLAINED


def test_every_path_is_a_kind() -> None:
    elsewhere = {"/rbac/permissions/", "/stages/authenticator/webauthn_device_types/"}  # named, and no kinds
    named: set[str] = {path for paths in GROUPS.values() for path in paths}
    for facts in KINDS.values():
        each: dict[str, Any]
        for each in facts["refs"].values():
            named |= {name for name in each["to"] if not name.startswith("@")}
            assert {name[1:] for name in each["to"] if name.startswith("@")} <= GROUPS.keys()
        named |= {cascade.partition("#")[0] for cascade in facts.get("delete", {}).get("cascades", ())}
    assert named - elsewhere <= KINDS.keys()


def test_a_kind_is_described_for_each_read_line_whose_catalog_has_it() -> None:
    for line in READ:
        assert {path for path, facts in KINDS.items() if line in facts["lines"]} == set(catalog.load(line))

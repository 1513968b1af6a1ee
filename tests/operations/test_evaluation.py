"""What a stack file alone says of who may use an app."""

from __future__ import annotations

from typing import Any

import pytest

from components.identity.specs import ObjectSpec
from operations.evaluation import APPLICATION, BINDING, GROUP, USER, DeclaredAccess

PEOPLE = [
    ObjectSpec(GROUP, "staff", {"name": "staff"}),
    ObjectSpec(GROUP, "interns", {"name": "interns", "parents": ["staff"]}),
    ObjectSpec(GROUP, "theirs", {"name": "theirs"}, adopt=True),
    ObjectSpec(USER, "in", {"username": "in", "groups": ["staff"]}),
    ObjectSpec(USER, "below", {"username": "below", "groups": ["interns"]}),
    ObjectSpec(USER, "out", {"username": "out", "groups": []}),
    ObjectSpec(USER, "taken", {"username": "taken", "groups": ["theirs"]}),
]


def may_use(bindings: list[dict[str, Any]], mode: str = "any") -> dict[str, bool | None]:
    app = ObjectSpec(APPLICATION, "wiki", {"slug": "wiki", "policy_engine_mode": mode})
    bound = [
        ObjectSpec(BINDING, str(number), {"target": "wiki", **each}) for number, each in enumerate(bindings)
    ]
    declared = DeclaredAccess([*PEOPLE, app, *bound])
    return {name: declared.may_use("wiki", name) for name in ("in", "below", "out", "taken")}


STAFF, POLICY = {"group": "staff"}, {"policy": "hours"}


@pytest.mark.parametrize(
    ("bindings", "mode", "known"),
    [
        ([], "any", (True, True, True, True)),
        ([STAFF], "any", (True, True, False, None)),
        ([{**STAFF, "negate": True}], "any", (False, False, True, None)),
        ([{**STAFF, "enabled": False}], "any", (True, True, True, True)),
        ([STAFF, {"user": "out"}], "any", (True, True, True, None)),
        ([STAFF, POLICY], "any", (True, True, None, None)),
        ([STAFF, POLICY], "all", (None, None, False, None)),
    ],
)
def test_what_the_file_decides(
    bindings: list[dict[str, Any]], mode: str, known: tuple[bool | None, ...]
) -> None:
    assert tuple(may_use(bindings, mode).values()) == known

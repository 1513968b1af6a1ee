"""What a run would make of people and groups, from stack file, state and server."""

from __future__ import annotations

import json
from typing import Any

from components import apps
from components.identity.plan import Plan
from components.identity.rights import GROUP, USER, Rights
from components.objects.state import BEFORE, META
from components.secrets import new_root_secret
from components.settings import Settings, parse
from operations.lockout import changes

USERS: dict[str, dict[str, Any]] = {
    "1": {"username": "akadmin", "is_active": True, "groups": ["a"]},
    "2": {"username": "sam", "is_active": False, "groups": ["a"]},
    "3": {"username": "lee", "is_active": True, "groups": ["s"]},
}
GROUPS: dict[str, dict[str, Any]] = {
    "a": {"name": "authentik Admins", "is_superuser": True},
    "s": {"name": "staff", "is_superuser": False},
}
SAM = {"username": "sam", "name": "Sam", "email": "sam@acme.example"}


def settings(**more: Any) -> Settings:
    about = {"version": "2026.8.3", "url": "https://sso.acme.example", "token": "t"}
    whole = {"client": "acme", "domain": "acme.example", "rootSecret": new_root_secret(), "box": "none"}
    return parse({**whole, "authentik": about, **more})


def foreseen(held: dict[tuple[str, str], Any], **more: Any) -> dict[tuple[str, str], Any]:
    given = settings(**more)
    plan = Plan(given.authentik.line)
    apps.declare(plan, given, given.derived())
    specs = [spec for spec in plan.specs if spec.kind in (GROUP, USER)]
    return {(kind, pk): fields for kind, pk, fields in changes(Rights("1", USERS, GROUPS), specs, held)}


def state(kind: str, pk: str, logical: str, before: dict[str, Any] | None, **fields: Any) -> Any:
    meta = {"kind": kind, "logical": logical, **({"adopted": True} if before is not None else {})}
    kept = {BEFORE: {"json": json.dumps(before)}} if before is not None else {}
    return {(kind, logical): {**fields, "id": pk, META: meta, **kept}}


def test_what_is_taken_over_gets_only_what_is_written() -> None:
    admins = {"name": "authentik Admins", "adopt": True}
    found = foreseen({}, groups=[admins, "new"], people=[{**SAM, "adopt": True}])
    assert found[GROUP, "a"] == {"name": "authentik Admins"}
    assert found[USER, "2"] == {"name": "sam"}
    assert found[GROUP, f"new {GROUP} new"] == {"name": "new", "is_superuser": False, "parents": []}
    found = foreseen(
        {}, groups=[{**admins, "superuser": False}], people=[{**SAM, "adopt": True, "groups": []}]
    )
    assert found[GROUP, "a"]["is_superuser"] is False
    assert found[USER, "2"]["groups"] == []


def test_what_is_ours_gets_everything_and_what_the_run_refuses_nothing() -> None:
    ours = state(USER, "2", "sam", None, username="sam", groups=["authentik Admins"], is_active=False)
    found = foreseen(ours, groups=["staff"], people=[{**SAM, "groups": ["staff"]}])
    assert found == {(USER, "2"): {"name": "sam", "groups": ["s"], "is_active": True}}
    renamed = {**SAM, "username": "samuel", "id": "sam"}
    assert foreseen(ours, people=[renamed])[USER, "2"] == {"name": "samuel", "groups": [], "is_active": True}


def test_what_is_no_longer_declared_goes_or_gets_back_what_it_had() -> None:
    held = {
        **state(USER, "3", "lee", None, username="lee"),
        **state(GROUP, "a", "authentik Admins", {"is_superuser": False}, name="authentik Admins"),
    }
    assert foreseen(held) == {(USER, "3"): None, (GROUP, "a"): {"is_superuser": False}}
    defaulted = foreseen(held, groups=[{"name": "authentik Admins", "adopt": True}])
    assert defaulted[GROUP, "a"] == {"is_superuser": False, "name": "authentik Admins"}

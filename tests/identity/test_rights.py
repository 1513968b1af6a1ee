"""What takes rights away, told from people and groups alone; and the last look, right before the write."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bench.authentik.testing import Running
from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from components.identity.rights import GROUP, USER, Rights
from components.objects.desired import DesiredObject
from components.objects.errors import ObjectError
from components.objects.reconcile import ObjectState, Reconciler

ADMINS = "authentik Admins"
GROUPS: dict[str, dict[str, Any]] = {
    "a": {"name": "admins", "is_superuser": True, "parents": []},
    "n": {"name": "nested", "is_superuser": False, "parents": ["a"]},
    "s": {"name": "staff", "is_superuser": False, "parents": []},
}
USERS: dict[str, dict[str, Any]] = {
    "1": {"username": "gatehouse", "is_active": True, "type": "service_account", "groups": ["a"]},
    "2": {"username": "sam", "is_active": True, "type": "internal", "groups": ["n", "s"]},
    "3": {"username": "lee", "is_active": True, "type": "internal", "groups": ["s"]},
    "4": {"username": "old", "is_active": False, "type": "internal", "groups": ["a"]},
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([(GROUP, "a", {"is_superuser": False})], "'gatehouse', would lose its rights"),
        ([(GROUP, "a", None)], "'gatehouse', would lose its rights"),
        ([(USER, "1", None)], "'gatehouse', would lose its rights"),
        ([(USER, "1", {"is_active": False})], "'gatehouse', would lose its rights"),
        ([(USER, "1", {"groups": ["s"]})], "'gatehouse', would lose its rights"),
        ([(GROUP, "n", {"parents": []})], "nobody would administrate"),
        ([(GROUP, "n", None)], "nobody would administrate"),
        ([(USER, "2", {"groups": ["s"]})], "nobody would administrate"),
        ([(USER, "2", {"is_active": False})], "nobody would administrate"),
        ([(USER, "2", None)], "nobody would administrate"),
        ([(USER, "2", None), (USER, "3", {"groups": ["n"]})], ""),
        ([(USER, "2", None), (USER, "4", {"is_active": True})], ""),
        ([(USER, "3", None), (GROUP, "s", None), (USER, "2", {"groups": ["n"]})], ""),
        ([(GROUP, "new", {"name": "root", "is_superuser": True}), (USER, "2", {"groups": ["new"]})], ""),
    ],
)
def test_what_would_lock_somebody_out(changes: list[Any], words: str) -> None:
    rights = Rights("1", USERS, GROUPS)
    after = rights.copy()
    for kind, pk, fields in changes:
        after.apply(kind, pk, fields)
    objection = rights.denial(after)
    assert (objection is not None) is bool(words)
    if objection:
        assert words in objection[0]
    assert rights == Rights("1", USERS, GROUPS)


def test_an_account_that_is_no_administrator_keeps_what_it_has() -> None:
    users = {"5": {"username": "limited", "is_active": True, "groups": ["s"], "roles": ["r"]}}
    rights = Rights("5", users, GROUPS)
    for fields in ({"groups": []}, {"roles": []}, {"is_active": False}, None):
        after = rights.copy()
        after.apply(USER, "5", fields)
        assert rights.denial(after) is not None, fields
    after = rights.copy()
    after.apply(USER, "5", {"groups": ["s", "n"]})
    assert rights.denial(after) is None


def test_the_last_look_is_right_before_the_write(server: Running, admin: httpx.Client) -> None:
    def engine() -> Reconciler:
        return Reconciler(Authentik(server.url, server.token, None, ReleaseLine("2026.8")))

    [group] = admin.get("/core/groups/", params={"name": ADMINS}).json()["results"]
    [me] = admin.get("/core/users/", params={"username": "akadmin"}).json()["results"]
    before = [admin.get(f"/core/{kind}/").json()["results"] for kind in ("groups", "users", "tokens")]
    wrong = DesiredObject(GROUP, "x", {"name": ADMINS, "is_superuser": False}, adopt=True)
    with pytest.raises(
        ObjectError, match=r"(?s)'akadmin', would lose its rights.*no longer make its people admin"
    ):
        engine().create(wrong)
    held = ObjectState(str(me["pk"]), {"username": "akadmin", "groups": [ADMINS]}, adopted=True)
    for fields in ({"groups": []}, {"groups": [ADMINS], "is_active": False}):
        with pytest.raises(ObjectError, match="would lose its rights"):
            engine().update(held, DesiredObject(USER, "x", {"username": "akadmin", **fields}))
    kind = ReleaseLine("2026.8").kind
    with pytest.raises(ObjectError, match="would lose its rights"):
        engine().delete(kind(GROUP), "x", ObjectState(str(group["pk"]), {"name": ADMINS}))
    with pytest.raises(ObjectError, match="would lose its rights"):
        engine().delete(kind(USER), "x", ObjectState(str(me["pk"]), {"username": "akadmin"}))
    after = [admin.get(f"/core/{kind}/").json()["results"] for kind in ("groups", "users", "tokens")]
    assert after == before


def test_the_token_in_use_stays_as_it_is(server: Running, admin: httpx.Client) -> None:
    token = ReleaseLine("2026.8").kind("authentik_core.token")
    [mine] = [
        each
        for each in admin.get("/core/tokens/").json()["results"]
        if admin.get(f"/core/tokens/{each['identifier']}/view_key/").json().get("key") == server.token
    ]
    made = admin.post("/core/tokens/", json={"identifier": "other", "intent": "api", "user": mine["user"]})
    engine = Reconciler(Authentik(server.url, server.token, None, ReleaseLine("2026.8")))
    held = ObjectState(str(mine["pk"]), {"identifier": mine["identifier"]})
    with pytest.raises(ObjectError, match="the token that this stack works with, and would be deleted"):
        engine.delete(token, "x", held)
    with pytest.raises(ObjectError, match="the token that this stack works with, and would be changed"):
        engine.update(
            held, DesiredObject(token.name, "x", {"identifier": mine["identifier"], "key": "k" * 40})
        )
    other = ObjectState(str(made.json()["pk"]), {"identifier": "other"})
    assert engine.delete(token, "x", other) == "deleted"

"""What authentik refuses at the write only is said before anything is contacted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.plain import PlainWorld
from components.identity.plan import Plan
from tests.operations.client import BenchClient

pytestmark = pytest.mark.case("21")
KUBERNETES, TOKEN = "authentik_outposts.kubernetesserviceconnection", "authentik_core.token"
LIFETIME = "goauthentik.io/user/token-maximum-lifetime"


def told(*objects: tuple[str, str, dict[str, Any]]) -> tuple[list[str], list[str]]:
    """What is refused and what is warned of."""
    plan = Plan("2026.8")
    for kind, name, fields in objects:
        plan.add(kind, name, fields)
    problems = plan.problems()
    return [str(each) for each in problems if each.refuses], [
        str(each) for each in problems if not each.refuses
    ]


def in_a_year() -> str:
    return (datetime.now(UTC) + timedelta(days=365)).isoformat()


def test_an_app_password_that_lives_longer_than_its_user_may_let_it() -> None:
    token = (TOKEN, "mail", {"intent": "app_password", "user": "jane", "expires": in_a_year()})
    jane: tuple[str, str, dict[str, Any]] = ("authentik_core.user", "jane", {"name": "Jane"})
    refused, _ = told(jane, token)
    assert "more than 30 minutes from now, the longest life of an app password of this user's" in refused[0]
    assert f"Give the user the attribute {LIFETIME}" in refused[0]
    allowed = {LIFETIME: "days=400"}
    assert told(("authentik_core.user", "jane", {"name": "Jane", "attributes": allowed}), token) == ([], [])
    group = ("authentik_core.group", "staff", {"attributes": allowed})
    member = ("authentik_core.user", "jane", {"name": "Jane", "groups": ["staff"]})
    assert told(group, member, token) == ([], [])
    # Whoever is not declared here may have the attribute.
    refused, warned = told(
        (TOKEN, "mail", {"intent": "app_password", "user": "akadmin", "expires": in_a_year()})
    )
    assert (refused, len(warned)) == ([], 1)
    assert "as far as this stack knows" in warned[0]


@pytest.mark.parametrize("intent", ["api", "app_password"])
def test_a_token_that_authentik_deletes_after_half_an_hour(intent: str) -> None:
    refused, warned = told((TOKEN, "ci", {"intent": intent}))
    assert refused == []
    assert "authentik ends it 30 minutes after it is written" in warned[0]
    assert told((TOKEN, "ci", {"intent": intent, "expiring": False})) == ([], [])


def test_permissions_have_a_name_of_three_parts() -> None:
    kind, role = "authentik_rbac.initialpermissions", ("authentik_rbac.role", "r", {})

    def about(permission: str) -> tuple[list[str], list[str]]:
        return told(role, (kind, "x", {"role": "r", "permissions": [permission]}))

    assert about("authentik_core/user/view_user") == ([], [])
    refused, _ = about("authentik_core.view_user")
    assert refused[0].endswith("Write authentik_core/user/view_user")
    refused, _ = about("authentik_core.reset_user_password")
    assert refused[0].endswith("Write app/model/codename, as in authentik_core/user/view_user")
    _, warned = about("authentik_core/user/reset_user_password")
    assert "must be on the server already" in warned[0], "authentik's own ones are not in the catalog"


@pytest.mark.parametrize("kind", ["authentik_core.application", "authentik_flows.flow", TOKEN])
def test_slugs_take_no_umlauts(kind: str) -> None:
    refused, _ = told((kind, "Büro", {}))
    assert any("has 'ü' in it" in each for each in refused)


def test_defaults_that_cannot_be_written() -> None:
    for kind, field, text in (
        ("authentik_policies_password.passwordpolicy", "symbol_charset", "!# "),
        ("authentik_events.notificationtransport", "email_subject_prefix", "Acme: "),
    ):
        refused, _ = told((kind, "x", {field: text}))
        assert "has blanks at its ends, which authentik cuts off" in refused[0]
        assert told((kind, "x", {field: text.strip()})) == ([], [])


@pytest.mark.engine
def test_the_preview_refuses_them_together(world: PlainWorld, tmp_path: Path) -> None:
    objects = [
        {"kind": KUBERNETES, "name": "cluster", "fields": {"local": True}},
        {"kind": TOKEN, "name": "ci", "fields": {"intent": "api", "expires": in_a_year()}},
    ]
    client = BenchClient(tmp_path, world, objects=objects)
    said = client.project.gatehouse("preview", "acme", check=False)
    assert "kubeconfig is missing. Give it a value; an empty one ({}) will do" in said
    assert "expires: is set by authentik itself where intent is api. Leave it out" in said
    client.end()

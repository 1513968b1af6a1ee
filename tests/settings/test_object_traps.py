"""Raw objects that authentik takes, and that do not do what they look like."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from components.settings import parse
from tests.cases.test_apps import FILES
from tests.settings.files import good, laid_over

MFA = {"target": "default-authentication-flow", "stage": "mfa", "order": 25}


def warned(*objects: dict[str, Any]) -> list[tuple[str, str]]:
    found = parse(laid_over(good(), {"objects": list(objects)}), sealed=True).warnings
    where = "gatehouse:objects"
    return [(each.where.removeprefix(where), each.what) for each in found if each.where.startswith(where)]


def raw(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "fields": fields}


def test_a_mail_that_lets_people_in_who_were_locked_out() -> None:
    case = yaml.safe_load((FILES / "recovery.yaml").read_text())["gatehouse:objects"]
    ((path, what),) = warned(*case)
    assert path == "[2].fields.activate_user_on_success"
    assert "who were locked out" in what


@pytest.mark.parametrize(("fields", "count"), [({}, 1), ({"deny_only": False}, 1), ({"deny_only": True}, 0)])
def test_a_password_policy_that_locks_out(fields: dict[str, Any], count: int) -> None:
    assert (
        len(warned(raw("authentik_policies_expiry.passwordexpirypolicy", "old", days=365, **fields))) == count
    )


@pytest.mark.parametrize("target", ["mfa", "default-authentication-flow/mfa/25"])
def test_policies_that_are_looked_at_before_anybody_is_known(target: str) -> None:
    policy = raw("authentik_policies.policybinding", "p", target=target, policy="administrators", order=0)
    late = raw("authentik_flows.flowstagebinding", "mfa", **MFA, evaluate_on_plan=False)
    early = raw("authentik_flows.flowstagebinding", "mfa", **MFA, evaluate_on_plan=True)
    assert warned(late, policy) == warned(early) == []
    ((path, what),) = warned(early, policy)
    assert path == "[0].fields.evaluate_on_plan"
    assert "run for nobody" in what

"""A client's plan is plain data: what is known of it beforehand, without the engine, and no secret in any text."""

from __future__ import annotations

import subprocess
import sys

from components.memory import Memory
from components.plan import plan
from components.problems import Problems, Weight
from tests.apps.test_declare import settings
from tests.settings.files import NO_BOX


def test_a_plan_needs_no_engine() -> None:
    script = "import sys, components.plan; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_plan_says_what_runs_what_is_served_and_what_is_told() -> None:
    found = settings()
    planned = plan(found, found.derived())
    assert planned.box is not None
    assert {"postgres", "authentik-server", "npm"} <= {each.name for each in planned.box.containers}
    served = [route.host for route in planned.box.routes]
    assert served == [*planned.box.records] and found.auth_host in served
    assert planned.outputs["adminUrl"] == "https://auth.acme.example/if/admin/"
    assert planned.objects.order and planned.box.identity == "gatehouse@acme.example"
    secret = planned.outputs["clientSecrets"]["grafana"].get_secret_value()
    assert secret not in str(planned) and found.root_secret.get_secret_value() not in str(planned)
    planned.check()


def test_a_plan_without_a_box_has_none() -> None:
    there = {"version": "2026.8.3", "url": "https://sso.acme.example", "token": "t" * 40}
    found = settings(**NO_BOX, operators=None, secrets=None, authentik=there, login=None, apps=None)
    assert plan(found, found.derived()).box is None


def test_what_the_state_remembers_is_among_the_problems_until_it_is_confirmed() -> None:
    found = settings()
    moved = Memory(client="acme", issuer="https://auth.old.example")
    asked, agreed = (
        [
            each
            for each in plan(found, found.derived(), moved, confirmed=confirmed).problems
            if "issuer" in each.what
        ]
        for confirmed in (False, True)
    )
    assert [each.weight for each in (*asked, *agreed)] == [Weight.ERROR, Weight.WARNING]
    try:
        plan(found, found.derived(), moved).check()
    except Problems as error:
        assert "https://auth.old.example" in str(error)
    else:
        raise AssertionError("a plan with an error must not be declared")

"""Forms of texts are checked before anything is contacted, and nothing that authentik takes is refused."""

from __future__ import annotations

from typing import Any

import pytest

from components.identity import catalog
from components.identity.formats import fault
from components.identity.kinds import Line
from components.identity.plan import Plan

LINES = [Line(line) for line in catalog.lines()]


@pytest.mark.parametrize(
    ("form", "good"),
    [
        ("duration", ["hours=1", "minutes=-5", "weeks=1;Days=2;hours=0.5", "seconds= 3"]),
        ("date-time", ["2030-01-01T00:00:00Z", "2030-01-01 00:00:00.5+01:00"]),
        ("email", ["jane@acme.example", "root@localhost"]),
        (
            "url",
            ["https://acme.example", "http://dash:8080/x?y", "blank://blank", "https://%(username)s.acme/"],
        ),
    ],
)
def test_what_is_right(form: str, good: list[str]) -> None:
    assert [fault({"format": form}, each) for each in good] == [None] * len(good)


@pytest.mark.parametrize(
    ("form", "value", "what", "remedy"),
    [
        ("duration", "1h", "'1h' is not a duration", "hours=1;minutes=30"),
        ("duration", "hours=1;", "is not a duration", "hours=1;minutes=30"),
        ("duration", "hours=soon", "is not a duration", "hours=1;minutes=30"),
        (
            "duration",
            "hours=1;minute=30",
            "'minute' is not a unit of time",
            "Take one of weeks, days, hours, minutes",
        ),
        ("date-time", "tomorrow", "'tomorrow' is not a date with time", "2030-01-31T12:00:00Z"),
        (
            "date-time",
            "2030-01-31 12:00",
            "does not say its time zone",
            "Write 2030-01-31T12:00:00Z, if it is UTC",
        ),
        ("email", "jane", "'jane' is not an address", "jane@acme.example"),
        ("url", "acme.example", "'acme.example' is not a whole URL", "https://"),
    ],
)
def test_what_is_wrong(form: str, value: str, what: str, remedy: str) -> None:
    found = fault({"format": form}, value)
    assert found is not None
    assert what in found[0]
    assert remedy in found[1]


def test_a_plan_says_it_with_the_field() -> None:
    plan = Plan("2026.8")
    flow: dict[str, Any] = {"name": "x", "title": "x", "designation": "enrollment"}
    plan.add("authentik_flows.flow", "come in", flow)
    plan.add("authentik_stages_user_login.userloginstage", "login", {"session_duration": "8h"})
    plan.add("authentik_events.notificationtransport", "hook", {"mode": "email", "webhook_url": ""})
    slug, duration = map(str, plan.findings())
    assert (
        slug
        == "authentik_flows.flow 'come in', slug: 'come in' is not a slug. Use letters, digits, - and _ only"
    )
    assert "userloginstage 'login', session_duration: '8h' is not a duration" in duration


def test_authentiks_own_defaults_are_right() -> None:
    wrong = [
        (label, name, default)
        for line in LINES
        for label in line.declarable()
        for name, facts in line.fields(label).items()
        for default in (facts.get("default"), line.defaults(label).get(name))
        if isinstance(default, str) and default and fault(facts, default)
    ]
    assert wrong == []
    durations = [
        name
        for name, facts in LINES[-1].fields("authentik_providers_oauth2.oauth2provider").items()
        if facts.get("format") == "duration"
    ]
    assert sorted(durations) == [
        "access_code_validity",
        "access_token_validity",
        "refresh_token_threshold",
        "refresh_token_validity",
    ]

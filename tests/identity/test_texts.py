"""What texts must look like: never stricter than authentik, as far as its answers are recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
from pulumi.output import Unknown

from bench.tests.authentik.replay import recordings
from components.identity import catalog
from components.identity.kinds import ReleaseLine
from components.identity.plan import Plan
from components.identity.texts import DURATION, describe, text_problem

SLUG = {"pattern": "^[-a-zA-Z0-9_]+$"}
TAKEN: dict[str, tuple[str, ...]] = {
    "email": (
        "jane@acme.example",
        '"Jane Doe"@acme.example',
        "root@localhost",
        "root@[127.0.0.1]",
        "a@bücher.example",
    ),
    "uri": (
        "https://grafana.acme.example/login?next=/#top",
        "http://whoami:80",
        "https://%(username)s.acme.example/%(email)s",
        "ldap://one.acme.example,ldaps://two.acme.example",
        "blank://blank",
        " HTTPS://trimmed.acme.example ",
    ),
    "uuid": ("01234567-89ab-cdef-0123-456789abcdef", "0123456789ABCDEF0123456789ABCDEF"),
    "date-time": (
        "2031-01-31T12:00:00Z",
        "2031-01-31 12:00+02:00",
        "2031-01-31T12:00:00.123456-0500",
        "20310131T120000Z",
    ),
    "ipv4": ("203.0.113.7",),
    "ipv6": ("2001:db8::7", "::ffff:203.0.113.7"),
    DURATION: (
        "minutes=1",
        "hours=-1;minutes=-2;seconds=-3",
        "Hours= 1.5 ",
        "weeks=1;fortnights=2",  # the unknown unit is skipped
        "seconds=0",
        "days=1e2",
    ),
    "of a later version": ("whatever",),
}
REFUSED: dict[str, tuple[str, ...]] = {
    "email": ("jane", "jane@", "@acme.example", "jane@acme", "jane@acme example.com"),
    "uri": (
        "not-a-url",
        "grafana.acme.example",
        "https://",
        "https://acme example",
        "//acme.example",
        "1://x",
    ),
    "uuid": ("01234567", "01234567-89ab-cdef-0123-456789abcdeg"),
    "date-time": ("tomorrow", "2031-13-01T00:00:00Z", "31.01.2031"),
    "ipv4": ("203.0.113", "::1"),
    "ipv6": ("203.0.113.7", "fe80:::1"),
    DURATION: (
        "5m",
        "forever",
        "hour=1",
        "hours=1;",
        "hours=1,minutes=2",
        "minutes=x",
        "60",
        "days=nan",
        "weeks=1e12",
    ),
}


@pytest.mark.parametrize(
    ("format_", "text"), [(name, text) for name, texts in TAKEN.items() for text in texts]
)
def test_what_authentik_takes_passes(format_: str, text: str) -> None:
    assert text_problem({"type": "string", "format": format_}, text) is None


@pytest.mark.parametrize(
    ("format_", "text"), [(name, text) for name, texts in REFUSED.items() for text in texts]
)
def test_what_authentik_refuses_is_found(format_: str, text: str) -> None:
    wrong = text_problem({"type": "string", "format": format_}, text)
    assert wrong is not None
    assert wrong[0].startswith("is no ")


@pytest.mark.parametrize("facts", [SLUG, *({"format": name} for name in TAKEN)])
def test_an_empty_text_looks_like_nothing(facts: dict[str, Any]) -> None:
    assert text_problem(facts, "") is None
    assert text_problem(facts, "  ") is None


def test_findings_are_in_an_operators_words() -> None:
    plan = Plan("2026.8")
    provider = {
        "authorization_flow": "default-provider-authorization-implicit-consent",
        "invalidation_flow": "default-provider-invalidation-flow",
        "redirect_uris": [],
        "access_code_validity": "5m",
    }
    plan.add("authentik_providers_oauth2.oauth2provider", "grafana", provider)
    plan.add(
        "authentik_core.application",
        "wiki",
        {"slug": "wíki & more", "name": "Wiki", "meta_launch_url": "wiki"},
    )
    plan.add("authentik_core.user", "jane", {"name": "Jane", "email": "jane"})
    plan.add("authentik_stages_invitation.invitation", "one", {"expires": "2031-01-31"})
    plan.add("authentik_stages_invitation.invitation", "two", {"expires": "soon"})
    plan.add(
        "authentik_stages_authenticator_webauthn.authenticatorwebauthnstage",
        "keys",
        {"device_type_restrictions": ["01234567-89ab-cdef-0123-456789abcdef", "yubikey"]},
    )
    assert [str(each).partition(", ")[2] for each in plan.problems() if each.refuses] == [
        (
            "access_code_validity: is no duration. Write it like hours=1;minutes=30, in weeks, days, hours, minutes, "
            "seconds, milliseconds or microseconds"
        ),
        "slug: has 'í', ' ', '&' in it. Use letters from a to z, digits, - and _ only",
        "meta_launch_url: is no URL. Write it like https://grafana.acme.example",
        "email: is no e-mail address. Write it like jane@acme.example",
        "expires: says no time zone. Write 2031-01-31T00:00:00+00:00, or with Z, if that is UTC",
        "expires: is no date and time. Write it like 2031-01-31T12:00:00Z",
        "device_type_restrictions[1]: is no UUID. Write it like 01234567-89ab-cdef-0123-456789abcdef",
    ]


def test_blanks_at_the_ends_do_not_count() -> None:
    plan = Plan("2026.8")
    fields = {"slug": " wiki\n", "name": "Wiki", "meta_launch_url": " https://wiki.acme.example "}
    plan.add("authentik_core.application", "wiki", fields)
    plan.add("authentik_core.token", "t", {"identifier": " " + "t" * 255 + " "})
    assert [each for each in plan.problems() if each.refuses] == []


def test_what_is_known_later_is_not_looked_at() -> None:
    plan = Plan("2026.8")
    for name, later in (("one", pulumi.Output.from_input("not a slug!")), ("two", Unknown())):
        plan.add("authentik_core.token", name, {"identifier": later, "expires": later})
    assert plan.problems() == []


def test_a_secret_is_not_quoted() -> None:
    plan = Plan("2026.8")
    fields = {"mode": "webhook", "webhook_url": "hooks/T0k3n"}
    plan.add("authentik_events.notificationtransport", "chat", fields, sealed=["webhook_url"])
    [finding] = map(str, plan.problems())
    assert "webhook_url: its secret value is not what the field takes" in finding
    assert "T0k3n" not in finding


def test_other_patterns_are_quoted_and_those_of_another_dialect_say_nothing() -> None:
    assert text_problem({"pattern": "^t_[a-z]+$"}, "x") == (
        "does not look as authentik wants it",
        "It must match ^t_[a-z]+$",
    )
    assert text_problem({"pattern": r"\p{L}"}, "x") is None
    assert describe({"pattern": "^t_[a-z]+$"}) == "text that matches `^t_[a-z]+$`"


@pytest.mark.parametrize("line", catalog.lines())
def test_what_authentik_fills_in_by_itself_passes(line: str) -> None:
    known = ReleaseLine(line)
    for label in known.declarable():
        for name, facts in known.fields(label).items():
            default = known.defaults(label).get(name, facts.get("default"))
            if isinstance(default, str):
                assert text_problem(facts, default) is None, (label, name, default)


@pytest.mark.parametrize(("line", "durations"), [("2025.8", 20), ("2026.2", 34), ("2026.8", 36)])
def test_every_text_that_starts_as_a_duration_is_one(line: str, durations: int) -> None:
    known = ReleaseLine(line)
    found = 0
    for label in known.labels():
        for name, facts in known.fields(label).items():
            default = str(known.defaults(label).get(name, facts.get("default", "")))
            is_one = text_problem({"format": DURATION}, default or "none") is None
            assert is_one == (facts.get("format") == DURATION), (label, name)
            found += is_one
    assert found == durations


def exchanges() -> Iterator[tuple[str, dict[str, Any], Any, Any, int]]:
    """Recorded calls that name a kind of 2026.2: (what, facts of its fields, what was sent, the answer, its status)."""
    line = ReleaseLine("2026.2")
    facts = {line.path(label): (line.fields(label), line.kind(label).references) for label in line.labels()}
    for series in "abcdefgh":
        for entry in recordings(series):
            path = entry["request"]["path"].removeprefix("/api/v3").partition("?")[0]
            kind = max((each for each in facts if path.startswith(each)), key=len, default=None)
            if kind is not None and path.removeprefix(kind).count("/") < 2:
                fields = {name: each for name, each in facts[kind][0].items() if name not in facts[kind][1]}
                answer = entry["response"]
                yield (
                    entry["name"],
                    fields,
                    entry["request"].get("body"),
                    answer.get("body"),
                    answer["status"],
                )


def wrong(fields: dict[str, Any], body: Any) -> set[str]:
    known = body.items() if isinstance(body, dict) else ()
    texts = [(name, value) for name, value in known if name in fields and isinstance(value, str)]
    return {name for name, value in texts if text_problem(fields[name], value) is not None}


def test_what_authentik_took_passes_and_what_it_holds_too() -> None:
    looked = 0
    for name, fields, sent, answer, status in exchanges():
        if status < 300:
            listed = answer.get("results", [answer]) if isinstance(answer, dict) else []
            for body in (sent, *listed):
                looked += isinstance(body, dict)
                assert wrong(fields, body) == set(), name
    assert looked > 250


def test_what_authentik_refused_for_its_looks_is_found() -> None:
    said = ("Enter a valid", "is not in the correct format")
    refused = {
        name: (
            wrong(fields, sent),
            {field for field, text in answer.items() if any(each in str(text) for each in said)},
        )
        for name, fields, sent, answer, status in exchanges()
        if status == 400 and isinstance(answer, dict)
    }
    assert {name for name, (_, field) in refused.items() if field} == {
        "oauth2-provider-bad-validity",
        "application-bad-slug",
        "application-bad-launch-url",
        "saml-provider-bad-acs",
    }
    for name, (found, field) in refused.items():
        assert found == field, name

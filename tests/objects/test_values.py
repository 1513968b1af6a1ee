"""Values in canonical form."""

from __future__ import annotations

from pulumi.output import Unknown

from components.objects import values
from components.objects.provider import pending_creates


def test_what_pulumi_does_to_values_is_undone() -> None:
    assert values.canonical({"n": 3.0, "r": 0.5, "gone": None, "list": [1.0, None, {"x": None}]}) == {
        "n": 3,
        "r": 0.5,
        "list": [1, None, {}],
    }
    assert isinstance(values.canonical(3.0), int)
    assert values.canonical(True) is True
    assert values.canonical("  text \n") == "text"


def test_unknowns_are_seen_at_any_depth() -> None:
    assert values.is_unknown({"a": [1, {"b": Unknown()}]})
    assert not values.is_unknown({"a": [1, {"b": "known"}]})


def test_objects_may_say_more_than_was_declared() -> None:
    assert values.covers([{"url": "x"}], [{"url": "x", "type": "authorization"}])
    assert not values.covers([{"url": "x"}], [{"url": "y", "type": "authorization"}])
    assert not values.covers([{"url": "x"}], [{"url": "x"}, {"url": "z"}])
    assert values.covers("", None)
    assert not values.covers(0, None)


def test_instants() -> None:
    assert values.same_instant("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00")
    assert not values.same_instant("soon", "later")


def test_pending_creates_by_kind_and_logical_name() -> None:
    urns = (
        '["urn:pulumi:acme::gatehouse::gatehouse:index:App$pulumi-python:dynamic/authentik_core:group::staff",'
        '"urn:pulumi:acme::gatehouse::pulumi-python:dynamic/npm:proxy_host::auth::odd"]'
    )
    assert pending_creates(urns) == {("authentik_core.group", "staff"), ("npm.proxy_host", "auth::odd")}
    assert pending_creates("") == frozenset()

"""What tells objects of a kind apart, and what they are called by it."""

from __future__ import annotations

from components.objects.natural_key import NaturalKey

NAME, BINDING = NaturalKey.parse("name"), NaturalKey.parse("target", "policy|group|user")


def test_a_key_is_what_the_server_holds() -> None:
    assert NAME.of({"name": " staff "}) == ("staff",)
    assert NAME.of({"name": 7.0}) == NAME.of({"name": "7"})
    assert BINDING.of({"target": "t", "group": "g", "policy": None}) == ("t", "group:g")
    assert BINDING.of({"target": "t", "group": "x"}) != BINDING.of({"target": "t", "user": "x"})


def test_what_is_not_there_is_no_other_key() -> None:
    assert BINDING.of({"target": "t", "group": ""}) == BINDING.of({"target": "t"}) == ("t", "policy:None")


def test_an_object_is_called_by_its_key() -> None:
    assert NAME.display_name({"name": "staff"}) == "staff"
    assert BINDING.display_name({"target": "wiki", "user": "jane"}) == "wiki/jane"
    assert BINDING.display_name({"target": "wiki"}) == "wiki/?"


def test_a_key_is_said_in_words() -> None:
    assert str(BINDING) == "target, policy or group or user"
    assert BINDING.fields == ["target", "policy", "group", "user"]
    assert (NAME.is_composed, BINDING.is_composed) == (False, True)

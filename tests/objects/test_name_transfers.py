"""A name is not handed from one object to another within a run: that is refused by name, at the preview."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.output import Unknown

from components.objects.name_transfers import NameTransfers
from tests.objects.library import NOTE, SHELF

Moves = list[tuple[str, str | None, str]]


def objections(moves: Moves) -> list[str]:
    """What is said of each shelf: (logical name, name in the state or None, name that is declared)."""
    transfers = NameTransfers()
    return [
        transfers.conflict(SHELF, logical, {"name": had} if had else {}, {"name": wants})
        for logical, had, wants in moves
    ]


@pytest.mark.parametrize(
    ("moves", "giver"),
    [
        ([("a", "A", "B"), ("b", "B", "A")], "a"),
        ([("a", "A", "B"), ("b", "B", "C")], "b"),
        ([("b", "B", "C"), ("a", "A", "B")], "b"),
        ([("a", "A", "B"), ("new", None, "A")], "a"),
        ([("new", None, "A"), ("a", "A", "B")], "a"),
    ],
    ids=["swap", "chain", "chain, the other way round", "reuse", "reuse, the other way round"],
)
def test_the_second_of_two_that_hand_a_name_on_is_refused(moves: Moves, giver: str) -> None:
    first, second = objections(moves)
    assert first == ""
    assert "no run hands a name on" in second
    assert f"Rename {giver!r} in a run of its own first" in second


def test_everything_else_is_fine() -> None:
    moves: Moves = [("a", "A", "A"), ("b", "B", "C"), ("d", None, "D"), ("b", None, "C"), ("e", "E", "F")]
    assert objections(moves) == [""] * 5


def test_what_is_not_known_yet_and_other_kinds_are_left_alone() -> None:
    transfers = NameTransfers()
    unknown: Any = Unknown()
    assert not transfers.conflict(SHELF, "a", {"name": "A"}, {"name": unknown})
    assert not transfers.conflict(SHELF, "b", {}, {"name": "A"})
    assert not transfers.conflict(NOTE, "n", {"book": "x", "a": "y"}, {"book": "x", "b": "y"})
    assert transfers.conflict(NOTE, "o", {}, {"book": "x", "a": "y"})

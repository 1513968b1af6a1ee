"""An object that goes from one resource of the stack to another is never deleted on the way, killed or not."""

from __future__ import annotations

import pytest

from components.objects.reconcile import Declared, Held, Reconciler
from tests.objects.library import SHELF, Library


def shelf(logical: str, *, adopt: bool = False) -> Declared:
    return Declared("shelf", logical, {"name": "A"}, adopt)


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def held(library: Library) -> dict[str, Held]:
    """Made by one resource, taken over by another in a run that was killed before it deleted the first."""
    old = Reconciler(library).create(shelf("old"))
    return {"old": old, "new": Reconciler(library).create(shelf("new", adopt=True))}


def next_run(library: Library, held: dict[str, Held]) -> Reconciler:
    run = Reconciler(library)
    for logical, each in held.items():
        run.noticed(SHELF, logical, each)
    return run


def test_a_run_that_was_killed_in_between_loses_nothing(library: Library, held: dict[str, Held]) -> None:
    run = next_run(library, held)
    assert run.delete(SHELF, "old", held["old"]).startswith("kept: another resource")
    assert run.read(SHELF, held["new"]) == held["new"]


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
def test_destroy_after_that_leaves_nothing(
    library: Library, held: dict[str, Held], order: tuple[str, str]
) -> None:
    run = next_run(library, held)
    done = [run.delete(SHELF, logical, held[logical]) for logical in order]
    assert done[0].startswith("kept")
    assert done[1] == "deleted"
    assert library.objects["/shelves"] == {}


def test_the_same_logical_name_at_another_place_in_the_tree(library: Library) -> None:
    old = Reconciler(library).create(shelf("same"))
    new = Reconciler(library).create(shelf("same", adopt=True))
    after = Reconciler(library)
    after.noticed(SHELF, "same", old)
    after.noticed(SHELF, "same", new)
    assert after.delete(SHELF, "same", old).startswith("kept: another resource")
    assert len(library.objects["/shelves"]) == 1


def test_an_interrupted_adoption_is_an_adoption_still(library: Library) -> None:
    library.request("POST", "/shelves", body={"name": "A", "code": "by hand"})
    run = Reconciler(library, pending=frozenset({("shelf", "new")}))
    held = run.create(Declared("shelf", "new", {"name": "A", "code": "ours"}, adopt=True))
    assert held.adopted
    assert Reconciler(library).delete(SHELF, "new", held).startswith("kept")

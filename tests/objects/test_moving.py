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


def moved(library: Library, *, seen: bool = True) -> tuple[Held, Held]:
    """Made by one resource, taken over by another in a run that was killed before it deleted the first."""
    old = Reconciler(library).create(shelf("old"))
    run = Reconciler(library)
    if seen:  # `gatehouse up` refreshes first
        run.noticed(SHELF, "old", old)
    return old, run.create(shelf("new", adopt=True))


def test_what_was_ours_stays_ours(library: Library) -> None:
    old, new = moved(library)
    assert (new.pk, new.adopted, new.moved) == (old.pk, False, 1)
    assert Reconciler(library).delete("shelf", "new", new) == "deleted"


def test_what_was_adopted_stays_adopted_and_is_given_back(library: Library) -> None:
    library.request("POST", "/shelves", body={"name": "A", "code": "by hand"})
    old = Reconciler(library).create(Declared("shelf", "old", {"name": "A", "code": "ours"}, adopt=True))
    run = Reconciler(library)
    run.noticed(SHELF, "old", old)
    new = run.create(Declared("shelf", "new", {"name": "A", "code": "ours"}, adopt=True))
    assert new.before == old.before
    assert Reconciler(library).delete("shelf", "new", new).startswith("kept")
    assert library.objects["/shelves"][int(old.pk)]["code"] == "by hand"


@pytest.mark.parametrize("seen", [True, False], ids=["refreshed", "not refreshed"])
def test_a_run_that_was_killed_in_between_loses_nothing(library: Library, seen: bool) -> None:
    old, new = moved(library, seen=seen)
    run = Reconciler(library)
    run.noticed(SHELF, "old", old)
    run.noticed(SHELF, "new", new)
    assert run.delete("shelf", "old", old).startswith("kept: another resource")
    assert run.read("shelf", new) == new


@pytest.mark.parametrize("seen", [True, False], ids=["refreshed", "not refreshed"])
@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
def test_destroy_after_that_leaves_nothing(library: Library, seen: bool, order: tuple[str, str]) -> None:
    held = dict(zip(("old", "new"), moved(library, seen=seen), strict=True))
    run = Reconciler(library)
    for logical, each in held.items():
        run.noticed(SHELF, logical, each)
    done = [run.delete("shelf", logical, held[logical]) for logical in order]
    assert done[0].startswith("kept")
    assert done[1] == "deleted"
    assert library.objects["/shelves"] == {}


def test_the_same_logical_name_at_another_place_in_the_tree(library: Library) -> None:
    old = Reconciler(library).create(shelf("same"))
    run = Reconciler(library)
    run.noticed(SHELF, "same", old)
    new = run.create(shelf("same", adopt=True))
    after = Reconciler(library)
    after.noticed(SHELF, "same", old)
    after.noticed(SHELF, "same", new)
    assert after.delete("shelf", "same", old).startswith("kept: another resource")
    assert len(library.objects["/shelves"]) == 1


def test_an_interrupted_adoption_is_an_adoption_still(library: Library) -> None:
    library.request("POST", "/shelves", body={"name": "A", "code": "by hand"})
    run = Reconciler(library, pending=frozenset({("shelf", "new")}))
    held = run.create(Declared("shelf", "new", {"name": "A", "code": "ours"}, adopt=True))
    assert held.adopted
    assert Reconciler(library).delete("shelf", "new", held).startswith("kept")

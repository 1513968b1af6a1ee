"""An object that goes from one resource of the stack to another is never deleted on the way, killed or not."""

from __future__ import annotations

import shutil
import stat

import pytest

from components.objects import journal
from components.objects.errors import ObjectError
from components.objects.reconcile import DesiredObject, ObjectState, Reconciler
from tests.objects.library import SHELF, Library


def shelf(logical: str, *, adopt: bool = False) -> DesiredObject:
    return DesiredObject("shelf", logical, {"name": "A"}, adopt)


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def held(library: Library) -> dict[str, ObjectState]:
    """Made by one resource, taken over by another in a run that was killed before it deleted the first."""
    old = Reconciler(library).create(shelf("old"))
    return {"old": old, "new": Reconciler(library).create(shelf("new", adopt=True))}


def next_run(library: Library, held: dict[str, ObjectState]) -> Reconciler:
    run = Reconciler(library)
    for logical, each in held.items():
        run.record_state(SHELF, logical, each)
    return run


def test_a_run_that_was_killed_in_between_loses_nothing(
    library: Library, held: dict[str, ObjectState]
) -> None:
    run = next_run(library, held)
    assert run.delete(SHELF, "old", held["old"]).startswith("kept: another resource")
    assert run.read(SHELF, held["new"]) == held["new"]


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
def test_destroy_after_that_leaves_nothing(
    library: Library, held: dict[str, ObjectState], order: tuple[str, str]
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
    after.record_state(SHELF, "same", old)
    after.record_state(SHELF, "same", new)
    assert after.delete(SHELF, "same", old).startswith("kept: another resource")
    assert len(library.objects["/shelves"]) == 1


class Killed(BaseException):
    """Nothing that comes after this happens."""


def adopting(library: Library, *, pending: bool) -> ObjectState:
    run = Reconciler(library, pending=frozenset({("shelf", "new")} if pending else ()))
    return run.create(DesiredObject("shelf", "new", {"name": "A", "code": "ours"}, adopt=True))


@pytest.fixture
def killed(library: Library) -> Library:
    """A library with a shelf that was there before us, and that a killed run has changed."""
    library.put("/shelves", name="A", code="theirs")

    def kill(method: str, path: str, body: object) -> None:
        if method == "PATCH":
            raise Killed

    library.after = kill
    with pytest.raises(Killed):
        adopting(library, pending=False)
    library.after = lambda *_: None
    return library


def test_an_adoption_that_is_killed_knows_what_was_there_before(killed: Library) -> None:
    held = adopting(killed, pending=True)
    assert held.original["code"] == "theirs"
    assert "(pk 1), which was there" in held.note
    assert "killed" not in held.note
    later = Reconciler(killed)
    later.record_state(SHELF, "new", held)
    assert list((journal.FOLDER / "adopting").iterdir()) == []
    assert later.delete(SHELF, "new", held).endswith("its former values are back")
    assert killed.objects["/shelves"][1]["code"] == "theirs"


def test_on_another_machine_it_says_that_it_does_not_know(killed: Library) -> None:
    shutil.rmtree(journal.FOLDER / "adopting")
    held = adopting(killed, pending=True)
    assert held.original["code"] == "ours"
    assert "what is there now counts as what was there before" in held.note


def test_a_note_of_a_run_long_ago_counts_for_nothing(killed: Library) -> None:
    killed.objects["/shelves"][1]["code"] = "changed by hand since"
    assert adopting(killed, pending=False).original["code"] == "changed by hand since"


def test_what_was_there_is_nobody_elses_to_read(killed: Library) -> None:
    (note,) = (journal.FOLDER / "adopting").iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (note, (journal.FOLDER / "adopting"))] == [
        0o600,
        0o700,
    ]


def test_where_nothing_can_be_noted_nothing_is_changed(library: Library) -> None:
    library.put("/shelves", name="A", code="theirs")
    (journal.FOLDER / "adopting").parent.mkdir(exist_ok=True)
    (journal.FOLDER / "adopting").write_text("in the way")
    with pytest.raises(ObjectError, match="cannot be noted"):
        adopting(library, pending=False)
    assert library.writes() == []


def test_an_interrupted_adoption_is_an_adoption_still(library: Library) -> None:
    library.request("POST", "/shelves", body={"name": "A", "code": "by hand"})
    run = Reconciler(library, pending=frozenset({("shelf", "new")}))
    held = run.create(DesiredObject("shelf", "new", {"name": "A", "code": "ours"}, adopt=True))
    assert held.adopted
    assert Reconciler(library).delete(SHELF, "new", held).startswith("kept")


def test_what_is_ours_already_is_not_counted_as_adopted(library: Library) -> None:
    """Where the state has shown whose it is, as it does at a refresh, before it gets another logical name."""
    old = Reconciler(library).create(shelf("old"))
    run = Reconciler(library)
    run.record_state(SHELF, "old", old)
    new = run.create(shelf("new", adopt=True))
    assert not new.adopted
    assert run.delete(SHELF, "old", old).startswith("kept: this run has just taken it over")
    assert Reconciler(library).delete(SHELF, "new", new) == "deleted"

"""A create whose outcome the state does not have is gone on with by the next run, if what is there is what it made."""

from __future__ import annotations

import json

import pytest

from components.objects import journal
from components.objects.errors import ObjectError, UnclearOutcomeError
from components.objects.http import RefusedError
from components.objects.reconcile import DesiredObject, Reconciler
from tests.objects.library import SHELF, Library

WANTED = DesiredObject("shelf", "new", {"name": "A", "code": "ours"})


@pytest.fixture
def library() -> Library:
    return Library()


def notes() -> list[dict[str, object]]:
    folder = journal.FOLDER / "creating"
    return [json.loads(path.read_text()) for path in folder.iterdir()] if folder.exists() else []


@pytest.fixture
def lost(library: Library) -> Library:
    """The object is made, and nobody got to know of it: the connection broke, and then the server was away."""

    def after(method: str, path: str, body: object) -> None:
        if method == "POST":
            raise UnclearOutcomeError("cut")
        if library.objects["/shelves"]:
            raise ObjectError("cannot connect", "library", "")

    library.after = after
    with pytest.raises(ObjectError, match="cannot connect"):
        Reconciler(library).create(WANTED)
    library.after = lambda *_: None
    assert len(library.objects["/shelves"]) == 1
    return library


@pytest.mark.case("7")
def test_the_next_run_goes_on_with_it(lost: Library) -> None:
    run = Reconciler(lost)
    assert run.is_create_pending(WANTED)
    held = run.create(WANTED)
    assert held.pk == "1"
    assert not held.adopted
    assert "goes on with shelf 'A' (pk 1), which an earlier run had made" in held.note
    assert Reconciler(lost).delete(SHELF, "new", held) == "deleted"


@pytest.mark.case("7")
def test_also_after_the_program_has_changed(lost: Library) -> None:
    held = Reconciler(lost).create(DesiredObject("shelf", "new", {"name": "A", "code": "other"}))
    assert held.pk == "1"
    assert lost.objects["/shelves"][1]["code"] == "other"


def test_what_was_changed_since_may_be_somebody_elses(lost: Library) -> None:
    lost.objects["/shelves"][1]["code"] = "theirs"
    with pytest.raises(ObjectError, match="is there already"):
        Reconciler(lost).create(WANTED)


def test_another_resource_does_not_get_it(lost: Library) -> None:
    with pytest.raises(ObjectError, match="is there already"):
        Reconciler(lost).create(DesiredObject("shelf", "another", WANTED.fields))


def test_another_stack_does_not_get_it(lost: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = (journal.FOLDER / "creating").iterdir()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"stack": "acme"}))
    monkeypatch.setenv(journal.STACK, "other")
    with pytest.raises(ObjectError, match="is there already"):
        Reconciler(lost).create(WANTED)
    monkeypatch.setenv(journal.STACK, "acme")
    assert Reconciler(lost).create(WANTED).pk == "1"


def test_it_is_noted_before_the_request_and_forgotten_once_the_state_has_it(library: Library) -> None:
    seen: list[list[dict[str, object]]] = []
    library.before = lambda method, path, body: seen.append(notes()) if method == "POST" else None
    held = Reconciler(library).create(WANTED)
    ((note,),) = seen
    assert note["called"] == "A"
    assert note["body"] == {"name": "A", "code": "ours"}
    assert len(notes()) == 1, "the engine has not written it down yet"
    Reconciler(library).record_state(SHELF, "new", held)
    assert notes() == []


def test_a_note_holds_no_secret(library: Library) -> None:
    Reconciler(library).create(
        DesiredObject(
            "book",
            "x",
            {"title": "Emma", "password": "s3cret-value", "isbn": "1"},
            sealed=frozenset({"isbn"}),
        )
    )
    (note,) = notes()
    assert note["body"] == {"title": "Emma"}


@pytest.mark.parametrize(("status", "noted"), [(400, 0), (403, 0), (500, 1)])
def test_a_server_that_says_no_has_made_nothing(library: Library, status: int, noted: int) -> None:
    def refuse(method: str, path: str, body: object) -> None:
        if method == "POST":
            raise RefusedError(status, {"detail": "no"})

    library.before = refuse
    with pytest.raises(ObjectError, match=r"cannot create|does not let us"):
        Reconciler(library).create(WANTED)
    assert len(notes()) == noted


def test_the_one_that_is_to_be_replaced_settles_nothing(library: Library) -> None:
    """Its name is in the state all the time."""
    old = Reconciler(library).create(WANTED)
    run = Reconciler(library)
    run.record_state(SHELF, "new", old)
    run.delete(SHELF, "new", old)

    def after(method: str, path: str, body: object) -> None:
        if method == "POST":
            raise KeyboardInterrupt

    library.after = after
    again = Reconciler(library)
    again.record_state(SHELF, "new", old)
    with pytest.raises(KeyboardInterrupt):
        again.create(WANTED)
    library.after = lambda *_: None
    last = Reconciler(library)
    last.record_state(SHELF, "new", old)  # the refresh of what the state says is being replaced
    assert last.create(WANTED).pk == "2"


@pytest.mark.case("8")
def test_where_nothing_can_be_noted_nothing_is_made(library: Library) -> None:
    journal.FOLDER.mkdir(exist_ok=True)
    (journal.FOLDER / "creating").write_text("in the way")
    with pytest.raises(ObjectError, match=r"cannot be noted .* so it is not made"):
        Reconciler(library).create(WANTED)
    assert library.writes() == []

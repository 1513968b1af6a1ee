"""The reconcile engine's rules, looking at the server each time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from components.objects import writer
from components.objects.errors import ObjectError, UnclearOutcomeError
from components.objects.http import RefusedError
from components.objects.reconcile import DesiredObject, ObjectState, Reconciler
from tests.objects.library import BOOK, SHELF, Library


def shelf(name: str = "A", logical: str | None = None, adopt: bool = False, **fields: Any) -> DesiredObject:
    return DesiredObject("shelf", logical or name, {"name": name, **fields}, adopt)


def book(
    title: str = "Emma", logical: str | None = None, adopt: bool = False, **fields: Any
) -> DesiredObject:
    return DesiredObject("book", logical or title, {"title": title, **fields}, adopt)


@pytest.fixture
def library() -> Library:
    return Library()


def test_a_create_is_one_call_and_a_second_look_sees_no_difference(library: Library) -> None:
    engine = Reconciler(library)
    engine.create(shelf())
    wanted = book(shelf_id="A", tags=["x", "y"], note=" trimmed ", isbn="ABC", pages=[{"n": 1}], near=["A"])
    held = engine.create(wanted)
    assert held.fields["shelf_id"] == "A"
    assert library.objects["/books"][int(held.pk)]["shelf_id"] == 1
    assert [call[0] for call in library.calls if call[1].startswith("/books")] == ["GET", "POST"]

    library.calls.clear()
    again = Reconciler(library)
    assert again.read(BOOK, held) == held
    assert again.update(held, wanted) == held
    assert library.writes() == []


def test_no_write_when_a_renamed_reference_still_means_the_same(library: Library) -> None:
    engine = Reconciler(library)
    first = engine.create(shelf("A"))
    held = engine.create(book(shelf_id="A"))
    engine.update(first, shelf("B", logical="A"))
    library.calls.clear()
    after = engine.update(held, book(shelf_id="B"))
    assert after.fields["shelf_id"] == "B"
    assert library.writes() == []


def test_whole_body_on_update_with_what_must_be_repeated(library: Library) -> None:
    engine = Reconciler(library)
    held = engine.create(book(note="one", tags=["x"], isbn="1"))
    engine.update(held, book(note="two", tags=["x"], isbn="1"))
    [(_, _, body)] = [call for call in library.calls if call[0] == "PATCH"]
    assert body == {"form": "plain", "title": "Emma", "note": "two", "tags": ["x"], "isbn": "1"}


def test_unset_field_is_cleared_and_unmanaged_field_is_left_alone(library: Library) -> None:
    engine = Reconciler(library)
    held = engine.create(book(note="mine", tags=["x"]))
    library.objects["/books"][int(held.pk)]["extra"] = "by hand"
    after = engine.update(held, book())
    item = library.objects["/books"][int(held.pk)]
    assert (item["note"], item["tags"], item["extra"]) == ("", [], "by hand")
    assert after.fields == {"title": "Emma"}


def test_members_of_a_merged_object_that_are_not_ours_stay(library: Library) -> None:
    item = library.put("/books", title="Emma", options={"theirs": 1, "ours": None, "nothing": None})
    held = Reconciler(library).create(book(adopt=True, options={"ours": 2}))
    assert item["options"] == {"theirs": 1, "ours": 2, "nothing": None}
    item["options"] = {"theirs": 5, "ours": 3}
    seen = Reconciler(library).read(BOOK, held)
    assert seen is not None
    assert seen.fields["options"] == {"ours": 3}
    Reconciler(library).update(seen, book(adopt=True, options={"ours": 2}))
    assert item["options"] == {"theirs": 5, "ours": 2}


def test_drift_shows_field_by_field_and_is_repaired(library: Library) -> None:
    held = Reconciler(library).create(book(note="mine", tags=["x"]))
    item = library.objects["/books"][int(held.pk)]
    item["note"] = "by hand"
    engine = Reconciler(library)
    seen = engine.read(BOOK, held)
    assert seen is not None
    assert seen.fields == {"title": "Emma", "note": "by hand", "tags": ["x"]}
    engine.update(seen, book(note="mine", tags=["x"]))
    assert item["note"] == "mine"


def test_gone_is_gone_on_read_fine_on_delete_and_an_error_on_update(library: Library) -> None:
    held = Reconciler(library).create(book())
    library.objects["/books"].clear()
    engine = Reconciler(library)
    assert engine.read(BOOK, held) is None
    assert engine.delete(BOOK, "Emma", held) == "was gone already"
    with pytest.raises(ObjectError, match=r"(?s)no longer there.*gatehouse up"):
        engine.update(held, book(note="x"))


def test_renamed_by_hand_is_found_by_pk_and_renamed_back(library: Library) -> None:
    held = Reconciler(library).create(book(note="n"))
    library.objects["/books"][int(held.pk)]["title"] = "Renamed"
    engine = Reconciler(library)
    seen = engine.read(BOOK, held)
    assert seen is not None
    assert seen.fields["title"] == "Renamed"
    engine.update(seen, book(note="n"))
    assert library.objects["/books"][int(held.pk)]["title"] == "Emma"


def test_a_counted_pk_alone_proves_nothing(library: Library) -> None:
    held = Reconciler(library).create(shelf("A", code="alpha"))
    other = Library()
    other.put("/shelves", name="B", code="beta")
    assert Reconciler(other).read(SHELF, held) is None
    library.objects["/shelves"][int(held.pk)]["name"] = "renamed by hand"
    assert Reconciler(library).read(SHELF, held) is not None


def test_existing_object_is_refused_untouched_even_if_identical(library: Library) -> None:
    library.put("/books", title="Emma", note="mine")
    with pytest.raises(
        ObjectError, match=r"(?s)library, resource 'x': book 'Emma' is there already.*adopt: true"
    ):
        Reconciler(library).create(book(logical="x", note="mine"))
    assert library.writes() == []


def test_adopting_keeps_the_rest_and_puts_values_back(library: Library) -> None:
    item = library.put("/books", title="Emma", note="theirs", extra="kept", tags=["t"], shelf_id=None)
    engine = Reconciler(library)
    engine.create(shelf("A"))
    held = engine.create(book(adopt=True, note="ours", shelf_id="A"))
    assert (item["note"], item["extra"], item["tags"]) == ("ours", "kept", ["t"])
    assert held.adopted
    assert held.original == {"title": "Emma", "note": "theirs", "shelf_id": None}

    later = Reconciler(library)
    held = later.update(held, book(adopt=True, shelf_id="A", tags=["u"]))
    assert (item["note"], item["tags"]) == ("theirs", ["u"])
    assert Reconciler(library).delete(BOOK, "Emma", held).startswith("kept")
    assert (item["note"], item["tags"], item["shelf_id"]) == ("theirs", ["t"], None)
    assert item["id"] in library.objects["/books"]


@pytest.mark.parametrize("again", [{"tags": ["u"]}, {}], ids=["wanted still", "wanted no more"])
def test_a_killed_update_leaves_what_was_there_before_us(library: Library, again: dict[str, Any]) -> None:
    """The server has a newly declared field's value already, and the state does not know of it."""
    item = library.put("/books", title="Emma", note="theirs", tags=["t"])
    held = Reconciler(library).create(book(adopt=True, note="ours"))
    Reconciler(library).record_state(BOOK, "Emma", held)
    Reconciler(library).update(held, book(adopt=True, note="ours", tags=["u"]))
    assert item["tags"] == ["u"]

    later = Reconciler(library)
    later.record_state(BOOK, "Emma", held)
    held = later.update(held, book(adopt=True, note="other", **again))
    assert item["tags"] == again.get("tags", ["t"])
    Reconciler(library).record_state(BOOK, "Emma", held)
    assert Reconciler(library).delete(BOOK, "Emma", held).startswith("kept")
    assert (item["note"], item["tags"]) == ("theirs", ["t"])


def test_adopting_writes_nothing_if_all_is_so_already(library: Library) -> None:
    library.put("/books", title="Emma", note="same")
    held = Reconciler(library).create(book(adopt=True, note="same"))
    assert library.writes() == []
    assert Reconciler(library).delete(BOOK, "Emma", held).startswith("kept")
    assert library.writes() == []


def test_adopting_never_overwrites_a_secret(library: Library) -> None:
    item = library.put("/books", title="Emma", token="theirs")
    with pytest.raises(ObjectError, match=r"(?s)another token.*out of its fields") as caught:
        Reconciler(library).create(book(adopt=True, token="ours"))
    assert "ours" not in str(caught.value)
    assert "theirs" not in str(caught.value)
    assert item["token"] == "theirs"
    held = Reconciler(library).create(book(adopt=True, token="theirs", pin="1", password="p"))
    assert library.pins == {}
    assert "token" not in held.original
    assert all("password" not in (body or {}) for _, _, body in library.calls)


def test_interrupted_create_is_taken_over_and_deleted_later(library: Library) -> None:
    library.put("/books", title="Emma", note="half")
    engine = Reconciler(library, frozenset({("book", "Emma")}))
    held = engine.create(book(note="whole", pin="1"))
    assert library.pins == {int(held.pk): "1"}
    assert not held.adopted
    assert Reconciler(library).delete(BOOK, "Emma", held) == "deleted"
    assert library.objects["/books"] == {}
    with pytest.raises(ObjectError, match="there already"):
        library.put("/books", title="Other")
        Reconciler(library, frozenset({("book", "Emma")})).create(book("Other", note="whole"))


def test_what_was_claimed_in_this_process_is_not_deleted_in_it(library: Library) -> None:
    held = Reconciler(library).create(book(note="n"))
    engine = Reconciler(library)
    engine.create(book(logical="new-name", adopt=True, note="n"))
    assert engine.delete(BOOK, "Emma", held).startswith("kept")
    assert len(library.objects["/books"]) == 1


def test_another_object_of_the_same_name_is_not_deleted(library: Library) -> None:
    held = Reconciler(library).create(book())
    library.objects["/books"].clear()
    library.put("/books", title="Emma")
    assert "not the one that this stack made" in Reconciler(library).delete(BOOK, "Emma", held)
    assert len(library.objects["/books"]) == 1


def test_bystanders_keep_an_object_from_being_deleted(library: Library) -> None:
    held = Reconciler(library).create(shelf("A"))
    library.put("/books", title="By hand", shelf_id=int(held.pk))
    with pytest.raises(ObjectError, match=r"book 'By hand' still uses shelf 'A' \(shelf_id\)"):
        Reconciler(library).delete(SHELF, "A", held)
    assert library.objects["/shelves"]
    library.objects["/books"].clear()
    assert Reconciler(library).delete(SHELF, "A", held) == "deleted"


def test_changed_secrets_are_written_and_unchanged_ones_are_not(library: Library) -> None:
    engine = Reconciler(library)
    held = engine.create(book(password="p1", pin="1", token="t1"))
    library.calls.clear()
    same = engine.update(held, book(password="p1", pin="1", token="t1"))
    assert library.writes() == []
    changed = engine.update(same, book(password="p1", pin="2", token="t1"))
    assert library.writes() == [("POST", f"/books/{held.pk}/pin")]
    engine.update(changed, book(password="p2", pin="2", token="t1"))
    assert library.writes()[1:] == [("PATCH", f"/books/{held.pk}")]
    library.objects["/books"][int(held.pk)]["token"] = "by hand"
    seen = Reconciler(library).read(BOOK, changed)
    assert seen is not None
    assert seen.fields["token"] == "by hand"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda item: {**item, "note": "as it was"}, id="it shows what was there before"),
        pytest.param(lambda item: {"id": item["id"]}, id="it shows a part"),
        pytest.param(lambda item: None, id="it shows nothing"),
    ],
)
def test_an_object_is_read_after_a_write_whose_answer_does_not_show_all_as_wanted(
    library: Library, answer: Callable[[dict[str, Any]], Any]
) -> None:
    held = Reconciler(library).create(book(note="n", tags=["x"]))
    library.calls.clear()
    library.answer = lambda method, item: item if method == "GET" else answer(item)
    again = Reconciler(library).update(held, book(note="m", tags=["x"]))
    assert again.fields["note"] == "m"
    assert [call[0] for call in library.calls] == ["GET", "PATCH", "GET"]


def test_what_a_read_after_a_write_shows_is_what_counts(library: Library) -> None:
    library.answer = lambda method, item: {**item, "note": "another"}
    with pytest.raises(ObjectError, match="note"):
        Reconciler(library).create(book(note="n"))
    assert library.objects["/books"] == {}


def test_a_field_with_a_call_of_its_own_needs_no_read(library: Library) -> None:
    held = Reconciler(library).create(book(pin="1"))
    library.calls.clear()
    Reconciler(library).update(held, book(pin="2"))
    assert [call[:2] for call in library.calls] == [("GET", "/books"), ("POST", f"/books/{held.pk}/pin")]


def test_unclear_create_is_looked_at_before_anything_else(library: Library) -> None:
    def cut(method: str, path: str, body: Any) -> None:
        if method == "POST":
            library.after = lambda *_: None
            raise UnclearOutcomeError("cut")

    library.after = cut
    held = Reconciler(library).create(book(note="n"))
    assert [call[0] for call in library.calls] == ["GET", "POST", "GET"]  # the list, twice
    assert len(library.objects["/books"]) == 1
    assert held.fields["note"] == "n"


def test_empty_405_is_an_unclear_answer(library: Library) -> None:
    answers = [RefusedError(405, None), RefusedError(405, None)]

    def hide(method: str, path: str, body: Any) -> None:
        if method == "POST" and answers:
            raise answers.pop()

    library.before = hide
    Reconciler(library).create(book())
    assert [call[0] for call in library.calls] == ["GET", "POST", "GET", "POST", "GET", "POST"]
    library.before = lambda method, path, body: (
        (_ for _ in ()).throw(RefusedError(405, None)) if method == "POST" else None
    )
    with pytest.raises(ObjectError, match="failed without a word"):
        Reconciler(library).create(book("Persuasion"))


@pytest.mark.case("19")
@pytest.mark.parametrize("done", [False, True])
def test_an_object_that_tasks_of_the_server_hang_on_is_deleted_when_they_are_done(
    library: Library, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    engine = Reconciler(library)
    held = engine.create(book())
    answers = [RefusedError(405, None)] * 2

    def busy(method: str, path: str, body: Any) -> None:
        if method == "DELETE" and (answers or not done):
            raise answers.pop() if answers else RefusedError(405, None)

    library.before = busy
    later = Reconciler(library)
    monkeypatch.setattr(writer, "DELETE_SECONDS", 3.0)
    if done:
        later.delete(BOOK, "Emma", held)
        assert library.objects["/books"] == {}
    else:
        with pytest.raises(ObjectError, match=r"delete.*HTTP 405"):
            later.delete(BOOK, "Emma", held)


def test_failed_second_step_leaves_nothing_behind(library: Library) -> None:
    def weak(method: str, path: str, body: Any) -> None:
        if path.endswith("/pin"):
            raise RefusedError(400, {"detail": "too short"})

    library.before = weak
    with pytest.raises(ObjectError, match=r"pin was refused.*too short"):
        Reconciler(library).create(book(pin="0"))
    assert library.objects["/books"] == {}
    library.before = lambda *_: None
    Reconciler(library).create(book(pin="0123"))


def test_server_that_keeps_another_value_is_named(library: Library) -> None:
    library.after = lambda method, path, body: (
        library.objects["/books"][1].update(note="fixed", token="x") if method == "POST" else None
    )
    with pytest.raises(ObjectError, match=r"note.*keeps 'fixed'.*token") as caught:
        Reconciler(library).create(book(note="mine", token="secret-token"))
    assert "secret-token" not in str(caught.value)
    assert "'x'" not in str(caught.value)
    assert library.objects["/books"] == {}


def test_dangling_name_is_an_error_before_anything_is_written(library: Library) -> None:
    with pytest.raises(ObjectError, match="shelf_id names 'Nowhere', and there is no such shelf"):
        Reconciler(library).create(book(shelf_id="Nowhere"))
    assert library.writes() == []


def test_a_name_of_two_objects_is_an_error_before_anything_is_written(library: Library) -> None:
    for _ in range(2):
        library.put("/shelves", name="Twin")
    with pytest.raises(
        ObjectError, match=r"(?s)'Twin', which 2 objects are called: shelf and shelf\..*Give the other one"
    ):
        Reconciler(library).create(book(shelf_id="Twin"))
    assert library.writes() == []


def test_lists_are_read_side_by_side_and_once(library: Library) -> None:
    library.put("/shelves", name="A")
    held = Reconciler(library).create(book(shelf_id="A"))
    both = threading.Barrier(2, timeout=10)
    library.calls.clear()

    def other_too(method: str, path: str, body: Any) -> None:
        both.wait()

    library.before = other_too
    assert Reconciler(library).read(BOOK, held) is not None
    assert sorted(path for _, path, _ in library.calls) == ["/books", "/shelves"]


def test_default_objects_that_are_still_coming_are_waited_for(library: Library) -> None:
    library.late = [("/shelves", {"name": "Late", "code": "late"})]
    held = Reconciler(library).create(book(shelf_id="late", near=["Late"]))
    assert held.fields["shelf_id"] == "late"


def test_reference_cut_by_a_replacement_in_this_process_is_noticed(library: Library) -> None:
    made = Reconciler(library)
    first = made.create(shelf("A"))
    held = made.create(book(near=["A"]))
    engine = Reconciler(library)
    kind = library.kind("book")
    assert not engine.run.refers_to_deleted(kind, held.fields)
    engine.delete(SHELF, "A", first)
    engine.create(shelf("A"))
    assert engine.run.refers_to_deleted(kind, held.fields)
    library.objects["/books"][int(held.pk)]["near"] = []
    engine.update(held, book(near=["A"]))
    assert library.objects["/books"][int(held.pk)]["near"] == [int(max(library.objects["/shelves"]))]


def test_composed_keys_are_told_apart(library: Library) -> None:
    engine = Reconciler(library)
    engine.create(book("Emma"))
    engine.create(book("Persuasion"))
    for title in ("Emma", "Persuasion"):
        for side in ("a", "b"):
            engine.create(DesiredObject("note", f"{title}-{side}", {"book": title, side: "x"}))
    assert len(library.objects["/notes"]) == 4
    with pytest.raises(ObjectError, match="there already"):
        engine.create(DesiredObject("note", "again", {"book": "Emma", "b": "x"}))


def test_of_two_with_one_key_ours_is_meant(library: Library) -> None:
    held = Reconciler(library).create(book(note="ours"))
    other = library.put("/books", title="Emma", note="theirs")
    engine = Reconciler(library)
    seen = engine.read(BOOK, held)
    assert seen is not None
    assert seen.fields["note"] == "ours"
    assert engine.delete(BOOK, "Emma", held) == "deleted"
    assert list(library.objects["/books"]) == [other["id"]]


def test_revoked_token_in_the_middle_of_a_run(library: Library) -> None:
    def revoked(method: str, path: str, body: Any) -> None:
        if method == "POST":
            raise RefusedError(403, {"detail": "Token invalid/expired"})

    library.before = revoked
    with pytest.raises(ObjectError, match=r"(?s)HTTP 403.*token may have been revoked"):
        Reconciler(library).create(book())


def test_a_name_that_is_taken_is_refused_before_a_rename(library: Library) -> None:
    """Two names swapped in one run, or a new name that somebody else's object has."""
    engine = Reconciler(library)
    first, second = engine.create(book("A")), engine.create(book("B"))
    library.calls.clear()
    with pytest.raises(ObjectError, match=r"(?s)resource 'A': there is another book 'B'.*two runs"):
        engine.update(first, book("B", logical="A"))
    with pytest.raises(ObjectError, match=r"resource 'B': there is another book 'A'"):
        engine.update(second, book("A", logical="B"))
    assert library.writes() == []


def test_lists_that_are_refused_say_so(library: Library) -> None:
    def revoked(method: str, path: str, body: Any) -> None:
        raise RefusedError(403, {"detail": "Token invalid/expired"})

    library.before = revoked
    with pytest.raises(ObjectError, match=r"library: it does not let us read its book objects \(HTTP 403\)"):
        Reconciler(library).read(BOOK, ObjectState("1", {"title": "Emma"}))


def test_a_call_for_one_field_is_made_again_when_its_outcome_is_unclear(library: Library) -> None:
    cuts = [UnclearOutcomeError("cut"), UnclearOutcomeError("cut")]

    def cut(method: str, path: str, body: Any) -> None:
        if path.endswith("/pin") and cuts:
            raise cuts.pop()

    library.after = cut
    held = Reconciler(library).create(book(pin="1"))
    assert library.pins == {int(held.pk): "1"}
    cuts += [UnclearOutcomeError("cut")] * 3
    with pytest.raises(ObjectError, match="failed without a word, 3 times"):
        Reconciler(library).update(held, book(pin="2"))


def test_state_without_its_object_is_never_mistaken_for_another(library: Library) -> None:
    library.put("/books", title="Other")
    assert Reconciler(library).read(BOOK, ObjectState("77", {"title": "Emma"})) is None

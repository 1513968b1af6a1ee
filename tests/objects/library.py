"""A server for tests that keeps shelves and books, and its dialect: what `objects.dialect` shows as an example."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from components.objects.dialect import Kind, Reference, Setter
from components.objects.http import RefusedError
from components.objects.natural_key import NaturalKey

SHELF = Kind("shelf", path="/shelves", key=NaturalKey.parse("name"), pk="id", url="id", title="shelf",
             aliases=("code",), dependents=(("book", "shelf_id", "id"),), sequential_pk=True)  # fmt: skip
BOOK = Kind(
    "book",
    path="/books",
    key=NaturalKey.parse("title"),
    pk="id",
    url="id",
    title="book",
    references={"shelf_id": Reference(("shelf",), cascade=True), "near": Reference(("shelf",), many=True)},
    secret=frozenset({"password", "pin", "token"}),
    write_only=frozenset({"password"}),
    setters={"pin": Setter("/pin", "value")},
    unordered=frozenset({"tags"}),
    structured=frozenset({"pages"}),
    merged=frozenset({"options"}),
    empty_values={"tags": [], "note": "", "near": []},
    always_sent=("form",),
    instants=frozenset({"printed"}),
)
NOTE = Kind("note", path="/notes", key=NaturalKey.parse("book", "a|b"), pk="id", url="id", title="note", serial=True,
            references={"book": Reference(("book",), cascade=True)}, update="PUT")  # fmt: skip

Call = tuple[str, str, Any]


class Library:
    """Server and dialect in one. `faults` may answer a call instead, or raise; `calls` lists what came in."""

    where = "library"

    def __init__(self) -> None:
        self.objects: dict[str, dict[int, dict[str, Any]]] = {"/shelves": {}, "/books": {}, "/notes": {}}
        self.calls: list[Call] = []
        self.before: Callable[[str, str, Any], None] = lambda method, path, body: None
        self.after: Callable[[str, str, Any], None] = lambda method, path, body: None
        self.answer: Callable[[str, dict[str, Any]], Any] = lambda method, item: item
        """What the server says of an object that was asked for or written, given what it holds."""
        self.late: list[tuple[str, dict[str, Any]]] = []
        self.pins: dict[int, str] = {}
        self._next = 1

    # The server ----------------------------------------------------------------------------------------------------

    def put(self, path: str, **fields: Any) -> dict[str, Any]:
        """Make an object by hand."""
        item = {"id": self._next, "form": "plain", **fields}
        self._next += 1
        self.objects[path][item["id"]] = item
        return item

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path, _ in self.calls if method != "GET"]

    def request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> Any:
        self.calls.append((method, path, copy.deepcopy(body)))
        self.before(method, path, body)
        answer = self._answer(method, path, body)
        self.after(method, path, body)
        answer = copy.deepcopy(answer)
        return self.answer(method, answer) if isinstance(answer, dict) else answer

    def _answer(self, method: str, path: str, body: Any) -> Any:
        _, folder, *rest = path.split("/")
        items = self.objects[f"/{folder}"]
        if not rest:
            return list(items.values()) if method == "GET" else self.put(f"/{folder}", **_kept(body))
        if int(rest[0]) not in items:
            raise RefusedError(404, {"detail": "Not found."})
        item = items[int(rest[0])]
        if rest[1:] == ["pin"]:
            self.pins[item["id"]] = body["value"]
            return None
        if method in {"PATCH", "PUT"}:
            item.update(_kept(body))
        if method == "DELETE":
            del items[item["id"]]
            if folder == "shelves":
                for book in [b for b in self.objects["/books"].values() if b.get("shelf_id") == item["id"]]:
                    del self.objects["/books"][book["id"]]
        return item

    # The dialect ---------------------------------------------------------------------------------------------------

    def kind(self, name: str) -> Kind:
        return {"shelf": SHELF, "book": BOOK, "note": NOTE}[name]

    def list_objects(self, kind: Kind) -> Sequence[Mapping[str, Any]]:
        return list(self.request("GET", kind.path))

    def will_appear(self, kind: Kind, key: str) -> bool:
        if not self.late:
            return False
        path, fields = self.late.pop()
        self.put(path, **fields)
        return True

    def explain(self, kind: Kind, payload: Any) -> str:
        return str(payload.get("detail", "")) if payload else ""

    def guard(self, kind: Kind, item: object, body: object) -> AbstractContextManager[None]:
        return nullcontext()

    def normalize(self, kind: Kind, name: str, value: Any) -> Any:
        return value.lower() if name == "isbn" and isinstance(value, str) else value

    def effect_log(self, kind: Kind, item: Mapping[str, Any]) -> list[str]:
        return []


def _kept(body: dict[str, Any]) -> dict[str, Any]:
    """What the server makes of a body: passwords are not given back, texts are trimmed, tags come back reversed."""
    kept = {name: value.strip() if isinstance(value, str) else value for name, value in body.items()}
    kept.pop("password", None)
    if "isbn" in kept:
        kept["isbn"] = kept["isbn"].lower()
    if "tags" in kept:
        kept["tags"] = list(reversed(kept["tags"]))
    if "pages" in kept:
        kept["pages"] = [{"colour": "white", **page} for page in kept["pages"]]
    return kept

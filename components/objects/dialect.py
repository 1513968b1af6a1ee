"""What the reconcile engine has to be told about a server: its kinds as data, and a little behaviour.

A room that manages objects over REST (authentik, Nginx Proxy Manager, …) brings

* a `Kind` for each kind of object: where it lives, what a person calls it, what it refers to, which fields are secret;
* a `Dialect`: how to list, how to read an error, and what the server makes of a value;
* one frozen module with a class derived from `components.objects.provider.ObjectProvider` that builds its dialect.

A whole dialect for an imaginary server that keeps shelves and books:

    SHELF = Kind(
        "shelf", path="/api/shelves", key=NaturalKey.parse("name"), pk="id", url="id", title="shelf",
    )
    BOOK = Kind(
        "book", path="/api/books", key=NaturalKey.parse("title"), pk="id", url="id", title="book",
        references={"shelf_id": Reference(("shelf",))},        # declared by the shelf's name, sent as its id
        secret=frozenset({"password"}), write_only=frozenset({"password"}),
        unordered=frozenset({"tags"}), empty_values={"tags": []}, update="PUT", serial=True,
    )

    class Library:
        where = "library at 127.0.0.1:81"
        def kind(self, name): return {"shelf": SHELF, "book": BOOK}[name]
        def request(self, method, path, *, params=None, body=None):
            return self._http.request(method, path, params=params, body=body)[1]     # objects.http.Http
        def list_objects(self, kind): return list(self.request("GET", kind.path))
        def will_appear(self, kind, key): return False
        def explain(self, kind, payload): return payload["error"]["message"] if payload else ""
        def normalize(self, kind, field, value): return value
        def guard(self, kind, item, body): return nullcontext()

    class LibraryProvider(ObjectProvider):                       # frozen path and name: it is pickled by reference
        def dialect(self, config):
            return Library(config("address"), config("token"))
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from components.objects.natural_key import NaturalKey
from components.objects.values import is_empty, is_unknown

Config = Callable[[str], str | None]
"""Reads one value of the explicit provider resource, by its name without the project's prefix."""


@dataclass(frozen=True)
class Reference:
    """A field that points to other objects: declared by natural key, sent as the target's identifier."""

    to: tuple[str, ...]
    """Kinds that may be meant. With several, a name is `kind:natural key` unless all share one name space."""
    many: bool = False
    by: str = ""
    """The target's field that is sent; empty: the target kind's own pk."""
    cascade: bool = False
    """The server deletes this object when the target is deleted."""

    def candidates(self, name: str) -> list[tuple[str, str]]:
        """(kind, natural key) of what a name may mean: of the kind in front of it, else of any that may be meant."""
        prefix, _, rest = name.partition(":")
        return [(prefix, rest)] if prefix in self.to else [(kind, name) for kind in self.to]


@dataclass(frozen=True)
class Setter:
    """A field that has a call of its own (POST) and is never read back."""

    path: str
    """Below the object's URL; with names of the object's fields in braces, below the server's base."""
    body: str
    appears: float = 0.0
    """Seconds for which what it sets may still be missing, because the server makes it when it gets to it."""

    def address(self, item: Mapping[str, Any], url: str) -> str:
        """Where an object's field is set."""
        return self.path.format_map(item) if "{" in self.path else url + self.path


@dataclass(frozen=True)
class Effect:
    """A call by which objects of a kind take effect (POST below their URL), and which the server works off later."""

    path: str
    verb: str
    """What the call does, in a word."""
    fields: frozenset[str]
    """Fields that take effect that way."""
    only: Mapping[str, Any]
    """Values that an object must have for the call to do anything."""
    moment: str
    """The field that changes when the server has got to it."""
    status: str
    good: frozenset[str]
    """The field that says how it ended, and its values for a good end."""
    digest: tuple[str, str]
    """The field with the SHA-512 of what is in effect, and the field that this is of, where it is set."""

    def applies(self, item: Mapping[str, Any]) -> bool:
        """Whether the call would do anything for this object."""
        return all(item.get(name) == value for name, value in self.only.items())

    def is_due(self, item: Mapping[str, Any]) -> bool:
        """Whether what the object holds has not taken effect, as far as the object tells."""
        digest, of = self.digest
        text = str(item.get(of) or "")
        stale = text != "" and item.get(digest) != hashlib.sha512(text.encode()).hexdigest()
        return self.applies(item) and (stale or item.get(self.status) not in self.good)


@dataclass(frozen=True)
class Kind:
    """Everything the engine needs to know about one kind of object. Facts only."""

    name: str
    """The dialect's name of the kind; part of the state contract."""
    path: str
    """Where the list is, below the dialect's base; empty for what is no object of its own on the server."""
    key: NaturalKey
    pk: str = "pk"
    url: str = "pk"
    """The field that names one object in its URL."""
    title: str = ""
    """What people call it."""
    aliases: tuple[str, ...] = ()
    """Further fields by which a reference may name an object (authentik's `managed`)."""
    references: Mapping[str, Reference] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()
    """Secrets by nature: never shown, and never overwritten when an object is taken over."""
    sealed: frozenset[str] = frozenset()
    """Fields of one object that the program declares with a secret in them: never shown."""
    write_only: frozenset[str] = frozenset()
    """Never read back: the value last set counts."""
    setters: Mapping[str, Setter] = field(default_factory=dict)
    effect: Effect | None = None
    """How its objects take effect, where writing them is not enough."""
    unordered: frozenset[str] = frozenset()
    free_form: frozenset[str] = frozenset()
    """Fields that hold JSON of the program's own, which the server keeps as it is, blanks and all."""
    structured: frozenset[str] = frozenset()
    """Fields whose objects the server fills up with defaults: only what is declared is compared."""
    merged: frozenset[str] = frozenset()
    """Objects that the server replaces whole, while we declare some members: the others are sent as they are."""
    shared: frozenset[str] = frozenset()
    """Lists with members of many owners: in an object that was there before, those of others stay."""
    instants: frozenset[str] = frozenset()
    """Dates with time: compared as moments, not as texts."""
    empty_values: Mapping[str, Any] = field(default_factory=dict)
    """What to send for a field that is no longer declared."""
    never_null: frozenset[str] = frozenset()
    """Fields that may be read as null, and cannot be written so."""
    always_sent: tuple[str, ...] = ()
    """Fields that every update must carry, managed or not; their present value is sent."""
    additions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Members (by any of their names) that the server adds to a list by itself: not a difference."""
    update: Literal["PATCH", "PUT"] = "PATCH"
    serial: bool = False
    """Writes must not overlap with those of any other such kind."""
    sequential_pk: bool = False
    """Whether a pk means nothing on another server (counted up), so that it proves nothing by itself."""
    dependents: tuple[tuple[str, str, str], ...] = ()
    """(kind, its field, our field that it holds): objects that the server would delete along with this one."""
    emptied_first: frozenset[str] = frozenset()
    """Lists to be emptied before the object is deleted, since the server deletes their members along with it."""
    groups: tuple[str, ...] = ()
    """Collective kinds (a list over several kinds) that this one is also listed in."""
    owner: tuple[str, str] | None = None
    """(kind, its field): the object that has this one to itself, by which it is found whatever it is called."""
    shadows: tuple[str, ...] = ()
    """Kinds whose objects this kind's list shows as its own: never to be adopted as such."""

    @property
    def hidden(self) -> frozenset[str]:
        """Fields whose values no text shows."""
        return self.secret | self.sealed | self.write_only | self.setters.keys()

    def references_in(self, fields: Mapping[str, Any]) -> Iterator[tuple[str, Reference, str]]:
        """(field, what it may refer to, name) of every name in an object's fields that is known."""
        for field_, reference in self.references.items():
            value = fields.get(field_)
            for each in value if isinstance(value, list) else [value]:
                if not is_empty(each) and not is_unknown(each):
                    yield field_, reference, str(each)

    def with_sealed(self, names: Iterable[str]) -> Kind:
        """The kind for one object, some of whose fields are declared with secrets in them."""
        return replace(self, sealed=frozenset(names)) if names else self


class Dialect(Protocol):
    """A server, as the reconcile engine talks to it. One instance a provider process; methods may run in parallel."""

    @property
    def where(self) -> str:
        """What and where the server is, for errors: "authentik of acme (https://auth.acme.example)"."""
        ...

    def kind(self, name: str) -> Kind:
        """Facts of a kind. Raises KeyError for a name that this server does not know."""
        ...

    def request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> Any:
        """One call below the base address, ready and signed in; returns the decoded JSON (None for an empty body).

        Raises `http.RefusedError` for an answer that says no, `errors.UnclearOutcomeError` for a write whose outcome is
        not known,
        `errors.ObjectError` when the server is not there or does not let us in.
        """
        ...

    def list_objects(self, kind: Kind) -> Sequence[Mapping[str, Any]]:
        """Every object of the kind (all pages), as it would be read one by one."""
        ...

    def will_appear(self, kind: Kind, key: str) -> bool:
        """Whether a name that is not there now will appear by itself (defaults of a server that is still starting).

        May wait a moment; the engine asks again, with a fresh list, as long as the answer is True.
        """
        ...

    def explain(self, kind: Kind, payload: Any) -> str:
        """A refusal in words, without any value that may be secret."""
        ...

    def normalize(self, kind: Kind, name: str, value: Any) -> Any:
        """What the server makes of a value (lower-cased domains, sorted countries); pure, and applied to both sides."""
        ...

    def guard(
        self, kind: Kind, item: Mapping[str, Any], body: Mapping[str, Any] | None
    ) -> AbstractContextManager[None]:
        """Within this an object is changed to what the body says, or deleted (None).

        Raises `errors.ObjectError` where that would lock out whoever has to undo it.
        """
        ...

    def effect_log(self, kind: Kind, item: Mapping[str, Any]) -> Sequence[str]:
        """What the server has noted of the last time that it brought the object into effect (see `Effect`)."""
        ...

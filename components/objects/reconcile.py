"""The one reconcile engine: create, read, update and delete of any object of any kind, on any server.

The rules (why they are so is in docs/adr): look by natural key first, by pk second; touch managed fields only; write
only when something differs, then the whole body; read after every write; never delete what is not provably ours, nor
what was claimed by this very process.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.objects import fields as said
from components.objects.dialect import Dialect, Kind
from components.objects.errors import ObjectError, Unclear
from components.objects.fields import Fields
from components.objects.http import Refused
from components.objects.store import Missing, Object, Store, key_of
from components.objects.values import canonical, is_empty

ATTEMPTS = 3


@dataclass(frozen=True)
class Declared:
    """One object as the program wants it."""

    kind: str
    logical: str
    """The resource's logical name: for messages, and to recognise what an interrupted run began."""
    fields: Fields
    adopt: bool = False


@dataclass(frozen=True)
class Held:
    """One object as the state knows it."""

    pk: str
    fields: Fields
    adopted: bool = False
    before: Fields = field(default_factory=dict)
    """For adopted objects: what the fields that we manage held before we came. No secrets."""


class Reconciler:
    """Brings objects of one server to what is declared. One instance a process; thread-safe."""

    def __init__(self, dialect: Dialect, pending: frozenset[tuple[str, str]] = frozenset()) -> None:
        """`pending`: (kind, logical name) of creates that an interrupted run began and did not finish."""
        self._dialect = dialect
        self._pending = pending
        self.store = Store(dialect)
        self._claimed: set[tuple[str, str]] = set()
        self._gone: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    # The four calls ------------------------------------------------------------------------------------------------

    def create(self, wanted: Declared) -> Held:
        """Make the object, or take over one that is there if that is allowed.

        Raises ObjectError when an object with that natural key exists and may not be taken over.
        """
        kind = self._dialect.kind(wanted.kind)
        body = self._body(kind, wanted)
        there = self._there(kind, body, pk=None)
        if there is not None:
            if (kind.name, wanted.logical) in self._pending:
                return self._take_over(kind, wanted, there, body)
            if wanted.adopt:
                return self._adopt(kind, wanted, there, body)
            raise self._refusal(kind, wanted, there)
        item = self._post(kind, wanted, body)
        pk = str(item[kind.pk])
        self._claim(kind, pk)
        try:
            self._set_apart(kind, item, wanted.fields)
            item = self._look(kind, item)
            self._agreed(kind, wanted, body, item)
        except BaseException as error:
            self._take_back(kind, item, error)
            raise
        return Held(pk, said.observed(self.store, self._dialect, kind, wanted.fields, item))

    def read(self, kind_name: str, held: Held) -> Held | None:
        """The object as it is now, or None when it is gone."""
        kind = self._dialect.kind(kind_name)
        item = self._find(kind, held)
        if item is None:
            return None
        seen = said.observed(self.store, self._dialect, kind, held.fields, item)
        return Held(held.pk, seen, held.adopted, held.before)

    def update(self, held: Held, wanted: Declared) -> Held:
        """Bring the object to what is declared; writes nothing if it is so already."""
        kind = self._dialect.kind(wanted.kind)
        item = self._find(kind, held)
        if item is None:
            raise ObjectError(
                f"{self._title(kind)} {self._called(kind, held.fields)!r} is no longer there",
                self._place(wanted),
                "Run `gatehouse up` (it refreshes first and makes it again), or `pulumi refresh`",
            )
        before = dict(held.before)
        if held.adopted:
            before = {**self._before(kind, wanted.fields, item), **before}
        body = self._body(kind, wanted)
        for name in held.fields:
            if name not in wanted.fields and name not in kind.setters:
                self._clear(kind, name, body, before if held.adopted else {})
        fresh = {
            name: value
            for name, value in wanted.fields.items()
            if (name in kind.write_only or name in kind.setters)
            and not said.same(kind, name, held.fields.get(name), value)
        }
        item = self._write(kind, wanted, item, body, fresh)
        return Held(
            held.pk, said.observed(self.store, self._dialect, kind, wanted.fields, item), held.adopted, before
        )

    def delete(self, kind_name: str, logical: str, held: Held) -> str:
        """Delete what we made; give back what we adopted; leave everything else. Returns what was done, in words."""
        kind = self._dialect.kind(kind_name)
        item = self._find(kind, held)
        if item is None:
            return "was gone already"
        pk = str(item[kind.pk])
        if (kind.name, pk) in self._claimed:
            return "kept: this run has just taken it over under another name"
        wanted = Declared(kind_name, logical, held.fields)
        if held.adopted:
            self._restore(kind, wanted, item, held)
            return "kept: it was there before us; its former values are back"
        if pk != held.pk:
            return (
                f"kept: it is not the one that this stack made (pk {held.pk}), but another of the same name"
            )
        self._spare_bystanders(kind, wanted, item)
        with self.store.writing(kind):
            try:
                self._dialect.request("DELETE", self._url(kind, item))
            except Refused as refused:
                if refused.status != 404:
                    raise self._said_no(kind, wanted, refused, "delete") from None
        self.store.drop(kind, pk)
        with self._lock:
            self._gone.update((name, self._called(kind, held.fields)) for name in (kind.name, *kind.groups))
        return "deleted"

    def touched(self, kind: Kind, fields: Mapping[str, Any]) -> bool:
        """Whether something that these fields refer to was deleted in this process (and so made anew, if it is there).

        The server has then cut the reference, although the program names the same thing as before.
        """
        with self._lock:
            gone = set(self._gone)
        for name, reference in kind.references.items():
            value = fields.get(name)
            for each in value if isinstance(value, list) else [value]:
                prefix, colon, rest = str(each).partition(":")
                candidates = ((prefix, rest),) if colon and prefix in reference.to else ()
                if any(pair in gone for pair in (*candidates, *((to, str(each)) for to in reference.to))):
                    return True
        return False

    # Looking -------------------------------------------------------------------------------------------------------

    def _find(self, kind: Kind, held: Held) -> Object | None:
        """The object that the state speaks of: by natural key, else by pk (someone renamed it)."""
        try:
            key = {
                name: said.sent(self.store, kind, name, held.fields.get(name))
                for name in self._key_fields(kind)
            }
        except Missing:
            key = None
        if key is not None:
            there = self._there(kind, key, held.pk)
            if there is not None:
                return there
        item = self.store.by_pk(kind, held.pk)
        if item is None or not kind.fresh_pk:
            return item
        # A counted pk may belong to quite another object on a rebuilt server: take it for a rename only if nothing
        # but the name has changed.
        rest = {name: value for name, value in held.fields.items() if name not in self._key_fields(kind)}
        seen = said.observed(self.store, self._dialect, kind, rest, item)
        return (
            item if rest and all(said.same(kind, name, rest[name], seen.get(name)) for name in rest) else None
        )

    def _there(self, kind: Kind, body: Mapping[str, Any], pk: str | None) -> Object | None:
        """The object with the natural key that this body has."""
        found = self.store.matches(kind, key_of(kind, body))
        if len(found) > 1:
            ours = [item for item in found if str(item[kind.pk]) == pk]
            alike = [
                item for item in found if all(said.holds(kind, n, v, item.get(n)) for n, v in body.items())
            ]
            found = ours or alike or found
        return found[0] if found else None

    def _look(self, kind: Kind, item: Mapping[str, Any]) -> Object:
        """The object as the server gives it now."""
        found: Object = self._dialect.request("GET", self._url(kind, item))
        self.store.put(kind, found)
        return found

    # Writing -------------------------------------------------------------------------------------------------------

    def _body(self, kind: Kind, wanted: Declared) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, value in wanted.fields.items():
            if name in kind.setters:
                continue
            try:
                body[name] = said.sent(self.store, kind, name, value)
            except Missing as missing:
                raise ObjectError(
                    f"{name} names {missing.name!r}, and there is no such {self._titles(missing.kinds)}",
                    self._place(wanted),
                    "Correct the name, or declare the object",
                ) from None
        return body

    def _post(self, kind: Kind, wanted: Declared, body: dict[str, Any]) -> Object:
        for _ in range(ATTEMPTS):
            with self.store.writing(kind):
                try:
                    made: Object = self._dialect.request("POST", kind.path, body=body)
                    return made
                except Refused as refused:
                    # An empty 405 hides a failure inside the server; whether it wrote first is not known.
                    if refused.status not in {405, 500} or refused.payload is not None:
                        raise self._said_no(kind, wanted, refused, "create") from None
                except Unclear:
                    pass
            self.store.forget(kind)
            there = self._there(kind, body, pk=None)
            if there is not None:
                return there
        raise ObjectError(
            f"creating {self._title(kind)} {self._called(kind, wanted.fields)!r} failed without a word, "
            f"{ATTEMPTS} times",
            self._place(wanted),
            "See the server's log, then run the same command again",
        )

    def _write(
        self, kind: Kind, wanted: Declared, item: Object, body: dict[str, Any], fresh: Mapping[str, Any]
    ) -> Object:
        """Update if anything differs, and see that it took. `fresh`: unreadable fields whose values are new."""
        self._claim(kind, str(item[kind.pk]))
        differs = any(
            name in fresh
            if name in kind.write_only
            else not said.holds(kind, name, value, item.get(name), said.added(self.store, kind, name))
            for name, value in body.items()
        )
        if differs:
            whole = {name: item[name] for name in kind.repeat if name not in body and name in item} | body
            with self.store.writing(kind):
                try:
                    self._dialect.request(kind.update, self._url(kind, item), body=whole)
                except Refused as refused:
                    raise self._said_no(kind, wanted, refused, "update") from None
            item = {**item, **{name: body[name] for name in (kind.url, kind.pk) if name in body}}
        set_apart = self._set_apart(kind, item, fresh)
        if differs or set_apart:
            item = self._look(kind, item)
            self._agreed(kind, wanted, body, item)
        return item

    def _set_apart(self, kind: Kind, item: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        """Set the fields that have a call of their own; True if there was one."""
        done = False
        for name, setter in kind.setters.items():
            if is_empty(values.get(name)):
                continue
            try:
                self._dialect.request(
                    "POST", self._url(kind, item) + setter.path, body={setter.body: values[name]}
                )
            except Unclear:
                self._dialect.request(
                    "POST", self._url(kind, item) + setter.path, body={setter.body: values[name]}
                )
            except Refused as refused:
                raise ObjectError(
                    f"{name} was refused (HTTP {refused.status})",
                    f"{self._dialect.where}, {self._title(kind)} {self._called(kind, item)!r}",
                    "The server's own rules for it are not met; choose another value",
                ) from None
            done = True
        return done

    def _agreed(self, kind: Kind, wanted: Declared, body: Mapping[str, Any], item: Object) -> None:
        """Raises ObjectError when the server keeps other values than it was sent."""
        off = [
            name
            for name, value in body.items()
            if name not in kind.write_only
            and not said.holds(kind, name, value, item.get(name), said.added(self.store, kind, name))
        ]
        if off:
            shown = ", ".join(
                name if name in kind.secret else f"{name} (it keeps {canonical(item.get(name))!r})"
                for name in off
            )
            raise ObjectError(
                f"the server took the write and keeps other values than it was sent: {shown}",
                self._place(wanted),
                "Declare the value that it keeps, or leave the field out",
            )

    def _clear(self, kind: Kind, name: str, body: dict[str, Any], before: Mapping[str, Any]) -> None:
        """Say for a field that is no longer declared what it shall be: what it was before us, else empty."""
        if name in before:
            body[name] = said.sent(self.store, kind, name, before[name])
        elif name in kind.cleared:
            body[name] = kind.cleared[name]

    # Claiming and letting go ---------------------------------------------------------------------------------------

    def _claim(self, kind: Kind, pk: str) -> None:
        with self._lock:
            self._claimed.add((kind.name, pk))

    def _take_over(self, kind: Kind, wanted: Declared, there: Object, body: dict[str, Any]) -> Held:
        """Finish what an interrupted run of ours began: all steps again, secrets too."""
        fresh = {
            name: value
            for name, value in wanted.fields.items()
            if name in kind.write_only or name in kind.setters
        }
        item = self._write(kind, wanted, there, body, fresh)
        return Held(str(item[kind.pk]), said.observed(self.store, self._dialect, kind, wanted.fields, item))

    def _adopt(self, kind: Kind, wanted: Declared, there: Object, body: dict[str, Any]) -> Held:
        """Take over an object that someone else made. Secrets that it has are not overwritten."""
        for other in kind.shadows:
            if self.store.by_pk(self._dialect.kind(other), str(there[kind.pk])) is not None:
                raise ObjectError(
                    f"{self._called(kind, wanted.fields)!r} is a {self._title(self._dialect.kind(other))}, which "
                    f"the server also lists as a {self._title(kind)}",
                    self._place(wanted),
                    f"Declare it as {other}, or give yours another name",
                )
        for name in kind.secret - kind.write_only:
            if name in body and not said.holds(kind, name, body[name], there.get(name)):
                raise ObjectError(
                    f"{self._title(kind)} {self._called(kind, wanted.fields)!r} is there and has another {name}; "
                    "adopting never overwrites a secret",
                    self._place(wanted),
                    "Take over its value with an override under gatehouse:secrets, then run again",
                )
        before = self._before(kind, wanted.fields, there)
        kept = {name: value for name, value in body.items() if name not in kind.write_only}
        item = self._write(kind, wanted, there, kept, {})
        seen = said.observed(self.store, self._dialect, kind, wanted.fields, item)
        return Held(str(item[kind.pk]), seen, adopted=True, before=before)

    def _before(self, kind: Kind, fields: Mapping[str, Any], item: Object) -> Fields:
        hidden = kind.secret | kind.write_only | set(kind.setters)
        before = {
            name: said.said_by(self.store, self._dialect, kind, name, item.get(name))
            for name in fields
            if name not in hidden
        }
        return {name: value if value is not None else "" for name, value in before.items()}

    def _restore(self, kind: Kind, wanted: Declared, item: Object, held: Held) -> None:
        body: dict[str, Any] = {}
        for name, value in held.before.items():
            try:
                body[name] = said.sent(self.store, kind, name, value)
            except Missing:
                continue  # what it pointed to is gone; the field stays as it is
        if all(said.holds(kind, name, value, item.get(name)) for name, value in body.items()):
            return
        whole = {name: item[name] for name in kind.repeat if name not in body and name in item} | body
        with self.store.writing(kind):
            try:
                self._dialect.request(kind.update, self._url(kind, item), body=whole)
            except Refused as refused:
                raise self._said_no(kind, wanted, refused, "restore the former values of") from None
        self.store.forget(kind)

    def _take_back(self, kind: Kind, item: Object, error: BaseException) -> None:
        """A create that failed half way leaves nothing: the engine would not know of it and refuse it next time."""
        if not isinstance(error, Exception):
            return
        try:
            self._dialect.request("DELETE", self._url(kind, item))
        except (Refused, Unclear, ObjectError):
            return  # left behind; the next run refuses it by name and says what to do
        finally:
            self.store.forget(kind)

    def _spare_bystanders(self, kind: Kind, wanted: Declared, item: Object) -> None:
        """Raises ObjectError if the server would delete objects that nobody asked to be deleted."""
        for other_name, via, own in kind.bystanders:
            other = self._dialect.kind(other_name)
            for each in self.store.all(other):
                if str(each.get(via)) == str(item[own]):
                    raise ObjectError(
                        f"{self._title(other)} {self._called(other, each)!r} still uses "
                        f"{self._title(kind)} {self._called(kind, item)!r} ({via}), and would be deleted with it",
                        self._place(wanted),
                        "Give it another one first, or delete it",
                    )

    # Saying --------------------------------------------------------------------------------------------------------

    def _refusal(self, kind: Kind, wanted: Declared, there: Object) -> ObjectError:
        return ObjectError(
            f"{self._title(kind)} {self._called(kind, wanted.fields)!r} is there already (pk {there[kind.pk]}) and was "
            "not made by this stack; it is left as it is",
            self._place(wanted),
            "Rename yours, or take it over with `adopt: true` (its values are put back when you let go of it)",
        )

    def _said_no(self, kind: Kind, wanted: Declared, refused: Refused, verb: str) -> ObjectError:
        if refused.status == 403:
            return ObjectError(
                f"it does not let us {verb} {self._title(kind)} (HTTP 403)",
                self._dialect.where,
                "The token may have been revoked meanwhile: check it, then run the same command again",
            )
        if refused.status == 404 and verb == "update":
            return ObjectError(
                f"{self._title(kind)} {self._called(kind, wanted.fields)!r} vanished while it was being updated",
                self._place(wanted),
                "Run `gatehouse up` again: it refreshes first and makes it anew",
            )
        words = self._dialect.explain(kind, refused.payload)
        return ObjectError(
            f"cannot {verb} {self._title(kind)} {self._called(kind, wanted.fields)!r} (HTTP {refused.status})"
            + (f": {words}" if words else ", and it does not say why"),
            self._place(wanted),
            "Correct what is named, then run the same command again",
        )

    def _place(self, wanted: Declared) -> str:
        return f"{self._dialect.where}, resource {wanted.logical!r}"

    def _title(self, kind: Kind) -> str:
        return kind.title or kind.name

    def _titles(self, kinds: tuple[str, ...]) -> str:
        return " or ".join(self._title(self._dialect.kind(name)) for name in kinds[:4])

    @staticmethod
    def _called(kind: Kind, fields: Mapping[str, Any]) -> str:
        parts = [
            next((fields[n] for n in part.split("|") if not is_empty(fields.get(n))), "?")
            for part in kind.key
        ]
        return "/".join(str(part) for part in parts)

    @staticmethod
    def _key_fields(kind: Kind) -> list[str]:
        return [name for part in kind.key for name in part.split("|")]

    @staticmethod
    def _url(kind: Kind, item: Mapping[str, Any]) -> str:
        return f"{kind.path.rstrip('/')}/{item[kind.url]}" + ("/" if kind.path.endswith("/") else "")

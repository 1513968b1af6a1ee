"""The one reconcile engine: create, read, update and delete of any object of any kind, on any server.

The rules (why they are so is in docs/adr): look by natural key first, by pk second; touch managed fields only; write
only when something differs, then the whole body; see that every write took; never delete what is not provably ours, nor
what was claimed by this very process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from components.objects import fields as said
from components.objects.adopting import Adopting
from components.objects.declared import Declared
from components.objects.dialect import Dialect, Kind
from components.objects.errors import ObjectError
from components.objects.fields import Fields
from components.objects.journal import Begun, Notes
from components.objects.run import Run
from components.objects.store import Missing, Object, Store
from components.objects.wording import Words, titled
from components.objects.writing import Writer

__all__ = ["UNSEEN", "Declared", "Held", "Reconciler"]

UNSEEN = "?"
"""The pk of an object that a state which was lost is made anew from: found by its natural key, it gets its own."""


@dataclass(frozen=True)
class Held:
    """One object as the state knows it."""

    pk: str
    """The pk at creation."""
    fields: Fields
    adopted: bool = False
    before: Fields = field(default_factory=dict)
    """For adopted objects: what the fields that we manage held before we came; None is a value here. No secrets."""
    note: str = field(default="", compare=False)
    """What an operator should know of how it came to be so."""
    memory: Fields = field(default_factory=dict)
    """What else has to be remembered in the state, of kinds that are no object of their own."""


class Reconciler:
    """Brings objects of one server to what is declared. One instance a process; thread-safe."""

    def __init__(self, dialect: Dialect, pending: frozenset[tuple[str, str]] = frozenset()) -> None:
        """`pending`: (kind, logical name) of creates that an interrupted run began and did not finish."""
        self._dialect = dialect
        self.pending = pending
        self.store = Store(dialect)
        self._words = Words(dialect)
        self._writer = Writer(dialect, self.store, self._words)
        self.adopting = Adopting(dialect, self.store)
        self._before_us = Notes("adopting", dialect.where, "taken over")
        self.begun = Begun(dialect.where)
        self.run = Run()

    # The four calls ------------------------------------------------------------------------------------------------

    def create(self, wanted: Declared) -> Held:
        """Make the object, or take over one that is there if that is allowed.

        Raises ObjectError when an object with that natural key exists and may not be taken over.
        """
        kind, wanted = self._settled(wanted)
        self.store.foresee(kind, wanted.fields)
        there = self.found(kind, wanted)
        if there is not None and wanted.adopt:
            ours = self.run.is_made(kind, str(there[kind.pk]), wanted.fields)
            if not ours:  # also what an interrupted run began: it may have been there before that
                return self._adopt(kind, wanted.own(kind, there), there)
        body = self._writer.body(kind, wanted)
        if there is not None:
            resumed = not wanted.adopt and self._was_sent(kind, wanted.logical, there)
            if resumed or wanted.adopt or (kind.name, wanted.logical) in self.pending:
                held = self._take_over(kind, wanted, there, body)
                words = f"goes on with {titled(kind, wanted.fields)} (pk {held.pk}), which an earlier run had made"
                return replace(held, note=words) if resumed else held
            raise self._words.taken(kind, wanted.logical, wanted.fields, str(there[kind.pk]))
        seen = {name: value for name, value in body.items() if name not in kind.hidden}
        known = self.run.known(kind, wanted.logical)
        self.begun.note(kind.name, wanted.logical, kind.key.called(wanted.fields), seen, known)
        try:
            item = self._writer.post(kind, wanted, body)
            item = self._writer.finish(kind, wanted, body, item)
        except ObjectError as error:
            if error.undone:
                self.begun.undone(kind.name, wanted.logical)
            raise
        self.run.claim(kind, item)
        return Held(str(item[kind.pk]), self._observed(kind, wanted.fields, item))

    def read(self, kind: Kind, held: Held) -> Held | None:
        """The object as it is now, or None when it is gone."""
        self.store.foresee(kind, held.fields)
        item = self._find(kind, held)
        if item is None:
            return None
        pk = str(item[kind.pk]) if held.pk == UNSEEN else held.pk
        return replace(held, pk=pk, fields=self._observed(kind, held.fields, item, held.adopted))

    def update(self, held: Held, wanted: Declared) -> Held:
        """Bring the object to what is declared; writes nothing if it is so already.

        Raises ObjectError when the object is not there.
        """
        kind, wanted = self._settled(wanted)
        if held.adopted:
            wanted = wanted.own(kind, held.fields)
        self.store.foresee(kind, wanted.fields)
        item = self._find(kind, held)
        if item is None:
            raise self._words.gone(kind, wanted.logical, held.fields)
        # Of fields that this stack did not manage so far, and of those that a killed run came to first.
        pk = str(item[kind.pk])
        noted = (self._before_us.read(kind.name, pk) or {}) if held.adopted else {}
        new = self.adopting.before(kind, wanted.fields, item) if held.adopted else {}
        new = {name: value for name, value in {**new, **noted}.items() if name not in held.before}
        before = {**new, **held.before}
        body = self._writer.body(kind, wanted)
        for name in {**held.fields, **noted}:
            if name not in {*wanted.fields, *kind.setters, *wanted.elsewhere}:
                self._clear(kind, name, body, before)
        if held.adopted:
            self.adopting.share(kind, body, item, held.fields)
        fresh = {
            name: value
            for name, value in wanted.fields.items()
            if _unreadable(kind, name) and not said.same(kind, name, held.fields.get(name), value)
        }
        if kind.key.of({**item, **body}) != kind.key.of(item):
            other = self._there(kind, {**item, **body}, pk=None)
            if other is not None and other[kind.pk] != item[kind.pk]:
                raise self._words.name_taken(kind, wanted.logical, wanted.fields, str(other[kind.pk]))
        self.run.claim(kind, item)
        if new and not self._writer.agrees(kind, body, item):
            self._before_us.write(kind.name, pk, new)
        item = self._writer.update(kind, wanted, item, body, fresh)
        return replace(held, fields=self._observed(kind, wanted.fields, item, held.adopted), before=before)

    def delete(self, kind: Kind, logical: str, held: Held) -> str:
        """Delete what we made; give back what we adopted; leave everything else. Returns what was done, in words."""
        item = self._find(kind, held)
        if item is None:
            return "was gone already"
        pk = str(item[kind.pk])
        if self.run.is_claimed(kind, pk):
            return "kept: this run has just taken it over under another name"
        if self.run.let_go(kind, logical, held.pk, adopted=held.adopted):
            return "kept: another resource of this stack has taken it over"
        if held.adopted and not self.run.is_ours(kind, pk):
            self._restore(kind, Declared(kind.name, logical, held.fields), item, held)
            self._before_us.forget(kind.name, pk)
            return "kept: it was there before us; its former values are back"
        if pk != held.pk:
            return (
                f"kept: it is not the one that this stack made (pk {held.pk}), but another of the same name"
            )
        self._spare_bystanders(kind, logical, item)
        self._writer.delete(kind, logical, held.fields, item)
        self.begun.settled(kind.name, logical, pk)
        self.run.lost(kind, held.fields)
        return "deleted"

    def noticed(self, kind: Kind, logical: str, held: Held) -> None:
        """The state has a resource of this logical name for the object."""
        if held.adopted and (self._before_us.read(kind.name, held.pk) or {}).keys() <= held.before.keys():
            self._before_us.forget(kind.name, held.pk)
        self.begun.settled(kind.name, logical, held.pk)
        self.run.noticed(kind, logical, held.pk, held.fields, held.before if held.adopted else None)

    def is_begun(self, wanted: Declared) -> bool:
        """Whether an earlier run may have sent the create of this very resource, and the state has nothing of it."""
        sent = self.begun.body(wanted.kind, wanted.logical)
        return sent is not None or (wanted.kind, wanted.logical) in self.pending

    # Looking -------------------------------------------------------------------------------------------------------

    def _settled(self, wanted: Declared) -> tuple[Kind, Declared]:
        kind = self._dialect.kind(wanted.kind).with_sealed(wanted.sealed)
        return kind, replace(wanted, fields=said.settled(self._dialect, kind, wanted.fields))

    def _observed(
        self, kind: Kind, declared: Mapping[str, Any], item: Object, adopted: bool = False
    ) -> Fields:
        item = self.adopting.ours(kind, declared, item) if adopted else item
        return said.observed(self.store, self._dialect, kind, declared, item)

    def _find(self, kind: Kind, held: Held) -> Object | None:
        """The object that the state speaks of: by natural key, else by pk (someone renamed it)."""
        names = kind.key.fields
        try:
            key = {name: said.sent(self.store, kind, name, held.fields.get(name)) for name in names}
        except Missing:
            pass  # what its key refers to is gone or renamed
        else:
            there = self._there(kind, key, held.pk)
            if there is not None:
                return there
        item = self.store.by_pk(kind, held.pk)
        if item is None or not kind.fresh_pk:
            return item
        # A counted pk may belong to quite another object on a rebuilt server: take it for a rename only if nothing
        # but the name has changed.
        rest = {name: value for name, value in held.fields.items() if name not in names}
        readable = [name for name in rest if not _unreadable(kind, name)]
        seen = self._observed(kind, rest, item)
        same = all(said.same(kind, name, rest[name], seen.get(name)) for name in readable)
        return item if readable and same else None

    def found(self, kind: Kind, wanted: Declared) -> Object | None:
        """The object that is called as this one shall be, if there is one; what is taken over may be called otherwise.

        Raises ObjectError when what its owner has is of another kind, or something else has its name.
        """
        if wanted.adopt and wanted.owner:
            owned, other = self.store.owned(kind, wanted.owner)
            if other is not None:
                raise self._words.of_another_kind(kind, wanted, other)
            if owned is not None:
                family = self._dialect.kind(kind.groups[0]) if kind.groups else kind
                alike = self.store.matches(family, kind.key.of(wanted.fields))
                if any(each[kind.pk] != owned[kind.pk] for each in alike):
                    raise self._words.two_bearers(kind, wanted, owned)
                return owned
        return self._there(kind, self._writer.body(kind, wanted.own(kind, wanted.fields)), pk=None)

    def _there(self, kind: Kind, body: Mapping[str, Any], pk: str | None) -> Object | None:
        """The object with the natural key that this body has.

        Where the server allows several with one key: the one of that pk, else the one that is most like the body.
        """
        found = self.store.matches(kind, kind.key.of(body))
        if len(found) < 2:
            return found[0] if found else None

        def likeness(item: Object) -> tuple[bool, int]:
            alike = sum(said.holds(kind, name, value, item.get(name)) for name, value in body.items())
            return str(item[kind.pk]) == pk, alike

        return max(found, key=likeness)

    # Claiming and letting go ---------------------------------------------------------------------------------------

    def _was_sent(self, kind: Kind, logical: str, there: Object) -> bool:
        """Whether an earlier run was about to make this resource, and the object is exactly what it would have made.

        Nothing of its name was there before. What was changed since might be somebody else's, made in between.
        """
        sent = self.begun.body(kind.name, logical)
        return sent is not None and self._writer.agrees(kind, sent, there)

    def _take_over(self, kind: Kind, wanted: Declared, there: Object, body: dict[str, Any]) -> Held:
        """Go on with an object that we made, under another name or in a run that did not end well: all steps again."""
        self.run.claim(kind, there)
        fresh = {name: value for name, value in wanted.fields.items() if _unreadable(kind, name)}
        item = self._writer.update(kind, wanted, there, body, fresh)
        return Held(str(item[kind.pk]), self._observed(kind, wanted.fields, item))

    def _adopt(self, kind: Kind, wanted: Declared, there: Object) -> Held:
        """Take over an object that someone else made. Secrets that it has are not overwritten."""
        body = self._writer.body(kind, wanted)
        for shadow in kind.shadows:
            other = self._dialect.kind(shadow)
            if self.store.by_pk(other, str(there[kind.pk])) is not None:
                raise self._words.shadow(kind, wanted.logical, wanted.fields, other)
        others = self.adopting.kept(kind, wanted, body, there)
        if others:
            raise self._words.other_secret(kind, wanted, others, there)
        self.run.claim(kind, there)
        self.adopting.share(kind, body, there, {})
        pk = str(there[kind.pk])
        before = self.adopting.before(kind, {*wanted.fields, *wanted.elsewhere}, there)
        note = f"took over {titled(kind, wanted.fields)} (pk {pk}), which was there"
        agrees = self._writer.agrees(kind, body, there)
        killed = (kind.name, wanted.logical) in self.pending
        if killed or agrees:
            noted = self._before_us.read(kind.name, pk)
            before |= noted or {}
            if killed and noted is None and agrees:
                note += (
                    "; a run was killed while it did so, perhaps after it had changed something: what is there now "
                    "counts as what was there before"
                )
        self.run.adopted(kind, pk, before)
        if not agrees:
            self._before_us.write(kind.name, pk, before)
        left = sorted(name for name in wanted.fields if _unreadable(kind, name))
        if left:
            note += f"; its {' and '.join(left)} {'is' if len(left) == 1 else 'are'} left as found"
        kept = {name: value for name, value in body.items() if name not in kind.write_only}
        item = self._writer.update(kind, wanted, there, kept, {})
        observed = self._observed(kind, wanted.fields, item, adopted=True)
        return Held(pk, observed, adopted=True, before=before, note=note)

    def _clear(self, kind: Kind, name: str, body: dict[str, Any], before: dict[str, Any]) -> None:
        """Say for a field that is no longer declared what it shall be: what it was before us, else empty."""
        if name in before:
            value = before.pop(name)
            if value is not None or name not in kind.never_null:
                body[name] = said.sent(self.store, kind, name, value)
        elif name in kind.cleared:
            body[name] = kind.cleared[name]

    def _restore(self, kind: Kind, wanted: Declared, item: Object, held: Held) -> None:
        body = self.adopting.given_back(kind, held.before, held.fields, item)
        if body is not None:
            self._writer.send(kind, wanted, item, body, "restore the former values of")
            self.store.forget(kind)

    def _spare_bystanders(self, kind: Kind, logical: str, item: Object) -> None:
        """Raises ObjectError if the server would delete objects that nobody asked to be deleted."""
        for theirs, via, own in kind.bystanders:
            other = self._dialect.kind(theirs)
            if self._using(other, via, item[own]):
                self.store.forget(
                    other
                )  # it may have gone meanwhile, with something else that this run deleted
            for each in self._using(other, via, item[own]):
                name = self.store.name_of(other, each)
                raise self._words.bystander(kind, logical, item, other, name, via)

    def _using(self, kind: Kind, via: str, value: Any) -> list[Object]:
        return [each for each in self.store.all(kind) if str(each.get(via)) == str(value)]


def _unreadable(kind: Kind, name: str) -> bool:
    return name in kind.write_only or name in kind.setters

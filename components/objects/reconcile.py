"""The one reconcile engine: create, read, update and delete of any object of any kind, on any server.

The rules (why they are so is in docs/adr): look by natural key first, by pk second; touch managed fields only; write
only when something differs, then the whole body; see that every write took; never delete what is not provably ours, nor
what was claimed by this very process.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from components.objects import field_values
from components.objects.adoption import Adoption
from components.objects.desired import DesiredObject
from components.objects.dialect import Dialect, Kind
from components.objects.errors import ObjectError
from components.objects.finder import Finder, is_unreadable
from components.objects.journal import CreateJournal, Notes
from components.objects.object_errors import ObjectErrors, object_title
from components.objects.object_state import UNKNOWN_PK, ObjectState
from components.objects.run import RunMemory
from components.objects.store import Object, Store
from components.objects.writer import Writer

__all__ = ["UNKNOWN_PK", "DesiredObject", "ObjectState", "Reconciler"]


class Reconciler:
    """Brings objects of one server to what is declared. One instance a process; thread-safe."""

    def __init__(self, dialect: Dialect, pending: frozenset[tuple[str, str]] = frozenset()) -> None:
        """`pending`: (kind, logical name) of creates that an interrupted run began and did not finish."""
        self._dialect = dialect
        self.pending = pending
        self.store = Store(dialect)
        self._errors = ObjectErrors(dialect)
        self._writer = Writer(dialect, self.store, self._errors)
        self.adoption = Adoption(dialect, self.store)
        self.finder = Finder(dialect, self.store, self._errors, self._writer, self.adoption)
        self._originals = Notes("adopting", dialect.where, "taken over")
        self.creates = CreateJournal(dialect.where)
        self.run = RunMemory()

    # The four calls ------------------------------------------------------------------------------------------------

    def create(self, desired: DesiredObject) -> ObjectState:
        """Make the object, or take over one that is there if that is allowed.

        Raises ObjectError when an object with that natural key exists and may not be taken over.
        """
        kind, desired = self._normalize(desired)
        self.store.prefetch(kind, desired.fields)
        there = self.finder.find_existing(kind, desired)
        if there is not None and desired.adopt:
            ours = self.run.has_made(kind, str(there[kind.pk]), desired.fields)
            if not ours:  # also what an interrupted run began: it may have been there before that
                return self._adopt(kind, desired.for_adoption(kind, there), there)
        body = self._writer.body(kind, desired)
        if there is not None:
            resumed = not desired.adopt and self._matches_journal(kind, desired.logical, there)
            if resumed or desired.adopt or (kind.name, desired.logical) in self.pending:
                current = self._resume(kind, desired, there, body)
                words = (
                    f"goes on with {object_title(kind, desired.fields)} (pk {current.pk}), which an earlier run "
                    "had made"
                )
                return replace(current, note=words) if resumed else current
            raise self._errors.already_exists(kind, desired.logical, desired.fields, str(there[kind.pk]))
        seen = {name: value for name, value in body.items() if name not in kind.hidden}
        known = self.run.known_pk(kind, desired.logical)
        self.creates.record(kind.name, desired.logical, kind.key.display_name(desired.fields), seen, known)
        try:
            item = self._writer.post(kind, desired, body)
            item = self._writer.finish(kind, desired, body, item)
        except ObjectError as error:
            if error.rolled_back:
                self.creates.discard(kind.name, desired.logical)
            raise
        self.run.claim(kind, item)
        return ObjectState(str(item[kind.pk]), self.finder.observe(kind, desired.fields, item))

    def read(self, kind: Kind, prior: ObjectState) -> ObjectState | None:
        """The object as it is now, or None when it is gone."""
        self.store.prefetch(kind, prior.fields)
        item = self.finder.find(kind, prior)
        if item is None:
            return None
        pk = str(item[kind.pk]) if prior.pk == UNKNOWN_PK else prior.pk
        return replace(prior, pk=pk, fields=self.finder.observe(kind, prior.fields, item, prior.adopted))

    def update(self, prior: ObjectState, desired: DesiredObject) -> ObjectState:
        """Bring the object to what is declared; writes nothing if it is so already.

        Raises ObjectError when the object is not there.
        """
        kind, desired = self._normalize(desired)
        if prior.adopted:
            desired = desired.for_adoption(kind, prior.fields)
        self.store.prefetch(kind, desired.fields)
        item = self.finder.find(kind, prior)
        if item is None:
            raise self._errors.not_found(kind, desired.logical, prior.fields)
        # Of fields that this stack did not manage so far, and of those that a killed run came to first.
        pk = str(item[kind.pk])
        noted = (self._originals.read(kind.name, pk) or {}) if prior.adopted else {}
        new = self.adoption.original(kind, desired.fields, item) if prior.adopted else {}
        new = {name: value for name, value in {**new, **noted}.items() if name not in prior.original}
        before = {**new, **prior.original}
        body = self._writer.body(kind, desired)
        for name in {**prior.fields, **noted}:
            if name not in {*desired.fields, *kind.setters, *desired.elsewhere}:
                self._clear_field(kind, name, body, before)
        if prior.adopted:
            self.adoption.merge_shared(kind, body, item, prior.fields)
        fresh = {
            name: value
            for name, value in desired.fields.items()
            if is_unreadable(kind, name)
            and not field_values.is_same(kind, name, prior.fields.get(name), value)
        }
        if kind.key.of({**item, **body}) != kind.key.of(item):
            other = self.finder.find_by_key(kind, {**item, **body}, pk=None)
            if other is not None and other[kind.pk] != item[kind.pk]:
                raise self._errors.name_conflict(kind, desired.logical, desired.fields, str(other[kind.pk]))
        self.run.claim(kind, item)
        if new and not self._writer.matches(kind, body, item):
            self._originals.write(kind.name, pk, new)
        item = self._writer.update(kind, desired, item, body, fresh)
        return replace(
            prior, fields=self.finder.observe(kind, desired.fields, item, prior.adopted), original=before
        )

    def delete(self, kind: Kind, logical: str, prior: ObjectState) -> str:
        """Delete what we made; give back what we adopted; leave everything else. Returns what was done, in words."""
        item = self.finder.find(kind, prior)
        if item is None:
            return "was gone already"
        pk = str(item[kind.pk])
        if self.run.is_claimed(kind, pk):
            return "kept: this run has just taken it over under another name"
        if self.run.release(kind, logical, prior.pk, adopted=prior.adopted):
            return "kept: another resource of this stack has taken it over"
        if prior.adopted and not self.run.is_ours(kind, pk):
            self._restore(kind, DesiredObject(kind.name, logical, prior.fields), item, prior)
            self._originals.forget(kind.name, pk)
            return "kept: it was there before us; its former values are back"
        if pk != prior.pk:
            return (
                f"kept: it is not the one that this stack made (pk {prior.pk}), but another of the same name"
            )
        self._check_dependents(kind, logical, item)
        self._writer.delete(kind, logical, prior.fields, item)
        self.creates.resolve(kind.name, logical, pk)
        self.run.record_deletion(kind, prior.fields)
        return "deleted"

    def record_state(self, kind: Kind, logical: str, prior: ObjectState) -> None:
        """The state has a resource of this logical name for the object."""
        if (
            prior.adopted
            and (self._originals.read(kind.name, prior.pk) or {}).keys() <= prior.original.keys()
        ):
            self._originals.forget(kind.name, prior.pk)
        self.creates.resolve(kind.name, logical, prior.pk)
        self.run.record_state(
            kind, logical, prior.pk, prior.fields, prior.original if prior.adopted else None
        )

    def is_create_pending(self, desired: DesiredObject) -> bool:
        """Whether an earlier run may have sent the create of this very resource, and the state has nothing of it."""
        sent = self.creates.body(desired.kind, desired.logical)
        return sent is not None or (desired.kind, desired.logical) in self.pending

    def _normalize(self, desired: DesiredObject) -> tuple[Kind, DesiredObject]:
        kind = self._dialect.kind(desired.kind).with_sealed(desired.sealed)
        return kind, replace(desired, fields=field_values.normalize(self._dialect, kind, desired.fields))

    # Claiming and letting go ---------------------------------------------------------------------------------------

    def _matches_journal(self, kind: Kind, logical: str, there: Object) -> bool:
        """Whether an earlier run was about to make this resource, and the object is exactly what it would have made.

        Nothing of its name was there before. What was changed since might be somebody else's, made in between.
        """
        sent = self.creates.body(kind.name, logical)
        return sent is not None and self._writer.matches(kind, sent, there)

    def _resume(self, kind: Kind, desired: DesiredObject, there: Object, body: dict[str, Any]) -> ObjectState:
        """Go on with an object that we made, under another name or in a run that did not end well: all steps again."""
        self.run.claim(kind, there)
        fresh = {name: value for name, value in desired.fields.items() if is_unreadable(kind, name)}
        item = self._writer.update(kind, desired, there, body, fresh)
        return ObjectState(str(item[kind.pk]), self.finder.observe(kind, desired.fields, item))

    def _adopt(self, kind: Kind, desired: DesiredObject, there: Object) -> ObjectState:
        """Take over an object that someone else made. Secrets that it has are not overwritten."""
        body = self._writer.body(kind, desired)
        for shadow in kind.shadows:
            other = self._dialect.kind(shadow)
            if self.store.by_pk(other, str(there[kind.pk])) is not None:
                raise self._errors.shadow(kind, desired.logical, desired.fields, other)
        others = self.adoption.conflicting_fields(kind, desired, body, there)
        if others:
            raise self._errors.secret_conflict(kind, desired, others, there)
        self.run.claim(kind, there)
        self.adoption.merge_shared(kind, body, there, {})
        pk = str(there[kind.pk])
        before = self.adoption.original(kind, {*desired.fields, *desired.elsewhere}, there)
        note = f"took over {object_title(kind, desired.fields)} (pk {pk}), which was there"
        agrees = self._writer.matches(kind, body, there)
        killed = (kind.name, desired.logical) in self.pending
        if killed or agrees:
            noted = self._originals.read(kind.name, pk)
            before |= noted or {}
            if killed and noted is None and agrees:
                note += (
                    "; a run was killed while it did so, perhaps after it had changed something: what is there now "
                    "counts as what was there before"
                )
        self.run.record_adoption(kind, pk, before)
        if not agrees:
            self._originals.write(kind.name, pk, before)
        left = sorted(name for name in desired.fields if is_unreadable(kind, name))
        if left:
            note += f"; its {' and '.join(left)} {'is' if len(left) == 1 else 'are'} left as found"
        kept = {name: value for name, value in body.items() if name not in kind.write_only}
        item = self._writer.update(kind, desired, there, kept, {})
        observed = self.finder.observe(kind, desired.fields, item, adopted=True)
        return ObjectState(pk, observed, adopted=True, original=before, note=note)

    def _clear_field(self, kind: Kind, name: str, body: dict[str, Any], before: dict[str, Any]) -> None:
        """Say for a field that is no longer declared what it shall be: what it was before us, else empty."""
        if name in before:
            value = before.pop(name)
            if value is not None or name not in kind.never_null:
                body[name] = field_values.to_server(self.store, kind, name, value)
        elif name in kind.empty_values:
            body[name] = kind.empty_values[name]

    def _restore(self, kind: Kind, desired: DesiredObject, item: Object, prior: ObjectState) -> None:
        body = self.adoption.restore_body(kind, prior.original, prior.fields, item)
        if body is not None:
            self._writer.send(kind, desired, item, body, "restore the former values of")
            self.store.forget(kind)

    def _check_dependents(self, kind: Kind, logical: str, item: Object) -> None:
        """Raises ObjectError if the server would delete objects that nobody asked to be deleted."""
        for theirs, via, own in kind.dependents:
            other = self._dialect.kind(theirs)
            if self._using(other, via, item[own]):
                self.store.forget(
                    other
                )  # it may have gone meanwhile, with something else that this run deleted
            for each in self._using(other, via, item[own]):
                name = self.store.name_of(other, each)
                raise self._errors.dependent_exists(kind, logical, item, other, name, via)

    def _using(self, kind: Kind, via: str, value: Any) -> list[Object]:
        return [each for each in self.store.all(kind) if str(each.get(via)) == str(value)]

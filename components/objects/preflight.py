"""Looking at the server while a preview is made, if that was asked for: what a write would find, said before it.

A plain preview makes no call. Reads of a refresh show drift of what the stack has; what it does not have yet (names of
objects that nobody declares, objects that are to be taken over) is looked for here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from components.objects import field_values
from components.objects.desired import DesiredObject
from components.objects.dialect import Dialect, Kind
from components.objects.errors import ObjectError
from components.objects.object_errors import ObjectErrors, object_title
from components.objects.reconcile import Reconciler
from components.objects.store import Object, UnresolvedNameError
from components.objects.values import is_unknown

ENVIRONMENT = "GATEHOUSE_LOOK"
"""Environment: not empty where previews may ask the server (only lists are read, nothing is ever written), unless it
is `SAID`: then nothing is said beforehand, in a run whose preview has said it."""
ALREADY_SHOWN = "said"
LONGEST = 60
"""Characters of a value that are shown."""


class Preflight:
    """What the objects of one program would meet. The engine shows targets before what refers to them. Thread-safe."""

    def __init__(self, dialect: Dialect, reconciler: Reconciler) -> None:
        self._dialect = dialect
        self._reconciler = reconciler
        self._store = reconciler.store
        self._errors = ObjectErrors(dialect)
        self._declared: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def failures(self, desired: DesiredObject, *, new: bool) -> list[tuple[str, str]]:
        """(field, text) for each name that is neither declared before this object nor on the server.

        `new`: the state does not have the object yet; then also why it could not be made or taken over. Raises
        ObjectError when the server does not let us read.
        """
        kind = self._dialect.kind(desired.kind).with_sealed(desired.sealed)
        with self._lock:
            self._declared.update(
                (name, kind.key.display_name(desired.fields)) for name in (kind.name, *kind.groups)
            )
        try:
            there = self._find_existing(kind, desired) if new else None
        except ObjectError as refusal:
            return [_key_failure(kind, refusal)]
        if there is None:
            return list(self._dangling_references(kind, desired))
        if not desired.adopt:
            taken = self._errors.already_exists(kind, desired.logical, desired.fields, str(there[kind.pk]))
            return [_key_failure(kind, taken)]
        own = desired.for_adoption(kind, there)
        if dangling := list(self._dangling_references(kind, own)):
            return dangling
        known = {name: value for name, value in own.fields.items() if not is_unknown(value)}
        others = self._reconciler.adoption.conflicting_fields(kind, own, known, there)
        if others:
            return [_key_failure(kind, self._errors.secret_conflict(kind, own, others, there))]
        return []

    def describe_adoption(self, desired: DesiredObject) -> str:
        """What taking over an object would change, in words; empty for a tie of two others that is to be made."""
        kind = self._dialect.kind(desired.kind).with_sealed(desired.sealed)
        there = self._find_existing(kind, desired)
        if there is None and kind.key.is_composed:
            return ""
        if there is None:
            return f"there is no {object_title(kind, desired.fields)} to take over; it would be made"
        own = desired.for_adoption(kind, there).fields
        changes = self._changes(kind, own, there)
        begin = f"takes over {object_title(kind, own)} (pk {there[kind.pk]}), which is there, and "
        left = sorted(name for name in own if name in kind.write_only or name in kind.setters)
        end = f"; its {' and '.join(left)} would be left as found" if left else ""
        return begin + (f"changes {'; '.join(changes)}" if changes else "changes nothing in it") + end

    def _dangling_references(self, kind: Kind, desired: DesiredObject) -> Iterator[tuple[str, str]]:
        for field, reference, name in kind.references_in(desired.fields):
            with self._lock:
                declared = not self._declared.isdisjoint(reference.candidates(name))
            if declared:
                continue
            try:
                self._store.resolve(reference, name)
            except UnresolvedNameError as missing:
                error = self._errors.unresolved_name(desired.logical, field, missing)
                yield field, f"{error.what}. {error.remedy}"

    def _find_existing(self, kind: Kind, desired: DesiredObject) -> Object | None:
        """What is to be taken over, or is in the way. Raises ObjectError where it is of another kind."""
        if any(is_unknown(desired.fields.get(name)) for name in kind.key.fields):
            return None
        key = {name: desired.fields[name] for name in kind.key.fields if name in desired.fields}
        try:
            for name, value in key.items():
                field_values.to_server(self._store, kind, name, value)
        except UnresolvedNameError:
            return None  # part of its name is still to be made, so it cannot be there
        return self._reconciler.finder.find_existing(kind, replace(desired, fields=key))

    def _changes(self, kind: Kind, fields: Mapping[str, Any], there: Object) -> list[str]:
        """Fields that adopting would change, in words."""
        known = {
            name: value
            for name, value in fields.items()
            if not is_unknown(value) and name not in kind.write_only and name not in kind.setters
        }
        there = self._reconciler.adoption.without_foreign(kind, known, there)
        seen = field_values.observe(self._store, self._dialect, kind, known, there)
        return [
            f"{name} (its value is secret)"
            if name in kind.hidden
            else f"{name}: {_shorten(seen.get(name))} => {_shorten(value)}"
            for name, value in known.items()
            if not field_values.is_same(kind, name, seen.get(name), value)
        ]


def _key_failure(kind: Kind, refusal: ObjectError) -> tuple[str, str]:
    return kind.key.fields[0], f"{refusal.what}. {refusal.remedy}"


def _shorten(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"

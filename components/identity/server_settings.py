"""Settings of a whole authentik (`/admin/settings/`). They are no object of their own: they are always there.

What they were before is remembered, and put back when they are no longer declared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from components.objects.dialect import Dialect, Kind
from components.objects.errors import ObjectError
from components.objects.field_values import Fields
from components.objects.http import RefusedError
from components.objects.natural_key import NaturalKey
from components.objects.object_errors import ObjectErrors
from components.objects.reconcile import DesiredObject, ObjectState, Reconciler

SERVER_SETTINGS = "gatehouse.server_settings"
"""The kind's name, and so part of the state contract."""
SERVER_SETTINGS_KIND = Kind(
    SERVER_SETTINGS, path="", key=NaturalKey.parse("name"), title="settings of authentik"
)
_PATH = "/admin/settings/"
_PK = "settings"
NAME = "authentik"
"""What the only one is called; its field `name` is none of the server's."""


class ServerSettings:
    """Reads and writes them. It speaks as `objects.reconcile.Reconciler` does."""

    def __init__(self, dialect: Dialect, general: Reconciler) -> None:
        self._dialect = dialect
        self._errors = ObjectErrors(dialect)
        del general

    def create(self, desired: DesiredObject) -> ObjectState:
        """Write what is declared, and remember what was there."""
        return self._write(desired, _sent(desired.fields), {})

    def read(self, kind: Kind, prior: ObjectState) -> ObjectState | None:
        """What is there now, of what is declared."""
        del kind
        there = self._call("", "GET", None)
        seen = {name: there.get(name) for name in _sent(prior.fields)}
        return replace(prior, pk=_PK, fields={"name": NAME, **seen})

    def update(self, prior: ObjectState, desired: DesiredObject) -> ObjectState:
        """Write what is declared; what no longer is becomes what it was."""
        before = dict(prior.memory.get("before", {}))
        back = {name: before.pop(name) for name in list(before) if name not in desired.fields}
        return self._write(desired, {**back, **_sent(desired.fields)}, before)

    def delete(self, kind: Kind, logical: str, prior: ObjectState) -> str:
        """Put back what was there before."""
        del kind
        self._call(logical, "PATCH", dict(prior.memory.get("before", {})))
        return "what was there before is back"

    def _write(self, desired: DesiredObject, body: Fields, before: Fields) -> ObjectState:
        there = self._call(desired.logical, "GET", None)
        changes = {name: value for name, value in body.items() if there.get(name) != value}
        if changes:
            self._call(desired.logical, "PATCH", changes)
        was = {name: there.get(name) for name in _sent(desired.fields)}
        return ObjectState(_PK, dict(desired.fields), memory={"before": {**was, **before}})

    def _call(self, logical: str, method: str, body: Fields | None) -> Any:
        try:
            answer = self._dialect.request(method, _PATH, body=body)
        except RefusedError as refused:
            verb = "read" if method == "GET" else "write"
            raise self._errors.refusal(SERVER_SETTINGS_KIND, logical, {}, refused, verb) from None
        if not isinstance(answer, dict):
            raise ObjectError(
                "answers with something that is no settings",
                self._dialect.where,
                "Look what is at this address, and correct it",
            )
        return answer


def _sent(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if name != "name"}

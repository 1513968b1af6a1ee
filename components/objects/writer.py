"""Writes: the whole body, only when something differs, and seen to have taken; careful when the outcome is not clear.

The answer to a write is the object as the server holds it from then on. Where it shows every managed field as wanted,
nothing more is asked; where it does not (a server may answer with what it has just loaded, or with nothing), the
object is read, and only what that says is an error. A dialect whose server answers yes to what it then does not do
reads for itself (Nginx Proxy Manager's hosts).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import tenacity

from components.objects import field_values
from components.objects.desired import DesiredObject
from components.objects.dialect import Dialect, Kind, Setter
from components.objects.effects import Effects
from components.objects.errors import ObjectError, UnclearOutcomeError
from components.objects.field_values import Fields
from components.objects.http import RefusedError
from components.objects.object_errors import ObjectErrors
from components.objects.store import Object, Store, UnresolvedNameError
from components.objects.values import is_empty

ATTEMPTS = 3
UNEXPLAINED = frozenset({405, 500})
"""Answers that, without a body, hide a failure inside the server: whether it wrote first is not known."""
DELETE_SECONDS = 45.0
"""Seconds for which a server may be unable to delete an object that tasks of its own hang on."""


class Writer:
    """Sends objects of one server. Thread-safe."""

    def __init__(self, dialect: Dialect, store: Store, words: ObjectErrors) -> None:
        self._dialect = dialect
        self._store = store
        self._errors = words
        self._effects = Effects(dialect, words)

    def body(self, kind: Kind, desired: DesiredObject) -> dict[str, Any]:
        """The declared fields as they are sent. Raises ObjectError for a name that nothing bears."""
        body: dict[str, Any] = {}
        for name, value in desired.fields.items():
            if name in kind.setters:
                continue
            try:
                body[name] = field_values.to_server(self._store, kind, name, value)
            except UnresolvedNameError as missing:
                raise self._errors.unresolved_name(desired.logical, name, missing) from None
        return body

    def post(self, kind: Kind, desired: DesiredObject, body: dict[str, Any]) -> Object:
        """Create the object; returns it as the answer gives it.

        Between attempts whose outcome is not clear, the server is asked whether the object is there now: nothing had
        that natural key before, so what is there is what we sent.
        """
        for _ in range(ATTEMPTS):
            with self._store.writing(kind):
                try:
                    made = self._dialect.request("POST", kind.path, body=body)
                    if isinstance(made, dict) and kind.pk in made:
                        return made
                except RefusedError as refused:
                    if refused.status not in UNEXPLAINED or refused.payload is not None:
                        error = self._errors.refusal(kind, desired.logical, desired.fields, refused, "create")
                        error.rolled_back = refused.status < 500
                        raise error from None
                except UnclearOutcomeError:
                    pass
            self._store.forget(kind)
            there = self._store.find_by_key(kind, kind.key.of(body))
            if there:
                return there[0]
        raise self._errors.unexplained_failure(kind, desired.logical, desired.fields, ATTEMPTS)

    def finish(self, kind: Kind, desired: DesiredObject, body: Mapping[str, Any], item: Object) -> Object:
        """The rest of a create: fields with calls of their own, and a look whether all took. Undone if it fails.

        The engine forgets a resource whose creation failed; left on the server, it would be refused as somebody
        else's by the next run.
        """
        try:
            self.call_setters(kind, desired.logical, item, desired.fields)
            item = self._verify(kind, desired, body, item)
            item = self._apply_effect(kind, desired, item, body)
        except ObjectError as error:
            error.rolled_back = self._roll_back(kind, item)
            raise
        return item

    def update(
        self,
        kind: Kind,
        desired: DesiredObject,
        item: Object,
        body: Mapping[str, Any],
        fresh: Mapping[str, Any],
    ) -> Object:
        """Write if anything differs, and see that it took. `fresh`: unreadable fields whose values are new."""
        off = self._differing_fields(kind, body, item)
        differs = bool(off) or not fresh.keys().isdisjoint(body)
        if differs:
            item = self.send(kind, desired, item, body, "update")
        if self.call_setters(kind, desired.logical, item, fresh) or differs:
            item = self._verify(kind, desired, body, item)
        return self._apply_effect(kind, desired, item, off)

    def _apply_effect(
        self, kind: Kind, desired: DesiredObject, item: Object, changed: Iterable[str]
    ) -> Object:
        """The object after the call by which it takes effect, where it needs one: for what changed, or did not yet."""
        effect = kind.effect
        if effect is None or effect.fields.isdisjoint(desired.fields) or not effect.applies(item):
            return item
        if effect.fields.isdisjoint(changed) and not effect.is_due(item):
            return item
        found = self._effects.apply(effect, kind, desired.logical, item, url(kind, item))
        self._store.put(kind, found)
        return found

    def matches(self, kind: Kind, body: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
        """Whether the object has every value that can be read and that the body has."""
        return not self._differing_fields(kind, body, item)

    def send(
        self, kind: Kind, desired: DesiredObject, item: Object, body: Mapping[str, Any], verb: str
    ) -> Object:
        """One update with the whole body, and with the present values of what every update must carry.

        Returns the object as the answer gives it; a server that answers with nothing is asked.
        """
        whole = {name: item[name] for name in kind.always_sent if name in item} | dict(body)
        for name in kind.merged:
            if name in whole and isinstance(item.get(name), dict):
                whole[name] = item[name] | whole[name]
        with self._store.writing(kind), self._dialect.guard(kind, item, whole):
            try:
                answer: Object | None = self._dialect.request(kind.update, url(kind, item), body=whole)
                return answer or self._dialect.request("GET", url(kind, {**item, **whole}))
            except RefusedError as refused:
                self._store.forget(kind)
                raise self._errors.refusal(kind, desired.logical, desired.fields, refused, verb) from None

    def call_setters(
        self, kind: Kind, logical: str, item: Mapping[str, Any], values: Mapping[str, Any]
    ) -> bool:
        """Set the fields that have a call of their own; True if there was one. Such a call may be repeated."""
        done = False
        for name, setter in kind.setters.items():
            if is_empty(values.get(name)):
                continue
            try:
                with self._dialect.guard(kind, item, {name: values[name]}):
                    self._call_setter(setter, setter.address(item, url(kind, item)), values[name])
            except RefusedError as refused:
                raise self._errors.setter_refused(kind, logical, values, name, refused) from None
            except UnclearOutcomeError:
                raise self._errors.unexplained_failure(kind, logical, item, ATTEMPTS) from None
            done = True
        return done

    def _call_setter(self, setter: Setter, address: str, value: Any) -> None:
        """Set one such field, and again while what it belongs to is still to be made."""
        if not setter.appears:
            self._retry_request("POST", address, {setter.body: value})
            return
        tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, RefusedError) and error.status == 404
            ),
            stop=tenacity.stop_after_delay(setter.appears),
            wait=tenacity.wait_exponential(0.5, max=5),
            reraise=True,
        )(self._retry_request, "POST", address, {setter.body: value})

    def _retry_request(self, method: str, path: str, body: object) -> None:
        """A write that does no harm when it is made again. Raises UnclearOutcomeError after the last attempt."""
        for _ in range(ATTEMPTS - 1):
            try:
                self._dialect.request(method, path, body=body)
                return
            except UnclearOutcomeError:
                continue
        self._dialect.request(method, path, body=body)

    def _verify(self, kind: Kind, desired: DesiredObject, body: Mapping[str, Any], answer: Object) -> Object:
        """The object after a write, as its answer gives it or else as it is read; remembered. Raises ObjectError."""
        found = answer
        if not self._answer_matches(kind, body, answer):
            try:
                found = self._dialect.request("GET", url(kind, answer))
            except RefusedError as refused:
                raise self._errors.refusal(
                    kind, kind.key.display_name(desired.fields), desired.fields, refused, "read"
                ) from None
        self._store.put(kind, found)
        if off := self._differing_fields(kind, body, found):
            raise self._errors.value_mismatch(kind, desired.logical, found, off)
        return found

    def _answer_matches(self, kind: Kind, body: Mapping[str, Any], answer: Object) -> bool:
        """Whether an answer has every field that was sent and can be read, with the value that was sent."""
        return body.keys() - kind.write_only <= answer.keys() and self.matches(kind, body, answer)

    def delete(self, kind: Kind, logical: str, fields: Fields, item: Object) -> None:
        """Delete the object, and nothing that hangs on it; one that is gone already is fine."""
        with self._store.writing(kind), self._dialect.guard(kind, item, None):
            try:
                hanging: dict[str, Any] = {name: [] for name in kind.emptied_first if item.get(name)}
                if hanging:
                    self._dialect.request(kind.update, url(kind, item), body=hanging)
                self._remove(url(kind, item))
            except RefusedError as refused:
                if refused.status != 404:
                    raise self._errors.refusal(kind, logical, fields, refused, "delete") from None
        self._store.drop(kind, str(item[kind.pk]))

    def _remove(self, address: str) -> None:
        """DELETE, and again while the server fails without a word; once it is gone, the answer is 404.

        authentik's own tasks hang on some objects (notification rules) for some seconds, and it answers 405 meanwhile.
        """
        tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: (
                    isinstance(error, RefusedError) and error.status in UNEXPLAINED and error.payload is None
                )
            ),
            stop=tenacity.stop_after_delay(DELETE_SECONDS),
            wait=tenacity.wait_exponential(0.5, max=5),
            reraise=True,
        )(self._dialect.request, "DELETE", address)

    def _matches_field(self, kind: Kind, name: str, value: Any, item: Mapping[str, Any]) -> bool:
        found = self._dialect.normalize(kind, name, item.get(name))
        return field_values.matches(
            kind, name, value, found, field_values.server_additions(self._store, kind, name)
        )

    def _differing_fields(self, kind: Kind, body: Mapping[str, Any], item: Mapping[str, Any]) -> list[str]:
        return [
            name
            for name, value in body.items()
            if name not in kind.write_only and not self._matches_field(kind, name, value, item)
        ]

    def _roll_back(self, kind: Kind, item: Object) -> bool:
        """Whether it is gone again. What is left behind is noted, and gone on with by the next run."""
        try:
            self._dialect.request("DELETE", url(kind, item))
        except (RefusedError, UnclearOutcomeError, ObjectError):
            return False
        finally:
            self._store.forget(kind)
        return True


def url(kind: Kind, item: Mapping[str, Any]) -> str:
    """Where one object is; like its list with or without a slash at the end."""
    slash = "/" if kind.path.endswith("/") else ""
    return f"{kind.path.rstrip('/')}/{quote(str(item[kind.url]), safe='')}{slash}"

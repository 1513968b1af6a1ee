"""Sessions of administrators from before they needed a security key, which would otherwise go on without one.

They are ended once, when the rule has come into effect. On the server there is no object for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from components.objects.dialect import Kind
from components.objects.http import RefusedError
from components.objects.natural_key import NaturalKey
from components.objects.object_errors import ObjectErrors
from components.objects.reconcile import DesiredObject, ObjectState, Reconciler

if TYPE_CHECKING:
    from components.identity.dialect import Authentik

FRESH_LOGINS = "gatehouse.fresh_logins"
"""The kind's name, and so part of the state contract."""
FRESH_LOGINS_KIND = Kind(FRESH_LOGINS, path="", key=NaturalKey.parse("name"), title="end of earlier sessions")
_PK = "ended"
_WEBAUTHN = "webauthn"


class FreshLogins:
    """Ends sessions. It speaks as `objects.reconcile.Reconciler` does."""

    def __init__(self, dialect: Authentik, general: Reconciler) -> None:
        self._dialect = dialect
        self._errors = ObjectErrors(dialect)
        del general

    def create(self, desired: DesiredObject) -> ObjectState:
        """Log out every administrator who has no key."""
        try:
            without = [user for user in self._administrators() if not self._has_key(user)]
            for user in without:
                self._dialect.request(
                    "DELETE", "/core/authenticated_sessions/bulk_delete/", params={"user_pks": user["pk"]}
                )
        except RefusedError as refused:
            raise self._errors.refusal(FRESH_LOGINS_KIND, desired.logical, {}, refused, "end") from None
        names = ", ".join(sorted(str(user["username"]) for user in without))
        note = f"logged out, until they have set up a security key: {names}" if names else ""
        return ObjectState(_PK, dict(desired.fields), note=note)

    def read(self, kind: Kind, prior: ObjectState) -> ObjectState | None:
        """It stays done."""
        del kind
        return replace(prior, pk=_PK)

    def update(self, prior: ObjectState, desired: DesiredObject) -> ObjectState:
        """Others need a key now: once more."""
        del prior
        return self.create(desired)

    def delete(self, kind: Kind, logical: str, prior: ObjectState) -> str:
        """Nothing comes of it."""
        del kind, logical, prior
        return "is over"

    def _administrators(self) -> Iterator[Mapping[str, Any]]:
        users = self._dialect.rows("/core/users/", is_superuser="true", is_active="true")
        return (each for each in users if each.get("type") == "internal")

    def _has_key(self, user: Mapping[str, Any]) -> bool:
        devices = self._dialect.request("GET", "/authenticators/admin/all/", params={"user": str(user["pk"])})
        return any(_WEBAUTHN in str(each.get("type")).lower() for each in devices)

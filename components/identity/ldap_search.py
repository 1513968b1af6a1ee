"""Who may read the whole directory of an LDAP provider: a permission on the provider, given to a role.

At authentik it is no object of its own. Whoever binds without it finds themselves alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from components.objects import field_values
from components.objects.dialect import Dialect, Kind, Reference
from components.objects.errors import ObjectError
from components.objects.http import RefusedError
from components.objects.natural_key import NaturalKey
from components.objects.object_errors import ObjectErrors
from components.objects.reconcile import DesiredObject, ObjectState, Reconciler
from components.objects.store import UnresolvedNameError

LDAP_SEARCH = "gatehouse.ldap_search"
"""The kind's name, and so part of the state contract."""
PROVIDER = "authentik_providers_ldap.ldapprovider"
ROLE = "authentik_rbac.role"
PERMISSION = "search_full_directory"
# Where the provider or the role is replaced, the permission is given anew; authentik forgets it with either.
LDAP_SEARCH_KIND = Kind(
    LDAP_SEARCH,
    path="",
    key=NaturalKey.parse("provider", "role"),
    title="right to search",
    references={
        "provider": Reference((PROVIDER,), cascade=True),
        "role": Reference((ROLE,), cascade=True),
    },
)
_ASSIGNED = "/rbac/permissions/assigned_by_roles/{}/{}/"


class LdapSearchEngine:
    """Gives and takes the permission. It speaks as `objects.reconcile.Reconciler` does."""

    def __init__(self, dialect: Dialect, general: Reconciler) -> None:
        self._dialect = dialect
        self._store = general.store
        self._words = ObjectErrors(dialect)

    def create(self, desired: DesiredObject) -> ObjectState:
        """Give it; once more does no harm."""
        try:
            provider, role = self._pks(desired.fields)
        except UnresolvedNameError as missing:
            raise self._words.unresolved_name(desired.logical, missing.kinds[0], missing) from None
        self._write(desired.logical, "POST", "assign", provider, role)
        if not self._has_permission(desired.logical, provider, role):
            raise ObjectError(
                f"the role {desired.fields['role']} may not search after it was allowed to",
                self._words.place(desired.logical),
                "Run the same command again; if it stays, see authentik's log",
            )
        return ObjectState(f"{provider}/{role}", dict(desired.fields))

    def read(self, kind: Kind, prior: ObjectState) -> ObjectState | None:
        """None where the provider or the role is gone, or the permission was taken away by hand."""
        del kind
        try:
            provider, role = self._pks(prior.fields)
        except UnresolvedNameError:
            return None
        given = self._has_permission(str(prior.fields["provider"]), provider, role)
        return replace(prior, pk=f"{provider}/{role}") if given else None

    def update(self, prior: ObjectState, desired: DesiredObject) -> ObjectState:
        """Give it again: what was renamed is the same provider and role."""
        return replace(self.create(desired), pk=prior.pk)

    def delete(self, kind: Kind, logical: str, prior: ObjectState) -> str:
        """Take it away."""
        if self.read(kind, prior) is None:
            return "was gone already"
        self._write(logical, "PATCH", "unassign", *self._pks(prior.fields))
        return "taken away"

    def _pks(self, fields: dict[str, Any]) -> tuple[str, str]:
        """Provider and role. Raises UnresolvedNameError where one is not there."""
        provider, role = (
            field_values.to_server(self._store, LDAP_SEARCH_KIND, name, fields[name])
            for name in ("provider", "role")
        )
        return str(provider), str(role)

    def _has_permission(self, logical: str, provider: str, role: str) -> bool:
        asked = {"uuid": role, "page_size": "100"}
        try:
            given = self._dialect.request("GET", "/rbac/permissions/roles/", params=asked)["results"]
        except RefusedError as refused:
            raise self._words.refusal(LDAP_SEARCH_KIND, logical, {}, refused, "read") from None
        return any(each["codename"] == PERMISSION and str(each["object_pk"]) == provider for each in given)

    def _write(self, logical: str, method: str, verb: str, provider: str, role: str) -> None:
        app = PROVIDER.partition(".")[0]
        body = {"permissions": [f"{app}.{PERMISSION}"], "model": PROVIDER, "object_pk": provider}
        try:
            self._dialect.request(method, _ASSIGNED.format(role, verb), body=body)
        except RefusedError as refused:
            raise self._words.refusal(LDAP_SEARCH_KIND, logical, {}, refused, verb) from None

"""The dynamic provider of authentik's objects.

State names this module and this class: neither may ever move or be renamed (a test pins both).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pulumi.dynamic import DiffResult

from components.identity import check
from components.identity.access import ACCESS, FOREIGN, AccessEngine
from components.identity.catalog import newest_line
from components.identity.dialect import Authentik
from components.identity.fresh_logins import FRESH_LOGINS, FreshLogins
from components.identity.kinds import ReleaseLine
from components.identity.ldap_search import LDAP_SEARCH, LdapSearchEngine
from components.identity.server_settings import SERVER_SETTINGS, ServerSettings
from components.identity.specs import ObjectSpec
from components.objects.dialect import Config, Dialect, Kind
from components.objects.engine import Engine
from components.objects.outage import say
from components.objects.provider import ObjectProvider
from components.objects.reconcile import DesiredObject, Reconciler
from components.objects.state import META

_ENGINES: Mapping[str, Callable[[Authentik, Reconciler], Engine]] = {
    ACCESS: AccessEngine,
    LDAP_SEARCH: LdapSearchEngine,
    SERVER_SETTINGS: ServerSettings,
    FRESH_LOGINS: FreshLogins,
}
"""What is no object of authentik's."""


class AuthentikProvider(ObjectProvider):
    """Reads `address`, `token`, `bootstrap` (may be missing) and `line` from its explicit provider resource."""

    def dialect(self, config: Config) -> Dialect:
        """The server that the explicit provider's values name."""
        self._line = ReleaseLine(config("line") or newest_line())
        self._server = Authentik(
            config("address") or "", config("token") or "", config("bootstrap"), self._line
        )
        return self._server

    def engine(self, kind: Kind, general: Reconciler) -> Engine:
        """The general one, but for what is no object of authentik's."""
        own = _ENGINES.get(kind.name)
        return own(self._server, general) if own else general

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """As of any object; of an access, also say what bindings do that the stack file does not have."""
        fate = "; it is removed" if _news.get("foreign") == "remove" else ""
        for each in _olds.get(FOREIGN, ()):
            say(f"{_olds[META]['logical']}: {each} (a binding that the stack file does not have{fate})")
        return super().diff(_id, _olds, _news)

    def is_reachable(self) -> bool:
        """Whether authentik is up and takes our token."""
        return self._server.is_reachable()

    def failures(self, _desired: DesiredObject) -> Iterable[tuple[str, str]]:
        """What the catalog of the line says against the fields; a plan has asked the same before."""
        spec = ObjectSpec(
            _desired.kind, _desired.logical, _desired.fields, _desired.adopt, sealed=_desired.sealed
        )
        return [
            (problem.where.removeprefix(spec.where).removeprefix(", "), f"{problem.what}. {problem.remedy}")
            for problem in check.field_problems(self._line, spec)
        ]

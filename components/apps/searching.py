"""The account that an app which speaks LDAP looks people up with."""

from __future__ import annotations

from components.apps.people import GROUP, USER
from components.identity.kinds import ReleaseLine
from components.identity.ldap_search import ROLE
from components.identity.plan import Plan
from components.settings import App
from components.settings.apps import AppContext
from components.settings.base import dotted


def declare_search(plan: Plan, app: App, context: AppContext) -> None:
    """Add the account and the role that may read the app's directory; up to 2025.10 a group stands between the two."""
    name = app.bind_account
    if name is None:
        return
    line = ReleaseLine(context.line)
    origin, logical = dotted("apps", app.key), f"{app.id}/search"
    own = "roles" in line.fields(USER)
    plan.add(ROLE, name, {}, logical_name=logical, origin=origin)
    if not own:
        plan.add(GROUP, name, {"roles": [name]}, logical_name=logical, origin=origin)
    plan.add(
        USER,
        name,
        {
            "name": f"{app.key} looks people up",
            "type": "service_account",
            "path": "gatehouse",
            "password": context.secrets.as_secret(f"app/{app.id}/bind-password"),
            **({"roles": [name], "groups": []} if own else {"groups": [name]}),
        },
        logical_name=logical,
        origin=origin,
    )

"""Groups and people of a stack file as objects of authentik's."""

from __future__ import annotations

from components.identity.kinds import ReleaseLine
from components.identity.plan import Plan
from components.secrets import Secrets
from components.settings import Settings
from components.settings.base import dotted

GROUP = "authentik_core.group"
USER = "authentik_core.user"
_NOTHING_MORE = {GROUP: ("parents", "roles"), USER: ("roles",)}
"""Lists by which people get rights and into apps, and that no setting fills: said to be empty, so that what somebody
adds by hand is seen and taken out."""
_SETTINGS = {"is_active": "active", "groups": "groups"}
"""Fields of a person's that need not be written, by the setting that they come from."""


def declare_people(plan: Plan, settings: Settings, secrets: Secrets) -> None:
    """Add the client's groups and people.

    A person's first password is derived. Somebody who is taken over keeps theirs, unless it is overridden.
    """
    line = ReleaseLine(settings.authentik.line)
    none: dict[str, dict[str, list[str]]] = {
        kind: {name: [] for name in names if name in line.fields(kind)}
        for kind, names in _NOTHING_MORE.items()
    }
    for index, group in enumerate(settings.groups):
        said = {"is_superuser"} if "superuser" in group.model_fields_set else set()
        plan.add(
            GROUP,
            group.name,
            {"is_superuser": group.superuser, **none[GROUP]},
            adopt=group.adopt,
            defaulted={"is_superuser", *none[GROUP]} - said,
            logical_name=group.id,
            origin=dotted("groups", index),
        )
    for index, person in enumerate(settings.people):
        name = f"person/{person.id}/password"
        ours = not person.adopt or name in settings.secrets.overrides
        plan.add(
            USER,
            person.username,
            {
                "name": person.name,
                "email": person.email,
                "is_active": person.active,
                "groups": list(person.groups),
                "password": secrets.as_secret(name) if ours else None,
                **none[USER],
            },
            adopt=person.adopt,
            defaulted=[
                *(field for field, setting in _SETTINGS.items() if setting not in person.model_fields_set),
                *none[USER],
            ],
            logical_name=person.id,
            origin=dotted("people", index),
        )

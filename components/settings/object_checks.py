"""Raw objects against what the tables of authentik's kinds say of their fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from components.problems import Problem, warning
from components.settings.base import dotted
from components.settings.checking import is_touched
from components.settings.model import Settings
from components.settings.secret_forms import IN_CLEAR, set_secret


def check_secrets(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    """Fields that are secret by nature and stand in clear."""
    if not settings.objects or is_touched(broken, "authentik"):
        return
    from components.identity.kinds import ReleaseLine  # noqa: PLC0415  (a file without raw objects need not read the tables)

    try:
        line = ReleaseLine(settings.authentik.line)
    except KeyError:
        return  # that is said elsewhere
    for index, raw in enumerate(settings.objects):
        secret = line.kind(raw.kind).secret if raw.kind in line.labels() else frozenset()
        for name, value in raw.fields.items():
            if name in secret and value and name not in raw.sealed:
                path = ("objects", index, "fields", name)
                yield Problem(dotted(*path), IN_CLEAR, set_secret(dotted(*path), settings.client))


STAGE_BINDING = "authentik_flows.flowstagebinding"
POLICY_BINDING = "authentik_policies.policybinding"


class Pitfall(NamedTuple):
    """A value that authentik takes, and that does what hardly anybody means. `usual`: the value where none is said."""

    kind: str
    field: str
    usual: Any
    value: Any
    what: str
    remedy: str


# Each was seen on a running authentik.
PITFALLS = (
    Pitfall(
        "authentik_stages_email.emailstage",
        "activate_user_on_success",
        False,
        True,
        "it lets people in again who were locked out, as soon as they follow a mail",
        "Write false, unless the mail is the one that confirms new accounts",
    ),
    Pitfall(
        "authentik_policies_expiry.passwordexpirypolicy",
        "deny_only",
        False,
        False,
        "an old password stops working the moment that the policy is looked at, so that who stops there is locked out",
        "Write deny_only: true, and let a prompt ask for a new one",
    ),
)


def object_warnings(settings: Settings) -> Iterator[Problem]:
    """What authentik takes and does not do what it looks like."""
    guarded = {str(raw.opened.get("target")) for raw in settings.objects if raw.kind == POLICY_BINDING}
    for index, raw in enumerate(settings.objects):
        fields = raw.opened
        for trap in PITFALLS:
            if raw.kind == trap.kind and fields.get(trap.field, trap.usual) is trap.value:
                yield warning(dotted("objects", index, "fields", trap.field), trap.what, trap.remedy)
        place = "/".join(str(fields.get(name)) for name in ("target", "stage", "order"))
        if (
            raw.kind == STAGE_BINDING
            and fields.get("evaluate_on_plan") is True
            and {raw.name, place} & guarded
        ):
            yield warning(
                dotted("objects", index, "fields", "evaluate_on_plan"),
                "its policies are looked at before anybody has said who they are: what they ask of the person is true "
                "of nobody, and the stage is run for nobody",
                "Write false, so that they are looked at when the stage's turn comes",
            )

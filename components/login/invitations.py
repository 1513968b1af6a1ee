"""Invitations: links with which people make accounts for themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from components.login.parts import FLOW_KIND, PROMPT, WRITE, Part, asking, bound, new_password
from components.settings import Settings

if TYPE_CHECKING:
    import pulumi

    from components.objects.resource import ObjectResource

SETTING = "invitations"
INVITATION = "authentik_stages_invitation.invitation"
_NAME = "gatehouse-join"
_PROMPTS = {
    "username": ("User name", "username"),
    "name": ("Your name", "text"),
    "email": ("E-mail", "email"),
}


def parts(settings: Settings) -> Iterator[Part]:
    """A flow for each, since a flow's people come into one group."""
    given = settings.login.invitations
    if not given:
        return
    if not settings.login.recovery:  # which asks for new passwords too
        yield from new_password(SETTING, settings.login.passwords)
    for order, (key, (label, kind)) in enumerate(_PROMPTS.items()):
        asked = {"field_key": key, "label": label, "type": kind, "required": True, "order": 100 + order}
        yield Part(SETTING, PROMPT, f"{_NAME}-{key}", asked)
    yield asking(SETTING, f"{_NAME}-prompt", *(f"{_NAME}-{key}" for key in _PROMPTS))
    invited = {"continue_flow_without_invitation": False}
    yield Part(SETTING, "authentik_stages_invitation.invitationstage", f"{_NAME}-invitation", invited)
    for name, invitation in given.items():
        flow = f"{_NAME}-{name}"
        setting = f"{SETTING}.{name}"
        about = {"name": f"Invitation {name}", "title": "Welcome", "designation": "enrollment",
                 "authentication": "require_unauthenticated"}  # fmt: skip
        yield Part(setting, FLOW_KIND, flow, about)
        made = {
            "user_creation_mode": "always_create",
            "create_users_group": invitation.group,
            "user_type": "internal",
        }
        yield Part(setting, WRITE, f"{flow}-write", made)
        stages = {
            f"{_NAME}-invitation": 5,
            f"{_NAME}-prompt": 10,
            f"{flow}-write": 20,
            "default-authentication-login": 100,
        }
        for stage, order in stages.items():
            yield bound(setting, flow, stage, order)
        if not invitation.over:
            expires = invitation.expires.isoformat()
            yield Part(setting, INVITATION, name, {"flow": flow, "single_use": False, "expires": expires})


def links(
    settings: Settings, made: Mapping[tuple[str, str], ObjectResource]
) -> dict[str, pulumi.Output[str]]:
    """The address of each invitation that has not expired; whoever has it gets in, so it is a secret."""
    import pulumi  # noqa: PLC0415

    base = f"{settings.issuer_base}/if/flow/{_NAME}"
    return {
        name: pulumi.Output.secret(pulumi.Output.concat(base, f"-{name}/?itoken=", made[INVITATION, name].id))
        for name, invitation in settings.login.invitations.items()
        if not invitation.over
    }

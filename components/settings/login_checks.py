"""What only shows when the ways to log in are read together with the rest."""

from __future__ import annotations

from collections.abc import Iterator

from components.problems import Problem, warning
from components.settings.base import dotted
from components.settings.checking import declared
from components.settings.host import Elsewhere
from components.settings.model import Settings


def check_login(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    login = settings.login
    if login.mfa is not None and isinstance(login.mfa.required_for, tuple):
        yield from declared(settings, broken, login.mfa.required_for, ("login", "mfa", "requiredFor"))
    if login.recovery and settings.email is None and not isinstance(settings.box, Elsewhere):
        yield Problem(
            dotted("login", "recovery"),
            "authentik sends no mail, since there is no gatehouse:email",
            "Add email: {host: …, from: …}, or take recovery out",
        )
    for name, invitation in login.invitations.items():
        for problem in declared(
            settings, broken, [invitation.group], ("login", "invitations", name, "group")
        ):
            yield Problem(dotted("login", "invitations", name, "group"), problem.what, problem.remedy)


def login_warnings(settings: Settings) -> Iterator[Problem]:
    """What works and is advised against."""
    mfa = settings.login.mfa
    if mfa is not None and mfa.without_device == "deny":
        yield warning(
            dotted("login", "mfa", "withoutDevice"),
            "whoever must have a second factor and has none yet cannot log in any more, administrators included",
            "Let people set theirs up first (configure), and write deny once they have",
        )
    for name, invitation in settings.login.invitations.items():
        if invitation.over:
            yield warning(
                dotted("login", "invitations", name, "expires"),
                f"{invitation.expires.isoformat()} is over, so that there is no link any more",
                "Give a later time, or take the invitation out",
            )

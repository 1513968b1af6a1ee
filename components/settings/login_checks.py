"""What only shows when the ways to log in are read together with the rest."""

from __future__ import annotations

from collections.abc import Iterator

from components.problems import Problem, hint, warning
from components.settings.base import dotted
from components.settings.checking import declared
from components.settings.host import Elsewhere
from components.settings.model import Settings


def check_login(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    login = settings.login
    if login.administrators.hardware_key is False and not (login.administrators.because or "").strip():
        yield Problem(
            dotted("login", "administrators", "because"),
            "administrators need no security key, and nothing says why",
            "Write because: … (who decided so, and until when), or take hardwareKey out",
        )
    if login.mfa is not None:
        groups = login.mfa.required_for
        if isinstance(groups, tuple):
            yield from declared(settings, broken, groups, ("login", "mfa", "requiredFor"))
        yield from declared(settings, broken, login.mfa.keys_for, ("login", "mfa", "keysFor"))
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
    administrators = settings.login.administrators
    if administrators.hardware_key is False:
        yield warning(
            dotted("login", "administrators", "hardwareKey"),
            f"whoever gets hold of an administrator's password administrates authentik ({administrators.because})",
            "Take hardwareKey out once the reason is gone",
        )
    elif administrators.hardware_key is None and isinstance(settings.box, Elsewhere):
        yield hint(
            dotted("login", "administrators"),
            "authentik runs elsewhere, so that nothing is changed of how its administrators log in",
            "Write administrators: {hardwareKey: true} to have them need a security key",
        )
    if administrators.without_key == "deny" and settings.administrators_need_keys:
        yield warning(
            dotted("login", "administrators", "withoutKey"),
            "an administrator who has no security key yet cannot log in any more",
            "Let each of them set one up first (configure), and write deny once they have",
        )
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

"""How people log in, beside their password."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from components.settings.base import Model, wrong
from components.settings.forms import Slug
from components.settings.login_rules import Brand, LockOut, Passwords, Sessions, Terms

Device = Literal["totp", "webauthn", "static"]


def _devices(value: tuple[Device, ...]) -> tuple[Device, ...]:
    if not {"totp", "webauthn"} & set(value):
        raise wrong("people could set up none of these by themselves", "Write [totp, webauthn, static]")
    return value


class Administrators(Model):
    """Who administrates authentik: people in a group with `superuser: true`, or below one, and `akadmin`."""

    hardware_key: bool | None = None
    """Whether they log in with a security key or passkey besides their password, whatever way they come by. Left out:
    yes on a box of the client's, and no where authentik runs elsewhere (`box: none`). false needs `because`. A key is
    set up at the first login after that; who has another second factor is asked for that one before. LDAP and RADIUS
    know no such keys, so that administrators do not log in by them."""

    because: str | None = None
    """Why they need none, for whoever reads this next: who decided so, and until when."""

    without_key: Literal["configure", "deny"] = "configure"
    """What happens to one who has none yet: configure (they set one up at their next login: whoever knows the password
    may be the first to) or deny (they do not get in; write it once everybody has one)."""


class Mfa(Model):
    """A second factor. `required` alone: of everybody, set up at the next login."""

    required_for: Literal["everybody", "administrators"] | tuple[str, ...] = "everybody"
    """Who must have one: everybody, administrators (who administrates authentik), or the people of some groups. Others
    are asked for theirs once they have set one up."""

    devices: Annotated[tuple[Device, ...], AfterValidator(_devices)] = ("totp", "webauthn", "static")
    """What counts: totp (an authenticator app), webauthn (passkeys and security keys), static (recovery codes)."""

    keys_for: tuple[str, ...] = ()
    """Groups whose people need a security key or passkey, as administrators do."""

    grace_days: Annotated[int, Field(ge=0, le=365)] = 0
    """For how many days after their account was made people may log in without having set one up. Not for
    administrators."""

    without_device: Literal["configure", "deny"] = "configure"
    """What happens to somebody who has none yet: configure (they set one up at their next login) or deny (they do not
    get in, which includes you)."""


def _mfa(value: Any) -> Any:
    return {} if value in ("required", True, "true") else value


def _moment(value: Any) -> Any:
    """A date and time with its zone."""
    good = "Write date, time and zone, such as 2027-01-31T18:00:00+01:00"
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise wrong(f"{value!r} is not a date and time", good) from None
    if not isinstance(value, datetime):
        raise wrong("this is not a date and time", good)
    if value.tzinfo is None:
        raise wrong(f"{value.isoformat()} says no time zone", good)
    return value


class Invitation(Model):
    """A link with which people make an account for themselves; `gatehouse outputs` shows it."""

    group: str
    """The group that they are in then, declared in `groups`."""

    expires: Annotated[datetime, BeforeValidator(_moment)]
    """Until when the link works, for whoever has it: `2027-01-31T18:00:00+01:00`."""

    @property
    def over(self) -> bool:
        """Whether it has expired; authentik deletes such ones."""
        return self.expires <= datetime.now(UTC)


class Login(Model):
    """How people log in. What is not said here stays as authentik has it."""

    administrators: Administrators = Administrators()
    """How those log in who administrate authentik."""

    mfa: Annotated[Mfa, BeforeValidator(_mfa)] | None = None
    """A second factor: `required`, or for whom and which. API tokens and app passwords need none."""

    recovery: bool = False
    """Whether the login page offers a mail to those who forgot their password. A second factor is asked all the same,
    and who must have one and has none gets a new password from an administrator only."""

    sessions: Sessions | None = None
    """How long people stay logged in; a browser's session, and a day at most, if nothing is said."""

    passwords: Passwords | None = None
    """What new passwords must be like; `recovery` and `invitations` ask for 12 characters and a strength of 2 anyway.
    """

    lock_out: LockOut | None = None
    """What happens after wrong passwords; nothing more than that each attempt ends after five, if nothing is said."""

    passkeys: bool = False
    """Whether the login page offers a passkey in the place of name and password."""

    terms: Terms | None = None
    """Terms that everybody accepts before they get in."""

    brand: Brand | None = None
    """How authentik's pages look."""

    invitations: dict[Slug, Invitation] = Field(default_factory=dict)
    """Links with which people make accounts for themselves, by names of your choice."""

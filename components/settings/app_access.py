"""Who may use an app."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from components.settings.base import Model, wrong

APPLICATION = "authentik_core.application"
BINDING = "authentik_policies.policybinding"
ENTITLEMENT = "authentik_core.applicationentitlement"
WHOLE = {"enabled": True, "negate": False, "failure_result": False, "order": 0, "timeout": 30}
"""What a binding says besides whom it lets in: said, so that what somebody changes by hand is seen and repaired."""
Name = Annotated[str, Field(min_length=1)]


def _day(value: Any) -> Any:
    """A day. The engine hands out one that is not in quotes as the moment at which it begins."""
    if isinstance(value, str):
        value = value.removesuffix("T00:00:00Z")
        try:
            value = date.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise wrong("this is not a day", "Write it like 2026-12-31")
    return value


class AccessSettings(Model):
    """One of `groups`, `users` and `everyone` is there: nobody else may use the app."""

    groups: tuple[Name, ...] = ()
    """Whose people may use it, each declared in `groups`. Who is in one of them is let in; people of groups below it
    count too."""

    users: tuple[Name, ...] = ()
    """Single people who may use it, by their user names, besides those of the groups."""

    everyone: bool = False
    """true for an app that everybody may use who has an account; then without groups and users."""

    policies: tuple[Name, ...] = ()
    """Names of policies (raw objects) which must let people through as well."""

    until: Annotated[date, BeforeValidator(_day)] | None = None
    """The last day on which anybody gets in, in UTC: `2026-12-31`. Who is in then stays until their session at the app
    ends."""

    roles: dict[Name, tuple[Name, ...]] = Field(default_factory=dict)
    """What people are in the app, by what the app calls it, with the groups whose people are: `Admin: [platform]`. An
    app of OpenID Connect or SAML is told it (`rolesClaim`, `rolesAttribute`), one behind the proxy in
    X-authentik-entitlements; for others it is only part of what `gatehouse settings` shows."""

    require: Literal["all", "any"] = "all"
    """all (one of the groups or users, and every policy) or any (a policy that lets somebody through is enough)."""

    foreign_access: Literal["keep", "remove"] | None = None
    """What happens to bindings of the app that somebody made by hand; defaults to `foreignAccess` of the client."""

    @property
    def end(self) -> datetime | None:
        """When nobody gets in any more."""
        if self.until is None:
            return None
        return datetime(self.until.year, self.until.month, self.until.day, tzinfo=UTC) + timedelta(days=1)

    @property
    def subjects(self) -> Iterator[tuple[Literal["group", "user"], str]]:
        """The groups and people that are named."""
        yield from (("group", name) for name in self.groups)
        yield from (("user", name) for name in self.users)

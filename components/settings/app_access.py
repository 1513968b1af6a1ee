"""Who may use an app."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from components.settings.base import Model

Name = Annotated[str, Field(min_length=1)]


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

    require: Literal["all", "any"] = "all"
    """all (one of the groups or users, and every policy) or any (a policy that lets somebody through is enough)."""

    foreign_access: Literal["keep", "remove"] | None = None
    """What happens to bindings of the app that somebody made by hand; defaults to `foreignAccess` of the client."""

    @property
    def subjects(self) -> Iterator[tuple[Literal["group", "user"], str]]:
        """The groups and people that are named."""
        yield from (("group", name) for name in self.groups)
        yield from (("user", name) for name in self.users)

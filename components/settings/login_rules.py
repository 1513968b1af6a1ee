"""What the login asks of people besides: sessions, passwords, tries, terms; and how its pages look."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.settings.base import Model
from components.settings.forms import Duration, Slug, Url


class Sessions(Model):
    """How long somebody stays logged in to authentik. Apps have sessions of their own."""

    lasts: Duration = "hours=12"
    """From the login on, however much it is used: `hours=8`."""

    remember: Duration | None = None
    """How much longer for those who tick "stay signed in": `days=30`. Left out: nobody is asked."""

    only_one: bool = False
    """Whether a login ends the person's other sessions."""


class Passwords(Model):
    """What a new password must be like, wherever people choose one. First passwords of gatehouse's are longer."""

    min_length: Annotated[int, Field(ge=8, le=128)] = 12
    """Characters at least."""

    strength: Annotated[int, Field(ge=0, le=4)] = 2
    """What zxcvbn must say more than, from 0 to 4: how hard a password is to guess, whatever its length."""

    have_i_been_pwned: bool = False
    """Whether passwords that are on lists of stolen ones are refused. authentik asks haveibeenpwned.com, by the first
    five characters of a hash."""


class LockOut(Model):
    """What happens to somebody who enters wrong passwords. It is over after a day, or when an administrator deletes the
    score (System → Reputation)."""

    after: Annotated[int, Field(ge=1, le=5)] = 5
    """Wrong passwords until the login says no; right ones make up for as many."""

    by: Literal["name", "address"] = "name"
    """name (that account, whoever tries: anybody can lock somebody out) or address (everybody who comes from there, a
    whole office perhaps)."""


class Terms(Model):
    """Terms that everybody accepts once, at the login."""

    text: str
    """What they are, or where they stand."""

    version: Slug = "1"
    """Another one is accepted anew."""


class Brand(Model):
    """How authentik's pages look."""

    title: str | None = None
    """The title of its pages, such as the client's name."""

    logo: Url | None = None
    """A picture, by its URL."""

    favicon: Url | None = None
    """A small one."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2}([_-][A-Za-z]{2,4})?$")] | None = None
    """The pages' language for those who have chosen none: `de`."""

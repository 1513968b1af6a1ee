"""authentik itself, its people and groups, and raw objects."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Secret

from components.settings.base import Model
from components.settings.forms import EmailAddress, GroupName, Kind, OriginUrl, Username, Version
from components.settings.sealed import has_secret
from components.settings.secret_forms import Sealed


class Authentik(Model):
    """The authentik that this client runs."""

    version: Version
    """The version of authentik, such as 2026.8.3. Upgrades go through every line in order; there is no way back."""

    url: OriginUrl | None = None
    """Only with `box: none`: where an authentik that is there already answers."""

    token: Sealed | None = None
    """Only with `box: none`: an API token of an administrator there."""

    geoip: bool = False
    """Whether authentik has a GeoIP database, which policies about places need."""

    @property
    def line(self) -> str:
        """The release line, such as 2026.8."""
        return ".".join(self.version.split(".")[:2])


def _group(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Group(Model):
    """A group of people; a bare name is enough."""

    name: GroupName
    """What it is called in authentik and in the tokens that apps get."""

    id_setting: Annotated[GroupName | None, Field(alias="id")] = None
    """Its first name, once you rename it: then it is renamed in authentik as well, and not made anew."""

    superuser: bool = False
    """Whether its people administrate authentik."""

    adopt: bool = False
    """Whether a group of this name that exists already may be taken over. It keeps its members, and whatever else the
    file does not say."""

    @property
    def id(self) -> str:
        """What it is called in the state."""
        return self.id_setting or self.name


GroupSetting = Annotated[Group, BeforeValidator(_group)]


class Person(Model):
    """Somebody who logs in."""

    username: Username
    """What they log in with; their address works too."""

    id_setting: Annotated[Username | None, Field(alias="id")] = None
    """Their first user name, once you change it: then the account is renamed, and not made anew. Their first password
    is derived from it."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    """Their name as apps show it."""

    email: EmailAddress
    """Their address; no two people share one."""

    groups: tuple[str, ...] = ()
    """Groups that they belong to, each declared in `groups`."""

    active: bool = True
    """Set to false to lock them out of everything at once and keep their account."""

    adopt: bool = False
    """Whether an account of this name that exists already may be taken over. It keeps its password, its groups unless
    `groups` is written (these are then all of them), and whether it may log in unless `active` is."""

    @property
    def id(self) -> str:
        """What it is called in the state, and what their first password is derived from."""
        return self.id_setting or self.username


class RawObject(Model):
    """Any object of authentik's API, for what has no friendlier setting."""

    kind: Kind
    """authentik's model label, such as authentik_policies_expression.expressionpolicy."""

    name: Annotated[str, Field(min_length=1)]
    """Its natural key: name, slug, domain, whatever that kind is known by; for kinds that several fields tell apart
    (bindings), any name."""

    id_setting: Annotated[Annotated[str, Field(min_length=1)] | None, Field(alias="id")] = None
    """Its first name here, once you change it: then the object is renamed, and not made anew."""

    fields: dict[str, Any] = Field(default_factory=dict)
    """Fields by their API names; other objects are referred to by their natural keys. A value that is `secure`, or has
    something secure in it, is secret in state and previews as well."""

    adopt: bool = False
    """Whether an object of this name that exists already may be taken over. It keeps fields that are not written."""

    @property
    def id(self) -> str:
        """What it is called in the state."""
        return self.id_setting or self.name

    @property
    def sealed(self) -> frozenset[str]:
        """Fields with a secret in them."""
        return frozenset(
            name for name, value in self.fields.items() if isinstance(value, Secret) or has_secret(value)
        )

    @property
    def opened(self) -> dict[str, Any]:
        """The fields with their secrets in clear."""
        return {
            name: value.get_secret_value() if isinstance(value, Secret) else value
            for name, value in self.fields.items()
        }

"""A whole stack file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr

from components.problems import Problem
from components.release_lines import uses_redis
from components.secrets import Secrets
from components.settings.apps import KEY, App
from components.settings.backup import Backup
from components.settings.base import Model, wrong
from components.settings.derived import SecretSettings
from components.settings.forms import ClientName, Domain, Slug
from components.settings.host import (
    Box,
    BoxSetting,
    DnsOptions,
    Elsewhere,
    NetworkOptions,
    NewServer,
    Operator,
)
from components.settings.identity import Authentik, GroupSetting, Person, RawObject
from components.settings.login import Login
from components.settings.mail import Email
from components.settings.protocols import AppSetting
from components.settings.secret_forms import CloudflareToken, HetznerToken, RootSecret


def _redis(value: Any) -> Any:
    words = {"true": True, "false": False}
    value = words.get(value, value) if isinstance(value, str) else value
    if value not in (True, False, "auto"):
        raise wrong(f"{value!r} is not a choice", "Write true, false or auto")
    return value


def _keyed(value: Any) -> Any:
    """Each app's YAML key goes into the app itself; `apps` is a mapping so that a key is there only once."""
    if not isinstance(value, dict):
        return value
    return {key: {**app, KEY: str(key)} if isinstance(app, dict) else app for key, app in value.items()}


_UNSAID = NewServer(type="cx23", location="nbg1")
"""The box of a file that says of none, until it is refused for that."""


class Settings(Model):
    """Everything that a stack file says about a client."""

    client: ClientName
    """The client's name: the stack, the server and all that is made for them carries it."""

    domain: Domain
    """The client's domain, a zone at Cloudflare; authentik answers at `auth.<domain>`."""

    root_secret: RootSecret
    """The one secret that all others are derived from; written by `gatehouse new`."""

    hetzner_token: HetznerToken | None = None
    """An API token of the client's Hetzner project (read and write); else HCLOUD_TOKEN in the environment."""

    cloudflare_token: CloudflareToken | None = None
    """An API token that may edit the zone's records; else CLOUDFLARE_API_TOKEN in the environment. The box renews its
    certificates with it: one here that is changed gets new ones at the next `up`; one in the environment does not."""

    server: NewServer | None = None
    """The server that gatehouse makes at Hetzner. Either this or `box`."""

    box_setting: Annotated[BoxSetting | None, Field(alias="box")] = None
    """none (authentik runs elsewhere, see `authentik.url`) or a box that exists. Either this or `server`."""

    network: NetworkOptions = NetworkOptions()
    """Who reaches the box."""

    dns: DnsOptions = DnsOptions()
    """The client's zone at Cloudflare."""

    operators: tuple[Operator, ...] = ()
    """The agency's people who may log in to the box; at least one where there is a box."""

    authentik: Authentik
    """Which authentik runs."""

    redis: Annotated[bool | Literal["auto"], BeforeValidator(_redis)] = True
    """Whether Redis runs beside authentik: true, false, or auto (only for lines that use it, up to 2025.8)."""

    email: Email | None = None
    """How authentik sends mail; without it, it sends none."""

    backup: Backup | None = None
    """Where the box's data are backed up to each night; without it, nowhere."""

    login: Login = Login()
    """How people log in: a second factor, forgotten passwords, invitations."""

    groups: tuple[GroupSetting, ...] = ()
    """Groups of people."""

    people: tuple[Person, ...] = ()
    """People who log in."""

    app_settings: Annotated[dict[Slug, AppSetting], BeforeValidator(_keyed), Field(alias="apps")] = Field(
        default_factory=dict
    )
    """Apps by a short name of your choice, which is also the slug in their URLs at authentik."""

    foreign_access: Literal["keep", "remove"] = "keep"
    """What happens to bindings of an app that somebody made by hand, which let others in or keep them out: keep (each
    `preview --refresh` and `up` names them, and `up` asks whether to remove them) or remove."""

    objects: tuple[RawObject, ...] = ()
    """Any other objects of authentik's."""

    secrets: SecretSettings = SecretSettings()
    """Generations of derived secrets, and values that were there before."""

    protect: bool = True
    """Whether the server, its volume and its addresses refuse to be destroyed."""

    rebuild: Annotated[int, Field(ge=1)] = 1
    """Count up to have the server made anew; its data are on the volume and stay. `gatehouse up` says what goes and
    what stays; while `protect` is on it asks for the client's name first (or takes `--confirm NAME`)."""

    _warnings: tuple[Problem, ...] = PrivateAttr(default=())

    @property
    def apps(self) -> tuple[App, ...]:
        """The apps, sorted by their keys as the engine hands them out, so that a file read directly gives the same."""
        return tuple(app for _, app in sorted(self.app_settings.items()))

    @property
    def auth_host(self) -> str:
        """The host name at which authentik answers."""
        return f"auth.{self.domain}"

    @property
    def issuer_base(self) -> str:
        """authentik's own URL, without a slash at the end."""
        return self.box.url if isinstance(self.box, Elsewhere) else f"https://{self.auth_host}"

    @property
    def box(self) -> Box:
        """Where authentik runs."""
        if self.box_setting == "none":
            given = self.authentik
            return Elsewhere(given.url or f"https://{self.auth_host}", given.token or SecretStr(""))
        return self.box_setting or self.server or _UNSAID

    @property
    def administrators_need_keys(self) -> bool:
        """Whether administrators log in with a security key: on a box of ours unless it is said otherwise.

        An authentik that runs elsewhere is somebody else's, and what the file does not say is not changed there.
        """
        said = self.login.administrators.hardware_key
        return not isinstance(self.box, Elsewhere) if said is None else said

    @property
    def wants_redis(self) -> bool:
        """Whether a Redis container runs."""
        if self.redis == "auto":
            return uses_redis(self.authentik.line)
        return self.redis

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What works but is advised against; filled in by `parse`."""
        return self._warnings

    @property
    def overrides(self) -> dict[str, str]:
        """Secrets by name that were there before: from `secrets`, and from apps that have a client already."""
        overrides = {name: value.get_secret_value() for name, value in self.secrets.overrides.items()}
        for app in self.apps:
            overrides |= {f"app/{app.id}/{name}": value for name, value in app.overrides.items()}
        return overrides

    def derived(self) -> Secrets:
        """The secrets that follow from this file."""
        return Secrets(self.root_secret.get_secret_value(), self.secrets.generations, self.overrides)

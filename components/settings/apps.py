"""An app: something that people log in to through authentik, whatever it speaks.

What depends on its protocol, a class of `components/settings/protocols` says: which settings there are besides, what
must be right of them, and what follows for authentik, for the app and for a login that is tried.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from components.settings.app_access import AccessSettings
from components.settings.app_extras import ExtraFields, Scim
from components.settings.forms import AppId, OriginUrl, Upstream, Url
from components.settings.presets import Preset, find

if TYPE_CHECKING:
    from components.problems import Problem
    from components.secrets import Secrets
    from components.settings.model import Settings
    from components.settings.outposts import Outpost

KEY, OTHERS = " key", " others"  # not names that a stack file could use
KEPT: tuple[str, ...] = ()
"""In place of the settings that say a field: gatehouse decides it itself, since names and access hang on it."""


@dataclass(frozen=True)
class AppContext:
    """What a client's apps have in common."""

    settings: Settings
    secrets: Secrets

    @property
    def line(self) -> str:
        """The release line of authentik."""
        return self.settings.authentik.line

    @property
    def authentik(self) -> str:
        """authentik's own URL, without a slash at the end."""
        return self.settings.issuer_base


@dataclass(frozen=True)
class OwnObject:
    """An object of authentik's that belongs to one app, besides its provider and its application."""

    kind: str
    name: str
    fields: Mapping[str, Any]
    suffix: str
    """What its name in the state has behind the app's id."""
    setting: str
    """The setting of the app that it comes from."""


@dataclass(frozen=True)
class OidcLogin:
    """A login is tried as the app itself would have it, by OpenID Connect."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    scopes: str


@dataclass(frozen=True)
class PageLogin:
    """A login is tried by opening the app, which authentik stands in front of."""

    url: str
    open: bool
    """Whether whoever comes is let in without being asked who it is."""


@dataclass(frozen=True)
class NoLogin:
    """gatehouse cannot try a login itself."""

    why: str


class App(AccessSettings):
    """One app. `preset` for a well-known one, `protocol` for any other."""

    model_config = ConfigDict(defer_build=True)  # a client has apps of a few protocols, not of all

    speaks: ClassVar[str]
    """The app's protocol: its own, or its preset's."""
    words: ClassVar[str]
    """What an app does that has this protocol."""
    provider: ClassVar[str]
    """The kind of its provider."""
    provider_settings: ClassVar[Mapping[str, tuple[str, ...]]]
    """Field of its provider -> the settings that say it. What a setting says, nothing else may say as well."""
    outpost: ClassVar[Outpost | None] = None
    """What runs beside authentik for apps of this protocol."""
    embedded: ClassVar[bool] = False
    """Whether authentik's embedded outpost stands in front of it: what the box serves under its URL goes there."""

    misnomers: ClassVar[Mapping[str, tuple[str, str]]] = {
        "adminGroups": (
            "whom an app makes an administrator is set in the app, by the names in the claim `groups`",
            "Take it out, and name the group in the app's own settings",
        ),
        "openPaths": ("authentik calls them otherwise", "Write skipPathRegex"),
    }
    """Names that one may look for here, and what is so instead."""

    key: Annotated[str, Field(alias=KEY, exclude=True)]
    """The name that the app has in the stack file, and its slug at authentik."""

    others: Annotated[tuple[str, ...], Field(alias=OTHERS, exclude=True)] = ()
    """Settings that the file gives it and that only apps of other protocols have."""

    id_setting: Annotated[AppId | None, Field(alias="id")] = None
    """What its client id and secret are derived from; defaults to its key. Set it when you rename an app."""

    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """What people see on authentik's start page; defaults to the preset's name or to the key."""

    preset: str | None = None
    """A well-known app: gatehouse knows what it has to be told, and what authentik has to be told of it
    ([presets.md](presets.md)). What is written here wins."""

    parameters: dict[str, str] = Field(default_factory=dict)
    """What the preset cannot know, such as what authentik is called in the app: see `./gatehouse presets NAME`."""

    protocol: str | None = None
    """What authentik and the app speak; defaults to what the preset prefers."""

    url: OriginUrl
    """Where people open the app: https, no slash at the end."""

    upstream: Upstream | None = None
    """Where the app is reached: http://dashboard:8080 for a container `dashboard` of the box's Docker network
    `gatehouse`, or another machine. With it, gatehouse serves the app's URL."""

    launch_url: Url | None = None
    """Where authentik's start page leads to; defaults to the preset's, else to `url`."""

    icon: Url | None = None
    """A picture for authentik's start page."""

    description: str | None = None
    """A line about it for authentik's start page."""

    group: str | None = None
    """The heading that it stands under on authentik's start page. Who may use it is said in `groups`."""

    open_in_new_tab: bool = False
    """Whether authentik's start page opens it in a new tab."""

    scim: Scim | None = None
    """A back channel for apps that want accounts made before people come."""

    extra: Annotated[ExtraFields, Field(alias="fields")] = ExtraFields()
    """Single fields of authentik's API that no setting stands for."""

    adopt: bool = False
    """Whether an application of this name that exists already may be taken over, and the provider that it has. Both
    keep what no setting here says; client id and secret must be said if they are others than gatehouse would derive."""

    @property
    def id(self) -> str:
        """What the app's secrets are derived from."""
        return self.id_setting or self.key

    @property
    def well_known(self) -> Preset | None:
        """What is known about the app, if it is a well-known one."""
        return find(self.preset)

    @property
    def bind_account(self) -> str | None:
        """The user name of the account that the app looks people up with, if it does."""
        return None

    @property
    def outside_networks(self) -> tuple[str, ...]:
        """Networks outside the box from which the app reaches its outpost."""
        return ()

    @property
    def overrides(self) -> Mapping[str, str]:
        """Its derived secrets that were there before, by the last part of their names."""
        return {}

    def outpost_in(self, settings: Settings) -> Outpost | None:  # noqa: ARG002
        """The outpost of its own that serves it."""
        return self.outpost

    @abstractmethod
    def problems(self, settings: Settings) -> Iterator[Problem]:
        """What is wrong with it because of its protocol."""

    def address_problems(self, settings: Settings) -> Iterator[Problem]:  # noqa: ARG002  (for those that have some)
        """What is wrong with what hangs on where authentik answers; only asked where that is known."""
        return iter(())

    def advice(self, settings: Settings) -> Iterator[Problem]:  # noqa: ARG002
        """What works and is advised against."""
        return iter(())

    @abstractmethod
    def provider_fields(self, context: AppContext) -> Mapping[str, Any]:
        """The fields of its provider."""

    def own_objects(self, context: AppContext) -> Iterable[OwnObject]:  # noqa: ARG002
        """What else of authentik's belongs to it."""
        return ()

    @abstractmethod
    def connection(self, context: AppContext) -> Mapping[str, str]:
        """What the app has to be told, none of it secret."""

    def endpoints(self, context: AppContext) -> Mapping[str, Any]:  # noqa: ARG002
        """The same in full, by the names that it has in the templates of presets: docs/presets.md lists them."""
        return {}

    def front_server(self, context: AppContext) -> Mapping[str, str]:  # noqa: ARG002
        """What the web server in front of the app is told, by the server, where that is not the box's own."""
        return {}

    @abstractmethod
    def secret_outputs(self) -> Mapping[str, str]:
        """What it has to be told besides: stack outputs, with the name of the derived secret in each."""

    @abstractmethod
    def login(self, context: AppContext) -> OidcLogin | PageLogin | NoLogin:
        """How `gatehouse login-check` tries a login."""

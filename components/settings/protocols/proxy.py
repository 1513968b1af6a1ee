"""Apps behind authentik's proxy, which have no login of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from components.problems import Problem, warning
from components.settings.apps import AppContext, NoLogin, OwnObject, PageLogin
from components.settings.base import Model, dotted, wrong
from components.settings.forms import Domain
from components.settings.host import Elsewhere
from components.settings.outposts import Outpost
from components.settings.protocols import forward_auth
from components.settings.protocols.common import CONSENTED, TOKENS, ConsentedApp, Tokens

if TYPE_CHECKING:
    from components.settings.model import Settings

_OUTPOST = "authentik_outposts.outpost"
_BESIDE_THE_APP = Outpost("proxy", "tcp", 9000, 9000, "http://authentik-proxy:9000", beside_app=True)


class BasicAuth(Model):
    """A user name and password that authentik hands to the app (HTTP Basic); `true` for attributes named after it."""

    user_attribute: Annotated[str, Field(min_length=1)]
    """The attribute of the person, or of one of their groups, that has the user name. `basicAuth: true` takes
    `<app>_username`."""

    password_attribute: Annotated[str, Field(min_length=1)]
    """The one that has the password; `basicAuth: true` takes `<app>_password`."""


def _switch(value: Any) -> Any:
    """The engine hands true and false out as texts where they stand alone."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _open_path(value: str) -> str:
    """A path that needs no login. authentik's outpost finds it anywhere in the path, with Go's regular expressions."""
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise wrong(f"{value!r} is not a regular expression ({error})", "Correct it") from None
    if re.search(r"\(\?[=!<]|\\[1-9]", value):
        raise wrong(
            f"{value!r} looks ahead, behind or back, which authentik's outpost cannot",
            "Write it without (?=, (?!, (?< and \\1",
        )
    if all(pattern.search(path) for path in ("/", "/p7x/q3z")):
        raise wrong(
            f"{value!r} opens the whole app to everybody, without a login",
            "Name the paths that are to be open, such as ^/api/, or take it out",
        )
    return value


OpenPath = Annotated[str, AfterValidator(_open_path)]


class ProxyApp(ConsentedApp, Tokens):
    """With `protocol: proxy` (authentik stands in front of an app that has no login of its own)."""

    speaks: ClassVar = "proxy"
    words: ClassVar = "is behind the proxy"
    provider: ClassVar = "authentik_providers_proxy.proxyprovider"
    provider_settings: ClassVar = (
        CONSENTED
        | TOKENS
        | {
            "external_host": ("url",),
            "internal_host": ("upstream",),
            "internal_host_ssl_validation": ("verify_upstream",),
            "mode": ("mode",),
            "cookie_domain": ("cookie_domain",),
            "skip_path_regex": ("skip_path_regex",),
            "basic_auth_enabled": ("basic_auth",),
            "basic_auth_user_attribute": ("basic_auth",),
            "basic_auth_password_attribute": ("basic_auth",),
            "intercept_header_auth": ("intercept_header_auth",),
        }
    )
    embedded: ClassVar = True

    mode: Literal["proxy", "forward_single", "forward_domain"] = "proxy"
    """proxy (all requests go through authentik), or a web server of your own asks authentik about each request:
    forward_single (for this app), forward_domain (for all that is below `cookieDomain`)."""

    cookie_domain: Domain | None = None
    """The domain that one login counts for, with `mode: forward_domain`."""

    skip_path_regex: tuple[OpenPath, ...] = ()
    """Paths that everybody may reach without a login, as regular expressions: `^/api/`. The app must not believe
    X-authentik-* headers there: nobody has looked who sends them."""

    basic_auth: Annotated[bool | BasicAuth, BeforeValidator(_switch)] = False
    """Whether authentik logs in to the app by HTTP Basic, with a user name and password of the person's attributes."""

    intercept_header_auth: bool = True
    """Whether authentik looks at Authorization headers itself; false hands them to the app."""

    verify_upstream: bool = True
    """Whether the certificate of an `https://` upstream is looked at."""

    def problems(self, _: Settings) -> Iterator[Problem]:
        path, host = ("apps", self.key), urlsplit(self.url).hostname or ""
        if self.mode == "proxy" and self.upstream is None:
            yield Problem(
                dotted(*path, "upstream"),
                "an app behind the proxy needs it",
                "Say where the box reaches the app, such as http://dashboard:8080",
            )
        if self.mode != "proxy" and self.upstream is not None:
            yield Problem(
                dotted(*path, "upstream"),
                f"with mode {self.mode} a web server of your own stands before the app, and gatehouse does not",
                "Take it out, or take mode out",
            )
        if self.mode == "forward_domain" and self.cookie_domain is None:
            parent = host.partition(".")[2] if host.count(".") > 1 else host
            yield Problem(
                dotted(*path, "cookieDomain"),
                "mode forward_domain needs the domain that one login counts for",
                f"Add cookieDomain, such as {parent}",
            )
        if self.cookie_domain is not None:
            if self.mode != "forward_domain":
                yield Problem(dotted(*path, "cookieDomain"), "this is for mode forward_domain", "Take it out")
            elif host != self.cookie_domain and not host.endswith(f".{self.cookie_domain}"):
                yield Problem(
                    dotted(*path, "cookieDomain"),
                    f"{host} is not below {self.cookie_domain}, so that its login would not count there",
                    f"Write the domain that {host} and the other apps are below",
                )
        yield from self.consent_problems()

    def advice(self, settings: Settings) -> Iterator[Problem]:
        for index, pattern in enumerate(self.skip_path_regex):
            path = dotted("apps", self.key, "skipPathRegex", index)
            if self.mode != "proxy" or isinstance(settings.box, Elsewhere):
                yield warning(
                    path,
                    "on an open path authentik hands on whatever X-authentik-* headers a visitor sends: an app that "
                    "believes them takes the visitor for anybody",
                    "Let the web server in front empty all X-authentik-* headers of visitors, or let the app not "
                    "believe them there",
                )
            if not pattern.startswith("^") and self.mode != "forward_domain":
                yield warning(
                    path,
                    f"{pattern!r} opens every path that it is somewhere in",
                    f"Write ^{pattern if pattern.startswith('/') else '/' + pattern} to open what begins with it",
                )

    def provider_fields(self, _: AppContext) -> Mapping[str, Any]:
        auth = self.basic_auth
        if auth is True:
            auth = BasicAuth.model_validate(
                {"userAttribute": f"{self.key}_username", "passwordAttribute": f"{self.key}_password"}
            )
        return {
            **self.flows(),
            "mode": self.mode,
            "external_host": self.url,
            "internal_host": self.upstream,
            "internal_host_ssl_validation": None if self.verify_upstream else False,
            "cookie_domain": self.cookie_domain,
            # Said where nothing is open as well, so that a path that somebody opened by hand is closed again.
            "skip_path_regex": "\n".join(self.skip_path_regex),
            "intercept_header_auth": None if self.intercept_header_auth else False,
            "access_token_validity": self.access_token_validity,
            "refresh_token_validity": self.refresh_token_validity,
            **(
                {
                    "basic_auth_enabled": True,
                    "basic_auth_user_attribute": auth.user_attribute,
                    "basic_auth_password_attribute": auth.password_attribute,
                }
                if isinstance(auth, BasicAuth)
                else {}
            ),
        }

    def own_objects(self, context: AppContext) -> Iterator[OwnObject]:
        return self.role_objects(context)

    def outpost_in(self, settings: Settings) -> Outpost | None:
        """Whom its web server asks, if that is one of its own. The embedded outpost answers nobody through the box's
        proxy, which lets no visitor say which app is meant; with `box: none` it does.
        """
        served = [raw.opened.get("providers") for raw in settings.objects if raw.kind == _OUTPOST]
        by_hand = any(self.key in names for names in served if isinstance(names, list))
        if self.mode == "proxy" or by_hand or isinstance(settings.box, Elsewhere):
            return None
        return _BESIDE_THE_APP

    def connection(self, context: AppContext) -> Mapping[str, str]:
        """Whom the app's own web server has to ask about each request, where it asks."""
        if outpost := self.outpost_in(context.settings):
            return {"outpost": outpost.run_by_hand(context.settings)}
        if self.mode == "proxy" or not isinstance(context.settings.box, Elsewhere):
            return {}
        return {"outpostUrl": f"{context.authentik}{forward_auth.PREFIX}"}

    def front_server(self, context: AppContext) -> Mapping[str, str]:
        """What the web server in front of the app is told, by the server, where that is not the box's own."""
        if self.mode == "proxy":
            return {}
        own = self.outpost_in(context.settings) is None
        return forward_auth.snippets(
            forward_auth.Asking(
                url=self.url,
                outpost=context.authentik if own else _BESIDE_THE_APP.address,
                login=self.url if self.mode == "forward_domain" else "$scheme://$http_host",
                own_host=own,
                authorization=bool(self.basic_auth),
            )
        )

    def secret_outputs(self) -> Mapping[str, str]:
        return {}

    def login(self, context: AppContext) -> PageLogin | NoLogin:
        """The box's own proxy stands before the app."""
        if isinstance(context.settings.box, Elsewhere):
            return NoLogin(
                "with `box: none`, gatehouse has no proxy in front of it, and does not know yours; open it by hand"
            )
        return PageLogin(self.url, open=any(re.search(path, "/") for path in self.skip_path_regex))

"""What an app of a protocol needs, and what it must not have."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from components.lines import number
from components.problems import Problem, nearest, warning
from components.secrets import SecretError, check_override
from components.settings.app_saml import SAML_ATTRIBUTES
from components.settings.apps import SETTINGS_OF, App, Protocol
from components.settings.base import dotted
from components.settings.checking import either, raw_names
from components.settings.host import Elsewhere
from components.settings.model import Settings
from components.settings.outpost_checks import check_ldap, check_radius
from components.settings.redirects import RegexUri, other_host, too_wide
from components.settings.scopes import OWN_SCOPES, WITH_PROFILE, asked, raw_scopes, scope_of

_OUTPOST = "authentik_outposts.outpost"
_SAML_MAPPING = "authentik_providers_saml.samlpropertymapping"
_SPEAKS: Mapping[Protocol, str] = {
    "oidc": "speaks oidc",
    "proxy": "is behind the proxy",
    "saml": "speaks saml",
    "ldap": "speaks ldap",
    "radius": "speaks radius",
}


def check_protocol(settings: Settings, app: App) -> Iterator[Problem]:
    """What is wrong with an app whose protocol is known."""
    yield from _others_settings(app)
    yield from _CHECKS[app.speaks](settings, app)
    if app.consent and app.authorization_flow:
        yield Problem(
            dotted("apps", app.key, "consent"),
            "authorizationFlow says which way people go, with or without a question",
            "Take one of them out",
        )


def _others_settings(app: App) -> Iterator[Problem]:
    """Settings that only apps of other protocols have."""
    common = App.model_fields.keys() - {name for each in SETTINGS_OF.values() for name in each.model_fields}
    own = common | SETTINGS_OF[app.speaks].model_fields.keys()
    for name, field in App.model_fields.items():
        if name not in own and getattr(app, name) != field.get_default(call_default_factory=True):
            having = [protocol for protocol, each in SETTINGS_OF.items() if name in each.model_fields]
            yield Problem(
                dotted("apps", app.key, field.alias or name),
                f"this is for {either(having)}, and the app {_SPEAKS[app.speaks]}",
                "Take it out",
            )


def _oidc(settings: Settings, app: App) -> Iterator[Problem]:
    path = ("apps", app.key)
    if not app.redirect_uris and not (app.well_known and app.well_known.redirect_paths):
        yield Problem(
            dotted(*path, "redirectUris"),
            "an oidc app needs at least one",
            f"Add what the app's documentation names, such as [{app.url}/oauth2/callback]",
        )
    if app.post_logout_uris and number(settings.authentik.line) < number("2026.5"):
        yield Problem(
            dotted(*path, "postLogoutUris"),
            f"authentik {settings.authentik.line} sends nobody back after a logout",
            "Take it out, or take a version of 2026.5 or newer",
        )
    known = [
        *OWN_SCOPES,
        *WITH_PROFILE,
        *raw_scopes(settings),
        *(scope_of(app, claim) for claim in app.claims),
    ]
    for index, scope in enumerate(app.scopes or ()):
        if scope not in known:
            yield Problem(
                dotted(*path, "scopes", index),
                f"nothing gives the scope {scope!r}",
                nearest(scope, known)
                or f"Say in claims what it gives, such as claims: {{{scope}: {{attribute: {scope}, scope: {scope}}}}}",
            )
        elif scope in WITH_PROFILE and "profile" not in asked(app):
            yield Problem(
                dotted(*path, "scopes", index),
                f"authentik gives {scope} with the scope profile",
                "Add profile",
            )
    for claim, said in app.claims.items():
        if said.expression is not None and (problem := _no_expression(said.expression)):
            yield Problem(dotted(*path, "claims", claim, "expression"), *problem)
    if app.client_type == "public" and app.client_secret is not None:
        yield Problem(dotted(*path, "clientSecret"), "a public app has no secret", "Take it out")
    for setting, name in ((app.client_id, "client-id"), (app.client_secret, "client-secret")):
        if setting is not None and f"app/{app.id}/{name}" in {
            *settings.secrets.overrides,
            *settings.secrets.generations,
        }:
            what = "clientId" if name == "client-id" else "clientSecret"
            yield Problem(
                dotted(*path, what), f"gatehouse:secrets says something of app/{app.id}/{name}", "Keep one"
            )
    if app.client_secret is not None and (value := app.client_secret.get_secret_value()):
        try:
            check_override(f"app/{app.id}/client-secret", value)
        except SecretError as error:
            yield Problem(
                dotted(*path, "clientSecret"),
                str(error),
                "Change it in the app first, then here, or take it out",
            )
    if app.signing_key == "none" and app.client_type == "public":
        yield Problem(
            dotted(*path, "signingKey"),
            "without it tokens are signed with the client secret, and a public app has none",
            "Take it out, or write the name of a certificate",
        )
    if app.logout_method and not app.logout_uri:
        yield Problem(dotted(*path, "logoutMethod"), "there is no logoutUri to call", "Add logoutUri")
    if app.logout_method == "frontchannel" and settings.authentik.line == "2025.8":
        what = f"authentik {settings.authentik.line} knows backchannel alone"
        yield Problem(dotted(*path, "logoutMethod"), what, "Take it out, or take a newer version")


def _no_expression(text: str) -> tuple[str, str] | None:
    if text.strip().startswith("return "):
        return "it returns by itself", f"Write {text.strip().removeprefix('return ').strip()}"
    try:
        ast.parse(f"({text.strip()}\n)", mode="eval")
    except (SyntaxError, ValueError) as error:
        return (
            f"it is not a Python expression ({getattr(error, 'msg', error)})",
            "Write one expression, without `return` and without assignments",
        )
    return None


def _proxy(settings: Settings, app: App) -> Iterator[Problem]:
    path, host = ("apps", app.key), urlsplit(app.url).hostname or ""
    if app.mode == "proxy" and app.upstream is None:
        yield Problem(
            dotted(*path, "upstream"),
            "an app behind the proxy needs it",
            "Say where the box reaches the app, such as http://dashboard:8080",
        )
    if app.mode != "proxy" and app.upstream is not None:
        yield Problem(
            dotted(*path, "upstream"),
            f"with mode {app.mode} a web server of your own stands before the app, and gatehouse does not",
            "Take it out, or take mode out",
        )
    served = [raw.opened.get("providers") for raw in settings.objects if raw.kind == _OUTPOST]
    elsewhere = isinstance(settings.box, Elsewhere) or any(
        app.key in providers for providers in served if isinstance(providers, list)
    )
    if app.mode != "proxy" and not elsewhere:
        yield Problem(
            dotted(*path, "mode"),
            "the box's own proxy lets no visitor say which app is meant: no other web server can ask through it",
            "Take mode out and let gatehouse stand before the app (upstream), or declare an outpost of your own in "
            f"gatehouse:objects with {app.key} among its providers",
        )
    if app.mode == "forward_domain" and app.cookie_domain is None:
        parent = host.partition(".")[2] if host.count(".") > 1 else host
        yield Problem(
            dotted(*path, "cookieDomain"),
            "mode forward_domain needs the domain that one login counts for",
            f"Add cookieDomain, such as {parent}",
        )
    if app.cookie_domain is not None:
        if app.mode != "forward_domain":
            yield Problem(dotted(*path, "cookieDomain"), "this is for mode forward_domain", "Take it out")
        elif host != app.cookie_domain and not host.endswith(f".{app.cookie_domain}"):
            yield Problem(
                dotted(*path, "cookieDomain"),
                f"{host} is not below {app.cookie_domain}, so that its login would not count there",
                f"Write the domain that {host} and the other apps are below",
            )


def _saml(settings: Settings, app: App) -> Iterator[Problem]:
    path = ("apps", app.key)
    if app.acs_url is None:
        yield Problem(
            dotted(*path, "acsUrl"),
            "a saml app needs it",
            "Add what the app's documentation calls its ACS or callback URL",
        )
    if app.signing_key is not None and (app.sign == "none" or app.signing_key == "none"):
        what = "sign: none" if app.sign == "none" else "none is no certificate"
        yield Problem(
            dotted(*path, "signingKey"),
            f"{what}: nothing would be signed with it",
            "Take it out, or say sign: none",
        )
    known = {*SAML_ATTRIBUTES, *raw_names(settings, _SAML_MAPPING)}
    named = [(dotted(*path, "attributes", index), name) for index, name in enumerate(app.attributes or ())]
    if app.name_id:
        named.append((dotted(*path, "nameId"), app.name_id))
    for where, name in named:
        if name not in known:
            yield Problem(
                where,
                f"there is no SAML property mapping {name!r}",
                nearest(name, known)
                or f"Take one of {either(sorted(known))}, or declare it in gatehouse:objects",
            )


_CHECKS: Mapping[Protocol, Callable[[Settings, App], Iterator[Problem]]] = {
    "oidc": _oidc,
    "proxy": _proxy,
    "saml": _saml,
    "ldap": check_ldap,
    "radius": check_radius,
}


def app_warnings(settings: Settings) -> Iterator[Problem]:
    """What works and is advised against."""
    for app in settings.apps:
        lists = (("redirectUris", app.redirect_uris), ("postLogoutUris", app.post_logout_uris))
        for path, uri in (
            (dotted("apps", app.key, name, index), uri)
            for name, uris in lists
            for index, uri in enumerate(uris)
        ):
            if isinstance(uri, RegexUri):
                yield from (warning(path, what, remedy) for what, remedy in too_wide(uri.regex))
            elif host := other_host(uri, app.url):
                yield warning(
                    path,
                    f"{host} is another host than the app's, {urlsplit(app.url).hostname}: whoever has it can log in "
                    "as the people that authentik sends there",
                    "Correct it if it is a slip; leave it if the app is told there too",
                )
        for index, pattern in enumerate(app.skip_path_regex):
            path = dotted("apps", app.key, "skipPathRegex", index)
            if app.mode != "proxy" or isinstance(settings.box, Elsewhere):
                yield warning(
                    path,
                    "on an open path authentik hands on whatever X-authentik-* headers a visitor sends: an app that "
                    "believes them takes the visitor for anybody",
                    "Let the web server in front empty all X-authentik-* headers of visitors, or let the app not "
                    "believe them there",
                )
            if not pattern.startswith("^") and app.mode != "forward_domain":
                yield warning(
                    path,
                    f"{pattern!r} opens every path that it is somewhere in",
                    f"Write ^{pattern if pattern.startswith('/') else '/' + pattern} to open what begins with it",
                )

"""Redirect URIs: where authentik may send people, and with them the proof of who they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import WrapValidator

from components.problems import Problem, warning
from components.settings.base import Model, wrong
from components.settings.forms import LOOPBACK, url_problem

# What a browser runs or shows itself instead of handing it to an app; authentik refuses the first three.
_NEVER = ("javascript", "data", "vbscript", "about", "blob", "file", "filesystem", "view-source")
# Scheme and host of a pattern, up to the slash behind them; the slashes may be escaped.
_AUTHORITY = re.compile(
    r"\^?(?:https?|http(?:s\?|\(s\)\?)):(?:\\?/){2}(?P<host>(?:\\[^/]|\[[^\]]*\]|[^/\\\[])*)"
)
_ESCAPED_OR_CLASS = re.compile(r"\\.|\[[^\]]*\]")


class RegexUri(Model):
    """Redirect URIs by a regular expression, for what cannot be listed."""

    regex: str
    """The whole URI must match it. Write a dot as `\\.`, and end the host with a slash."""


def _redirect_uri(value: Any, _: Any) -> str | RegexUri:
    """A text is compared as it is by authentik (matching mode strict): nothing in it stands for anything else."""
    if isinstance(value, RegexUri):
        return value
    if isinstance(value, str):
        return _strict(value)
    if isinstance(value, dict) and set(value) == {"regex"} and isinstance(value["regex"], str):
        return RegexUri(regex=_compiled(value["regex"]))
    raise wrong(
        "this is not a redirect URI",
        "Write the whole URI as a text, or {regex: …} for a regular expression that must match the whole URI",
    )


RedirectUri = Annotated[str | RegexUri, WrapValidator(_redirect_uri)]


def _strict(value: str) -> str:
    if "*" in value:
        raise wrong(
            f"{value!r} has a *, which stands for nothing here",
            "List each redirect URI whole, or write {regex: …}",
        )
    scheme, colon, rest = value.partition(":")
    if not colon or not rest.startswith("/") or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        what, remedy = url_problem(value) or (f"{value!r} is not a complete URI", "")
        if " " not in value:  # url_problem takes the host in `localhost:8000/callback` for a scheme
            what = f"{value!r} is not a complete URI"
            remedy = (
                "Give it whole, such as https://grafana.acme.example/login or app.immich:///oauth-callback"
            )
        raise wrong(what, remedy)
    if scheme.lower() in _NEVER:
        raise wrong(f"{value!r} is not handed to an app but run or shown by the browser", "Take it out")
    if scheme in ("http", "https") or _nearly_https(scheme):
        if problem := url_problem(value):
            raise wrong(*problem)
    elif any(ord(character) <= 32 or ord(character) == 127 for character in value):
        raise wrong(f"{value!r} has spaces in it", f"Write {''.join(value.split())}")
    if "#" in value:
        raise wrong(
            f"{value!r} has a fragment, which a redirect URI must not have",
            f"Write {value.partition('#')[0]}",
        )
    return value


def _nearly_https(scheme: str) -> bool:
    """Whether it is https with a slip of the pen, and no app's own scheme."""
    return re.fullmatch(r"h?t{1,3}ps?s?|https?[a-z]|hhttps?", scheme.lower()) is not None


def _compiled(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise wrong(
            f"{pattern!r} is not a regular expression ({error})", "Correct it, or write the URI as a text"
        ) from None
    return pattern


def redirect_advice(path: str, uri: str | RegexUri, url: str) -> Iterator[Problem]:
    """What speaks against a redirect URI of the app at `url`."""
    if isinstance(uri, RegexUri):
        yield from (warning(path, what, remedy) for what, remedy in _too_wide(uri.regex))
    elif host := _other_host(uri, url):
        yield warning(
            path,
            f"{host} is another host than the app's, {urlsplit(url).hostname}: whoever has it can log in as the people "
            "that authentik sends there",
            "Correct it if it is a slip; leave it if the app is told there too",
        )


def _other_host(uri: str, url: str) -> str | None:
    """The host that a redirect URI leads to, if that is neither the app's own nor the person's own machine."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or host in LOOPBACK or host == urlsplit(url).hostname:
        return None
    return host


def _too_wide(pattern: str) -> Iterator[tuple[str, str]]:
    """What a pattern lets through that is hardly meant, and what to do."""
    found = _AUTHORITY.match(pattern)
    probes = ("https://evil.example/", "https://evil.example/callback")
    if any(re.fullmatch(pattern, probe) for probe in probes) or not re.match(r"\^?\(?[A-Za-z]", pattern):
        yield (
            "addresses of any host match it",
            r"Begin with scheme and host, such as https://grafana\.acme\.example/",
        )
    if found is None:
        return
    host = _ESCAPED_OR_CLASS.sub("x", found["host"])
    if re.search(r"\.(?![*+?{])", host):
        yield (
            "a dot in its host stands for any character, so that other hosts match",
            r"Write each dot of the host as \.",
        )
    if re.search(r"\.[*+?{]", host):
        yield (
            "its host is open, so that https://….evil.example/ matches",
            "Write the whole host, and a slash behind it",
        )

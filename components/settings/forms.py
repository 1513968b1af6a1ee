"""The forms of single values: names, hosts, addresses, URLs, keys, tokens."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from components.settings.accounts import RESERVED_ACCOUNTS
from components.settings.base import wrong

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# authentik's own URLs below /application/o/, which an application's slug would shadow (facts of its documentation).
RESERVED_SLUGS = ("authorize", "token", "device", "userinfo", "introspect", "revoke")


def _pattern(pattern: str, what: str, remedy: str) -> tuple[AfterValidator, WithJsonSchema]:
    """A check that says more than the pattern, and the pattern for editors."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise wrong(f"{value!r} is not {what}", remedy)
        return value

    return AfterValidator(check), WithJsonSchema({"type": "string", "pattern": f"^({pattern})$"})


def _not_reserved(value: str) -> str:
    if value in RESERVED_SLUGS:
        raise wrong(
            f"{value!r} is a word that authentik keeps for itself", f"Take another, such as {value}-app"
        )
    return value


def _not_of_the_box(value: str) -> str:
    if value in RESERVED_ACCOUNTS:
        raise wrong(
            f"{value!r} is a user or group that the box has of its own",
            "Give the person's own name, such as sam",
        )
    return value


def _domain(value: str) -> str:
    if "://" in value or "/" in value:
        raise wrong(
            f"{value!r} is not a domain",
            "Give the bare domain, such as acme.example, without https:// and path",
        )
    if value != value.lower():
        raise wrong(f"{value!r} has capital letters", f"Write {value.lower()}")
    if value.endswith("."):
        raise wrong(f"{value!r} ends with a dot", f"Write {value.rstrip('.')}")
    if not value.isascii():
        raise wrong(f"{value!r} has letters outside ASCII", f"Write its ASCII form, {_idna(value)}")
    if "." not in value or not _HOST.fullmatch(value) or len(value) > 253:
        raise wrong(
            f"{value!r} is not a domain", "Give a domain of at least two labels, such as acme.example"
        )
    return value


def _idna(value: str) -> str:
    try:
        return value.encode("idna").decode()
    except UnicodeError:
        return "which begins with xn--"


def _host(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not _HOST.fullmatch(value):
            raise wrong(
                f"{value!r} is not a host",
                "Give a host name or an IP address alone, without scheme, port or path",
            ) from None
    return value


def url_problem(value: str, *, schemes: tuple[str, ...] = ("https",)) -> tuple[str, str] | None:
    """What is wrong with a URL, and what would be right; None when it can be used. http is for loopback only."""
    if any(ord(character) <= 32 or ord(character) == 127 for character in value):
        return f"{value!r} has spaces in it", f"Write {''.join(value.split())}"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return f"{value!r} has a host or port that is none", "Give a host, and a port from 1 to 65535 or none"
    if not parts.scheme or not parts.netloc:
        return (
            f"{value!r} is not a complete URL",
            "Give scheme and host, such as https://grafana.acme.example",
        )
    if parts.scheme not in (*schemes, "http"):
        return (
            f"{value!r} has the scheme {parts.scheme}",
            f"Use {' or '.join(f'{each}://' for each in schemes)}",
        )
    if parts.scheme == "http" and "http" not in schemes and host not in LOOPBACK:
        return f"{value!r} is not encrypted", f"Write https://{value.removeprefix('http://')}"
    if parts.username is not None:
        return f"{value!r} has a user name or password in it", "Leave everything before the @ out"
    if not _HOST.fullmatch(host) and not _is_address(host):
        return f"{value!r} has {host!r} as its host, which is none", "Use letters, digits, hyphens and dots"
    return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _url(value: str) -> str:
    if problem := url_problem(value):
        raise wrong(*problem)
    return value


def _origin_url(value: str) -> str:
    if problem := url_problem(value):
        what, remedy = problem
        raise wrong(what, remedy.rstrip("/"))
    parts = urlsplit(value)
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise wrong(
            f"{value!r} has something after ? or #", f"Write {re.split('[?#]', value, maxsplit=1)[0]}"
        )
    if parts.netloc != parts.netloc.lower():
        raise wrong(
            f"{value!r} has capital letters in its host",
            f"Write {value.replace(parts.netloc, parts.netloc.lower())}",
        )
    if value.endswith("/"):
        raise wrong(f"{value!r} ends with a slash", f"Write {value.rstrip('/')}")
    return value


def _upstream(value: str) -> str:
    """Scheme, host and port only: NPM puts the host into nginx's configuration unchecked."""
    if problem := url_problem(value, schemes=("http", "https")):
        raise wrong(*problem)
    parts = urlsplit(value)
    if parts.path or parts.query or parts.fragment:
        raise wrong(f"{value!r} has a path", f"Write {parts.scheme}://{parts.netloc}")
    if ":" in (parts.hostname or ""):
        raise wrong(
            f"{value!r} has an IPv6 address, and the containers' network is IPv4 only",
            "Give a host name or an IPv4 address",
        )
    return value


def _email(value: str) -> str:
    local, _, domain = value.rpartition("@")
    if (
        not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}", local)
        or not _HOST.fullmatch(domain.lower())
        or "." not in domain
    ):
        raise wrong(f"{value!r} is not an e-mail address", "Give the bare address, such as jane@acme.example")
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        pass
    try:
        right = str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise wrong(
            f"{value!r} is not a network", "Give an address or a network, such as 198.51.100.7/32"
        ) from None
    raise wrong(f"{value!r} has bits set behind its prefix", f"Write {right}")


def _open_port(value: str) -> str:
    number, _, protocol = value.partition("/")
    if not re.fullmatch(r"[1-9]\d{0,4}", number) or int(number) > 65535 or protocol not in ("tcp", "udp"):
        raise wrong(f"{value!r} is not a port with its protocol", "Write it such as 8080/tcp or 51820/udp")
    if value in ("80/tcp", "443/tcp"):
        raise wrong(f"{value} is open always: the proxy is there", "Take it out")
    if value in ("22/tcp", "81/tcp", "9000/tcp"):
        raise wrong(
            f"{value} is how gatehouse reaches the box, its proxy or authentik, over SSH",
            "Publish the container on another port",
        )
    return value


def _version(value: object) -> object:
    if isinstance(value, int | float):
        raise wrong(
            f"{value} is read as a number, which loses a final zero",
            "Write the whole version, such as 2026.8.3, or put it in quotes",
        )
    return value


def _time_of_day(value: object) -> object:
    """YAML 1.1 reads 12:30 as a number of minutes."""
    return f"{value // 60:02}:{value % 60:02}" if isinstance(value, int) else value


ClientName = Annotated[
    str,
    *_pattern(
        r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?",
        "a client's name",
        "Use at most 32 lower-case letters, digits and hyphens, beginning with a letter",
    ),
]
Slug = Annotated[
    str,
    *_pattern(
        r"[a-z0-9]([a-z0-9_-]{0,48}[a-z0-9])?",
        "a slug",
        "Use at most 50 lower-case letters, digits, - and _",
    ),
    AfterValidator(_not_reserved),
]
AppId = Annotated[
    str, *_pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "an id", "Use at most 64 letters, digits, - . and _")
]
Username = Annotated[
    str,
    *_pattern(
        r"[A-Za-z0-9][A-Za-z0-9@+._-]{0,149}",
        "a user name",
        "Use at most 150 letters, digits and @ + . _ -, beginning with a letter or digit",
    ),
]
AccountName = Annotated[
    str,
    *_pattern(
        r"[a-z][a-z0-9_-]{0,31}",
        "the name of an account on the box",
        "Use at most 32 lower-case letters, digits, - and _, beginning with a letter",
    ),
    AfterValidator(_not_of_the_box),
]
GroupName = Annotated[
    str,
    *_pattern(r"\S(.{0,253}\S)?", "a group's name", "Use 1 to 255 characters without spaces at the ends"),
]
Kind = Annotated[
    str,
    *_pattern(
        r"[a-z0-9_]+\.[a-z0-9_]+",
        "a kind of object",
        "Write authentik's model label, such as authentik_policies_expression.expressionpolicy",
    ),
]
TypeName = Annotated[
    str,
    *_pattern(r"[a-z][a-z0-9-]*", "a server type", "Write Hetzner's name of it in lower case, such as cx23"),
]
ClientId = Annotated[str, *_pattern(r"[!-~]{1,255}", "a client id", "Use 1 to 255 characters without spaces")]
Scope = Annotated[
    str, *_pattern(r"[!#-\[\]-~]{1,255}", "a scope", "Use characters without spaces and quotes")
]
ClaimName = Annotated[
    str, *_pattern(r"[!-~]{1,255}", "a claim's name", "Use 1 to 255 characters without spaces")
]
Duration = Annotated[
    str,
    *_pattern(
        r"(weeks|days|hours|minutes|seconds)=\d{1,9}(;(weeks|days|hours|minutes|seconds)=\d{1,9})*",
        "a duration",
        "Write it as authentik does: minutes=30, or hours=4;minutes=30",
    ),
]
TimeOfDay = Annotated[
    str,
    BeforeValidator(_time_of_day),
    *_pattern(r"([01]\d|2[0-3]):[0-5]\d", "a time of day", "Write hours and minutes, such as 02:30"),
]
Domain = Annotated[str, AfterValidator(_domain)]
Host = Annotated[str, AfterValidator(_host)]
Url = Annotated[str, AfterValidator(_url)]
OriginUrl = Annotated[str, AfterValidator(_origin_url)]
Upstream = Annotated[str, AfterValidator(_upstream)]
EmailAddress = Annotated[str, AfterValidator(_email)]
Network = Annotated[str, AfterValidator(_network)]
OpenPort = Annotated[str, AfterValidator(_open_port)]


Version = Annotated[
    str,
    BeforeValidator(_version),
    *_pattern(
        r"20\d\d\.\d{1,2}\.\d{1,3}", "a version of authentik", "Write the whole version, such as 2026.8.3"
    ),
]

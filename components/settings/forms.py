"""The forms of single values: names, hosts, addresses, URLs, keys, tokens."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, WithJsonSchema
from pydantic.functional_validators import ModelWrapValidatorHandler, WrapValidator
from pydantic_core.core_schema import ValidationInfo

from components.secrets import SecretError, check_root_secret
from components.settings.base import wrong

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# authentik's own URLs below /application/o/, which an application's slug would shadow (facts of its documentation).
RESERVED_SLUGS = ("authorize", "token", "device", "userinfo", "introspect", "revoke")


def _pattern(pattern: str, what: str, remedy: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise wrong(f"{value!r} is not {what}", remedy)
        return value

    return AfterValidator(check)


def _domain(value: str) -> str:
    if "://" in value or "/" in value:
        raise wrong(f"{value!r} is not a domain", "Give the bare domain, such as acme.example, without https:// and path")
    if value != value.lower():
        raise wrong(f"{value!r} has capital letters", f"Write {value.lower()}")
    if value.endswith("."):
        raise wrong(f"{value!r} ends with a dot", f"Write {value.rstrip('.')}")
    if not value.isascii():
        raise wrong(f"{value!r} has letters outside ASCII", f"Write its ASCII form, {_idna(value)}")
    if "." not in value or not _HOST.fullmatch(value) or len(value) > 253:
        raise wrong(f"{value!r} is not a domain", "Give a domain of at least two labels, such as acme.example")
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
                f"{value!r} is not a host", "Give a host name or an IP address alone, without scheme, port or path"
            ) from None
    return value


def url_problem(value: str, *, schemes: tuple[str, ...] = ("https",)) -> tuple[str, str] | None:
    """What is wrong with a URL, and what would be right; None when it can be used."""
    if value != value.strip() or any(ord(character) <= 32 for character in value):
        return f"{value!r} has spaces in it", f"Write {''.join(value.split())}"
    parts = urlsplit(value)
    if not parts.scheme or not parts.netloc:
        return f"{value!r} is not a complete URL", "Give scheme and host, such as https://grafana.acme.example"
    if parts.scheme == "http" and "http" not in schemes and not value.startswith(tuple(f"http://{h}" for h in _LOOPBACK)):
        return f"{value!r} is not encrypted", f"Write https://{value.removeprefix('http://')}"
    if parts.scheme not in (*schemes, "http"):
        return f"{value!r} has the scheme {parts.scheme}", f"Use {' or '.join(f'{scheme}://' for scheme in schemes)}"
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{value!r} has a port that is none", "Give a port from 1 to 65535, or none"
    if parts.username is not None:
        return f"{value!r} has a user name or password in it", "Leave everything before the @ out"
    if host != parts.netloc.rsplit(":", 1)[0].strip("[]") and port is not None:
        return f"{value!r} has capital letters in its host", f"Write {value.lower()}"
    if not _HOST.fullmatch(host) and parts.netloc[:1] != "[":
        return f"{value!r} has {host!r} as its host, which is none", "Use letters, digits, hyphens and dots"
    return None


def _url(value: str) -> str:
    if problem := url_problem(value):
        raise wrong(*problem)
    return value


def _origin_url(value: str) -> str:
    _url(value)
    parts = urlsplit(value)
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise wrong(f"{value!r} has something after ? or #", f"Write {value.split('?')[0].split('#')[0]}")
    if parts.netloc != parts.netloc.lower():
        raise wrong(f"{value!r} has capital letters in its host", f"Write {value.replace(parts.netloc, parts.netloc.lower())}")
    if value.endswith("/"):
        raise wrong(f"{value!r} ends with a slash", f"Write {value.rstrip('/')}")
    return value


def _redirect_uri(value: str) -> str:
    """Compared as it is by authentik (matching mode strict), so nothing in it stands for anything else."""
    _url(value)
    if "#" in value:
        raise wrong(f"{value!r} has a fragment, which a redirect URI must not have", f"Write {value.split('#')[0]}")
    if "*" in value:
        raise wrong(f"{value!r} has a *, which stands for nothing here", "List each redirect URI whole")
    return value


def _upstream(value: str) -> str:
    """Scheme, host and port only: NPM puts the host into nginx's configuration unchecked."""
    if problem := url_problem(value, schemes=("http", "https")):
        raise wrong(*problem)
    parts = urlsplit(value)
    if parts.path or parts.query or parts.fragment:
        raise wrong(f"{value!r} has a path", f"Write {parts.scheme}://{parts.netloc}")
    return value


def _email(value: str) -> str:
    local, _, domain = value.rpartition("@")
    if not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}", local) or not _HOST.fullmatch(domain.lower()) or "." not in domain:
        raise wrong(f"{value!r} is not an e-mail address", "Give the bare address, such as jane@acme.example")
    return value


_KEY_TYPES = {
    "ssh-ed25519": 51,
    "sk-ssh-ed25519@openssh.com": 70,
    "ecdsa-sha2-nistp256": 100,
    "sk-ecdsa-sha2-nistp256@openssh.com": 120,
    "ssh-rsa": 279,  # bytes of a 2048-bit key
}


def _ssh_key(value: str) -> str:
    good = "Paste the one line of a .pub file, such as ssh-ed25519 AAAA… sam@laptop"
    if "PRIVATE KEY" in value:
        raise wrong("this is a private key", "Put the public one here (the .pub file), and think of this one as lost")
    parts = value.strip().split(None, 2)
    if "\n" in value.strip() or len(parts) < 2 or parts[0] not in _KEY_TYPES:
        raise wrong("this is not a public SSH key of a type that is taken", good)
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except binascii.Error:
        raise wrong("this SSH key was cut off or changed when it was copied", good) from None
    name = parts[0].encode()
    if blob[: 4 + len(name)] != len(name).to_bytes(4, "big") + name:
        raise wrong("this SSH key says one type and holds another", good)
    if len(blob) < _KEY_TYPES[parts[0]]:
        short = "an RSA key below 2048 bits" if parts[0] == "ssh-rsa" else "an SSH key that was cut off"
        raise wrong(f"this is {short}", good)
    return " ".join(value.split())


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        pass
    try:
        right = str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise wrong(f"{value!r} is not a network", "Give an address or a network, such as 198.51.100.7/32") from None
    raise wrong(f"{value!r} has bits set behind its prefix", f"Write {right}")


def _root_secret(value: str) -> str:
    try:
        check_root_secret(value)
    except SecretError as error:
        raise wrong(f"this is not a root secret: {error}", "`gatehouse new` writes one; restore the one that was there") from None
    return value


def _hetzner_token(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]{64}", value):
        found = f"{len(value)} characters" if value.isalnum() and value.isascii() else "other characters"
        raise wrong(
            f"a Hetzner token has exactly 64 letters and digits, this one has {found}",
            "Copy it again from the project's Security, API tokens (read and write)",
        )
    return value


def _cloudflare_token(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", value):
        raise wrong(
            "a Cloudflare token has only letters, digits, _ and -, this one has others",
            "Copy the token alone (My Profile, API Tokens; permission Zone, DNS, Edit)",
        )
    return value


def _secret(check: Callable[[str], str] | None = None, *, clear: bool = False) -> WrapValidator:
    """A secret setting: a string in the running program, `secure: …` in a file that is read as it is (`sealed`).

    Only with `clear` may it stand in such a file as plain text.
    """

    def validate(value: Any, _: ModelWrapValidatorHandler[Any], info: ValidationInfo) -> SecretStr:
        sealed = bool(info.context and info.context.get("sealed"))
        if sealed and isinstance(value, dict) and set(value) == {"secure"}:
            return SecretStr("")
        if sealed and not clear:
            raise wrong("this secret is in clear", SET_SECRET)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if not isinstance(value, str) or not value:
            raise wrong("a secret must be a text", SET_SECRET)
        if check is not None:
            check(value)
        return SecretStr(value)

    return WrapValidator(validate)


SET_SECRET = "Set it with `pulumi config set --secret`, take the clear text out, and have a new one issued"
_SECURE = WithJsonSchema(
    {"type": "object", "properties": {"secure": {"type": "string"}}, "required": ["secure"], "additionalProperties": False}
)
Sealed = Annotated[SecretStr, _secret(), _SECURE]
MaybeSealed = Annotated[
    SecretStr, _secret(clear=True), WithJsonSchema({"anyOf": [{"type": "string"}, _SECURE.json_schema or {}]})
]
RootSecret = Annotated[SecretStr, _secret(_root_secret), _SECURE]
HetznerToken = Annotated[SecretStr, _secret(_hetzner_token), _SECURE]
CloudflareToken = Annotated[SecretStr, _secret(_cloudflare_token), _SECURE]

ClientName = Annotated[
    str,
    _pattern(
        r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?",
        "a client's name",
        "Use at most 32 lower-case letters, digits and hyphens, beginning with a letter",
    ),
]
Slug = Annotated[
    str,
    _pattern(r"[a-z0-9]([a-z0-9_-]{0,48}[a-z0-9])?", "a slug", "Use at most 50 lower-case letters, digits, - and _"),
    AfterValidator(lambda value: _not_reserved(value)),
]
Username = Annotated[
    str,
    _pattern(
        r"[A-Za-z0-9][A-Za-z0-9@+._-]{0,149}",
        "a user name",
        "Use at most 150 letters, digits and @ + . _ -, beginning with a letter or digit",
    ),
]
Domain = Annotated[str, AfterValidator(_domain)]
Host = Annotated[str, AfterValidator(_host)]
Url = Annotated[str, AfterValidator(_url)]
OriginUrl = Annotated[str, AfterValidator(_origin_url)]
RedirectUri = Annotated[str, AfterValidator(_redirect_uri)]
Upstream = Annotated[str, AfterValidator(_upstream)]
EmailAddress = Annotated[str, AfterValidator(_email)]
SshPublicKey = Annotated[str, AfterValidator(_ssh_key)]
Network = Annotated[str, AfterValidator(_network)]


def _not_reserved(value: str) -> str:
    if value in RESERVED_SLUGS:
        raise wrong(f"{value!r} is a word that authentik keeps for itself", f"Take another, such as {value}-app")
    return value


def _version(value: object) -> object:
    if isinstance(value, int | float):
        raise wrong(
            f"{value} is read as a number, which loses a final zero",
            "Write the whole version, such as 2026.8.3, or put it in quotes",
        )
    return value


Version = Annotated[
    str,
    BeforeValidator(_version),
    _pattern(r"20\d\d\.\d{1,2}\.\d{1,3}", "a version of authentik", "Write the whole version, such as 2026.8.3"),
]

"""The forms of keys, tokens and secrets. No message of theirs holds a value."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, SecretStr, WithJsonSchema
from pydantic.functional_validators import ModelWrapValidatorHandler, WrapValidator
from pydantic_core.core_schema import ValidationInfo

from components.secrets import SecretError, check_root_secret
from components.settings.base import wrong
from components.settings.sealed import has_secret

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
        raise wrong(
            "this is a private key", "Put the public one here (the .pub file), and think of this one as lost"
        )
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


def _root_secret(value: str) -> str:
    try:
        check_root_secret(value)
    except SecretError as error:
        raise wrong(
            f"this is not a root secret: {error}",
            "`gatehouse new` writes one; restore the one that was there",
        ) from None
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
            raise wrong(IN_CLEAR, SET_SECRET)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if not isinstance(value, str) or not value:
            raise wrong("a secret must be a text", SET_SECRET)
        if check is not None:
            check(value)
        return SecretStr(value)

    return WrapValidator(validate)


def _in_clear(value: Any) -> Any:
    """A value that may be anything but a secret."""
    if has_secret(value):
        raise wrong("this is not a secret setting: it would stand in clear in state and previews", NOT_SECRET)
    return value


NOT_SECRET = "Write it without secure"  # noqa: S105  (what to do)
IN_CLEAR = "this secret is in clear"
SET_SECRET = "Set it as a secret"  # noqa: S105  (what to do; where it is known which, `set_secret` says how)


def set_secret(path: str, client: str) -> str:
    """What to do about a secret that stands in clear. A root secret stays: all that is derived from it would change."""
    new = "" if path.endswith(":rootSecret") else ". Have a new one issued, if anybody else has seen the file"
    return f"Give it to this command, which asks for it: {sealing(path, client)}{new}"


def sealing(path: str, client: str) -> str:
    """The command that asks for a secret and writes it into the client's stack file, encrypted."""
    return f"pulumi config set --secret --path '{path}' --stack {client}"


_SECURE = WithJsonSchema(
    {
        "type": "object",
        "properties": {"secure": {"type": "string"}},
        "required": ["secure"],
        "additionalProperties": False,
    }
)
Sealed = Annotated[SecretStr, _secret(), _SECURE]
MaybeSealed = Annotated[
    SecretStr, _secret(clear=True), WithJsonSchema({"anyOf": [{"type": "string"}, _SECURE.json_schema or {}]})
]
Plain = Annotated[Any, AfterValidator(_in_clear)]
RootSecret = Annotated[SecretStr, _secret(_root_secret), _SECURE]
HetznerToken = Annotated[SecretStr, _secret(_hetzner_token), _SECURE]
CloudflareToken = Annotated[SecretStr, _secret(_cloudflare_token), _SECURE]


SshPublicKey = Annotated[str, AfterValidator(_ssh_key)]

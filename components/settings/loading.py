"""Settings of the running program, and of a stack file that nobody has decrypted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from components.problems import Problem, Problems
from components.settings import yaml_text
from components.settings.base import dotted
from components.settings.model import Settings
from components.settings.parsing import parse
from components.settings.sealed import seal
from components.settings.secret_forms import IN_CLEAR, NOT_SECRET, set_secret

PREFIX = "gatehouse:"
STACKS = Path(__file__).resolve().parents[2] / "stacks"


def load() -> Settings:
    """The settings of the stack that the engine runs this program for. Raises Problems with every mistake.

    The engine hands secrets out decrypted, and says of a whole setting only whether there is a secret in it. So the
    stack file itself is looked at too, where it is in its usual place, for a secret that stands in clear beside others.
    """
    import pulumi  # noqa: PLC0415  (checking a file needs no engine)
    from pulumi.runtime import config as runtime  # noqa: PLC0415

    raw: dict[str, object] = {}
    in_clear: list[str] = []
    for key, text in runtime.CONFIG.get().items():
        if key.startswith(PREFIX):
            name = key.removeprefix(PREFIX)
            raw[name] = _value(text)
            if not runtime.is_config_secret(key):
                in_clear += _secrets_in(name, raw[name])
    client = str(raw.get("client", "NAME"))
    found = [Problem(path, IN_CLEAR, set_secret(path, client)) for path in in_clear]
    file = stack_file(pulumi.get_stack())
    found += _another_clients(file, raw)
    if file.exists():
        found += _misplaced_secrets(file)
    if runtime.is_config_secret(f"{PREFIX}objects"):
        raw["objects"] = seal(raw["objects"], read(file).get("objects") if file.exists() else None)
    return _parsed(raw, found)


def parse_decrypted(raw: Mapping[str, object], file: Path) -> Settings:
    """The settings of a stack file whose secrets somebody has decrypted. Raises Problems with every mistake."""
    if "objects" in raw:
        raw = {**raw, "objects": seal(raw["objects"], read(file).get("objects"))}
    return parse(raw)


def check_file(path: Path) -> Settings:
    """The settings of a stack file as it lies there: no passphrase, no engine, nothing contacted.

    Secret values are empty. Raises Problems with every mistake, FileNotFoundError without such a file.
    """
    raw = read(path)
    return _parsed(raw, _another_clients(path, raw), sealed=True)


def _parsed(raw: Mapping[str, object], found: list[Problem], *, sealed: bool = False) -> Settings:
    """The settings, unless something was found already: then that comes together with all other mistakes."""
    try:
        settings = parse(raw, sealed=sealed)
    except Problems as error:
        raise Problems(sorted({*error.problems, *found})) from None
    if found:
        raise Problems(sorted(set(found)))
    return settings


def stack_file(stack: str) -> Path:
    """The file of a stack; `stack` is its name, with or without organisation and project before it."""
    return STACKS / f"Pulumi.{stack.rsplit('/', 1)[-1]}.yaml"


def read(path: Path) -> dict[str, object]:
    """What a stack file says, key by key without `gatehouse:`, secrets as they stand there.

    Raises Problems for a file that is none, FileNotFoundError without one.
    """
    try:
        document = yaml_text.loaded(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        what = f"it is not written in UTF-8 (line {line}, perhaps in Latin-1)"
        remedy = f"Save it as UTF-8: iconv -f LATIN1 -t UTF-8 {path.name} > new, and put that in its place"
        raise Problems([Problem(f"stacks/{path.name}", what, remedy)]) from None
    except yaml.YAMLError as error:
        what, at = yaml_text.mistake(error)
        what = f"it is not YAML: {what} ({f'line {at}' if at else 'the file'})"
        raise Problems(
            [
                Problem(
                    f"stacks/{path.name}",
                    what,
                    "Correct what is there: keys, indentation (spaces, no tabs), quotes, brackets",
                )
            ]
        ) from None
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise Problems(
            [Problem(f"stacks/{path.name}", "it has no `config:`", "Put the settings below `config:`")]
        )
    return {
        str(key).removeprefix(PREFIX): value for key, value in config.items() if str(key).startswith(PREFIX)
    }


def _another_clients(path: Path, raw: Mapping[str, object]) -> list[Problem]:
    """A copied stack file brings another client's name along, and with it that client's server, keys and secrets."""
    client, name = raw.get("client"), path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    if not path.name.startswith("Pulumi.") or not isinstance(client, str) or client == name:
        return []
    return [
        Problem(
            dotted("client"),
            f"{client!r} is not the client whose stack file this is, which is {name}",
            f"Write {name}; if the file is a copy, throw it away and make one with ./gatehouse new {name}, since "
            f"clients must not share a root secret",
        )
    ]


def _misplaced_secrets(path: Path) -> list[Problem]:
    """Secrets that stand in clear, and secrets in settings that end up in clear."""
    try:
        check_file(path)
    except Problems as error:
        return [
            problem for problem in error.problems if problem.what == IN_CLEAR or problem.remedy == NOT_SECRET
        ]
    return []


def _value(text: object) -> object:
    """Objects and lists come as JSON; a scalar comes as its text, and the models make of it what it should be."""
    if isinstance(text, str) and text[:1] in "{[":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


_SECRET_SETTINGS = (
    ("rootSecret",),
    ("hetznerToken",),
    ("cloudflareToken",),
    ("authentik", "token"),
    ("email", "password"),
    ("secrets", "overrides"),
    ("apps", "*", "clientSecret"),
    ("apps", "*", "scim", "token"),
)
"""Where secrets are; `*` stands for any name."""


def _secrets_in(name: str, value: Any) -> list[str]:
    """The paths of secret settings in a setting that holds no secret as far as the engine knows."""
    return [
        dotted(*path)
        for first, *rest in _SECRET_SETTINGS
        if first == name
        for path in _there((name,), value, rest)
    ]


def _there(path: tuple[str, ...], value: Any, rest: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The paths below `path` that there is something at."""
    if not rest:
        if value or len(path) == 1:
            yield path
    elif isinstance(value, Mapping):
        for key in value if rest[0] == "*" else rest[:1]:
            yield from _there((*path, str(key)), value.get(key), rest[1:])

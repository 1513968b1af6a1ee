"""What is entered in apps: read by the parser of its format, else looked over by people and kept in golden/."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.apps.sheet import Sheet, sheet
from components.settings import AppContext, Settings, presets
from components.settings.presets import Format
from tests.presets.samples import PAIRS, app
from tests.presets.test_presets import client

GOLDEN = Path(__file__).parent / "golden"
SECRET = "s3cret-'single'-\"double\"-$dollar-\\back-%percent"
"""What a client brings along may have every character that some format gives a meaning to."""
CLIENT_ID = "client-0"


def of(
    name: str, protocol: str, *, wanted: str | None = None, show_secrets: bool = True, **more: Any
) -> Sheet:
    """The sheet of a preset's app, with a client id and a secret that are hard to write down."""
    if protocol == "oidc":
        more = {"clientId": CLIENT_ID, "clientSecret": SECRET} | more
    said = app(name, protocol, **more)
    if presets.built_in(name).protocols[protocol].app.get("clientType") == "public":
        said.pop("clientSecret", None)
    settings = client(app=said)
    return sheet(
        settings.apps[0], AppContext(settings, settings.derived()), show_secrets=show_secrets, wanted=wanted
    )


def texts(value: Any) -> Iterator[str]:
    """All texts in a value."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)
    else:
        yield str(value)


def env(text: str) -> list[str]:
    """As docker reads it: a name, =, and the rest of the line as it is."""
    lines = [line.partition("=") for line in text.splitlines()]
    assert all(re.fullmatch(r"[A-Za-z_][\w-]*", name) and equal for name, equal, _ in lines), text
    assert len({name for name, _, _ in lines}) == len(lines)
    return [value for _, _, value in lines]


def ini(text: str) -> list[str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return [value for section in parser.sections() for value in parser[section].values()]


def commands(text: str) -> list[str]:
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    return [value.partition("=")[2] or value for value in shlex.split(text)] + shlex.split(text)


def python(text: str) -> list[str]:
    return [str(each.value) for each in ast.walk(ast.parse(text)) if isinstance(each, ast.Constant)]


PARSERS: dict[Format, Callable[[str], list[str]]] = {
    "json": lambda text: [*texts(json.loads(text))],
    "yaml": lambda text: [*texts([*yaml.safe_load_all(text)])],
    "env": env,
    "ini": ini,
    "commands": commands,
    "python": python,
}


def formats(name: str, protocol: str) -> list[str]:
    return [*dict.fromkeys(each.format for each in of(name, protocol).entries), *of(name, protocol).others]


@pytest.mark.parametrize(("name", "protocol"), PAIRS)
def test_what_is_entered_is_read_by_a_parser_of_its_format(name: str, protocol: str) -> None:
    """A secret comes out of the parser as it went in, whatever is in it."""
    for wanted in (None, *of(name, protocol).others):
        found = of(name, protocol, wanted=wanted)
        read = [
            value
            for each in found.entries
            if each.format in PARSERS
            for value in PARSERS[each.format](each.text)
        ]
        whole = "\n".join(each.text for each in found.entries)
        assert "${" not in whole
        assert "{%" not in whole
        marked = [value for value in read if "s3cret-" in value]
        if protocol == "oidc" and "s3cret" in whole and not whole.startswith("PAPERLESS"):
            assert all(SECRET in value for value in marked)
            assert marked or not read or any(each.format not in PARSERS for each in found.entries)


def test_json_inside_an_environment_variable() -> None:
    (entry,) = of("paperless-ngx", "oidc", clientSecret="s" * 40).entries
    values = dict(line.split("=", 1) for line in entry.text.splitlines())
    inner = json.loads(values["PAPERLESS_SOCIALACCOUNT_PROVIDERS"])
    assert inner["openid_connect"]["APPS"][0]["secret"] == "s" * 40


@pytest.mark.parametrize(("name", "protocol"), PAIRS)
def test_what_no_parser_reads_is_as_it_was_looked_over(name: str, protocol: str) -> None:
    """golden/ has them; `python -m tests.presets` writes what has changed, for a person to look over."""
    text = unread(name, protocol)
    file = GOLDEN / f"{name}-{protocol}.txt"
    assert file.exists() == bool(text)
    assert not text or file.read_text() == text


def unread(name: str, protocol: str) -> str:
    """What of a preset no parser reads, with an ordinary secret."""
    found = of(
        name, protocol, **({"clientSecret": "s" * 40} if protocol == "oidc" else {}), show_secrets=False
    )
    return "".join(f"## {each.where}\n{each.text}\n" for each in found.entries if each.format not in PARSERS)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_javascript_is_some(tmp_path: Path) -> None:
    (entry,) = of("node-red", "oidc").entries
    file = tmp_path / "settings.js"
    file.write_text(f"module.exports = {{\n{entry.text}\n}};\n")
    subprocess.run(["node", "--check", str(file)], check=True)


def test_secrets_are_left_out_unless_they_are_asked_for() -> None:
    hidden = of("grafana", "oidc", show_secrets=False)
    assert hidden.hidden
    assert SECRET not in str(hidden)
    assert "<the client secret: add --show-secrets>" in hidden.entries[0].text
    assert not of("zammad", "oidc", show_secrets=False).hidden  # a public app has none


def test_another_format_takes_the_place_of_the_usual_one() -> None:
    assert [each.format for each in of("grafana", "oidc").entries] == ["env"]
    assert [each.format for each in of("grafana", "oidc", wanted="ini").entries] == ["ini"]
    assert [each.format for each in of("gitea", "oidc", wanted="env").entries] == ["commands", "env"]
    with pytest.raises(LookupError):
        of("grafana", "oidc", wanted="json")


def test_an_app_without_a_preset_gets_the_values_of_its_protocol() -> None:
    wiki = {"protocol": "oidc", "url": "https://wiki.acme.example", "everyone": True,
            "redirectUris": ["https://wiki.acme.example/cb"]}  # fmt: skip
    assert entered(client(wiki={**wiki, "clientId": "wiki"})).splitlines()[:3] == [
        "Issuer: https://auth.acme.example/application/o/wiki/",
        "Discovery URL: https://auth.acme.example/application/o/wiki/.well-known/openid-configuration",
        "Client ID: wiki",
    ]
    saml = {"protocol": "saml", "url": "https://wiki.acme.example", "everyone": True,
            "acsUrl": "https://wiki.acme.example/acs"}  # fmt: skip
    assert "Metadata URL: https://auth.acme.example/application/saml/wiki/metadata/" in entered(
        client(wiki=saml)
    )
    ldap = {
        "protocol": "ldap",
        "url": "https://wiki.acme.example",
        "everyone": True,
        "clients": ["192.0.2.1/32"],
    }
    assert "LDAP URL: ldaps://auth.acme.example:636" in entered(client(wiki=ldap))
    radius = {**ldap, "protocol": "radius"}
    assert "Radius host: auth.acme.example\nRadius port: 1812\nShared secret: <" in entered(
        client(wiki=radius)
    )


def entered(settings: Settings) -> str:
    (app,) = settings.apps
    (entry,) = sheet(app, AppContext(settings, settings.derived()), show_secrets=False).entries
    return entry.text


def test_the_groups_of_a_role_are_entered_the_mightiest_role_first() -> None:
    roles = {"Editor": ["staff"], "Admin": ["staff"]}
    text = "".join(entry.text for entry in of("grafana", "oidc", roles=roles).entries)
    path = "contains(groups[*], 'staff') && 'Admin' || contains(groups[*], 'staff') && 'Editor' || 'Viewer'"
    assert path in text


@pytest.mark.parametrize("name", [name for name in presets.names(own=False) if presets.built_in(name).roles])
def test_roles_reach_the_app(name: str) -> None:
    """As groups in its settings, or as a claim that its settings or its preset name."""
    preset, entered = presets.built_in(name), ""
    for protocol in preset.protocols:
        for each in of(name, protocol, roles={role: ["staff"] for role in preset.roles}).entries:
            if each.format in PARSERS:
                PARSERS[each.format](each.text)
            entered += each.text + "\n"
    assert re.search(r"staff|(?m:: roles$)", entered) or "entitlements" in str(preset.protocols)

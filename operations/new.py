"""`gatehouse new`: a stack file for a client, with a root secret that nobody else has."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import yaml

from components.secrets import new_root_secret
from components.settings import parse
from operations.errors import OperatorError
from operations.finding import errors
from operations.passphrase import passphrase
from operations.stack import PROJECT, ROOT, Stack, require_engine

TEMPLATE = """\
# The front door of {{ client }}. Every setting, with its meaning: docs/settings.md
encryptionsalt: {{ salt }}
config:
  gatehouse:client: {{ client }}
  # A zone at Cloudflare; authentik answers at https://auth.{{ domain }}
  gatehouse:domain: {{ domain }}
  # All passwords, tokens and keys of this client come from it. Keep a copy of this file and its passphrase.
  gatehouse:rootSecret:
    secure: {{ root }}
{% if authentik_url %}
  # No server of ours: authentik runs already, at authentik.url below.
  gatehouse:box: none
{% elif box_host %}
  # A server that exists already, reached over SSH.
  gatehouse:box: {host: {{ box_host }}, hostKey: {{ box_host_key }}}
{% else %}
  gatehouse:server: {type: {{ server_type }}, location: {{ location }}, image: debian-12}
{% endif %}
  gatehouse:operators:
    - {name: {{ operator }}, email: {{ email }}{% if ssh_key %}, sshKey: {{ ssh_key }}{% endif %}}
  gatehouse:authentik:
    version: {{ version }}
{% if authentik_url %}
    url: {{ authentik_url }}
    # An API token of an administrator there, read from standard input by:
    #   pulumi config set --stack {{ client }} --secret --path gatehouse:authentik.token
{% endif %}
  gatehouse:groups: [staff]
  gatehouse:people: []
  #  - {username: jane, name: Jane Doe, email: jane@{{ domain }}, groups: [staff]}
  gatehouse:apps: {}
  #  grafana: {preset: grafana, url: "https://grafana.{{ domain }}", groups: [staff]}
"""


@dataclass(frozen=True)
class NewClient:
    """What `gatehouse new` has to know; each is a setting of the same name."""

    client: str
    domain: str
    operator: str
    email: str
    ssh_key: str | None
    server_type: str
    location: str
    version: str
    box_host: str | None
    box_host_key: str | None
    authentik_url: str | None


def new(wanted: NewClient) -> Stack:
    """Write the stack file of a new client and make its (empty) stack.

    The file is checked before it is written; the root secret goes to Pulumi by standard input, never as an
    argument.

    Raises:
        OperatorError: a stack file of that name is there already, or the engine, the passphrase or a key is missing.
        components.problems.Problems: what was asked for is no valid stack file.
    """
    stack = Stack(wanted.client)
    if stack.file.exists():
        raise OperatorError(
            f"stacks/{stack.file.name} exists already.", "Choose another name, or edit that file."
        )
    root = new_root_secret()
    if not wanted.authentik_url:
        wanted = replace(wanted, ssh_key=public_key(wanted.ssh_key))
    check(wanted, root)
    require_engine()
    for problem in errors(passphrase()):
        raise OperatorError(
            f"There is no passphrase to encrypt the client's root secret with: {problem.what}.",
            problem.remedy,
        )
    stack.file.parent.mkdir(exist_ok=True)
    _ = stack.automation
    encrypted = encrypt(stack, root)
    secure = encrypted["config"][f"{PROJECT}:rootSecret"]["secure"]
    stack.file.write_text(rendered(wanted, encrypted["encryptionsalt"], secure))
    return stack


OWN_KEYS = ("id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub")
"""Where ssh keeps an operator's own keys, below ~/.ssh, best first."""


def public_key(given: str | None) -> str:
    """The line of a public key: as it was given, out of the file that was named, or out of the operator's own.

    Raises:
        OperatorError: there is no such file, or no key of the operator's own.
    """
    if given and len(given.split()) > 1:
        return given
    own = [Path.home() / ".ssh" / name for name in OWN_KEYS]
    for file in [Path(given).expanduser()] if given else own:
        if file.is_file():
            return file.read_text().strip()
    raise OperatorError(
        f"There is no file {given}."
        if given
        else "There is no public SSH key in ~/.ssh to let you into the box with.",
        "Give the line of your public key, or the file that has it, with --ssh-key; `ssh-keygen -t ed25519` makes one.",
    )


def encrypt(stack: Stack, root: str) -> Any:
    """Let Pulumi encrypt the root secret into the stack file; the file's content afterwards.

    Raises:
        OperatorError: Pulumi refused.
    """
    command = stack.automation.workspace.pulumi_command.command
    done = subprocess.run(
        [
            command,
            "--non-interactive",
            "config",
            "set",
            "--secret",
            f"{PROJECT}:rootSecret",
            "--stack",
            stack.name,
        ],
        cwd=ROOT,
        env={**os.environ, **stack.automation.workspace.env_vars},
        input=root,
        text=True,
        check=False,
        capture_output=True,
    )
    if done.returncode:
        raise OperatorError(
            f"Pulumi says: {done.stderr.strip()}",
            f"Put right what it names, remove stacks/{stack.file.name}, then run the same command again.",
        )
    return yaml.safe_load(stack.file.read_text())


def rendered(wanted: NewClient, salt: str, root: str) -> str:
    """The text of the stack file."""
    environment = jinja2.Environment(
        trim_blocks=True,
        autoescape=False,  # noqa: S701 (YAML, not HTML: each value passes through `scalar`)
        undefined=jinja2.StrictUndefined,
        finalize=scalar,
    )
    return environment.from_string(TEMPLATE).render(**vars(wanted), salt=salt, root=root)


def scalar(value: object) -> object:
    """A value as YAML writes it inside a flow mapping, quoted where it has to be."""
    if not isinstance(value, str):
        return value
    return yaml.safe_dump([value], default_flow_style=True, width=10_000, allow_unicode=True).strip()[1:-1]


def check(wanted: NewClient, root: str) -> None:
    """Check the stack file that would be written.

    Raises:
        components.problems.Problems: every mistake in it.
    """
    document = yaml.safe_load(rendered(wanted, "none", root))["config"]
    parse({key.removeprefix(f"{PROJECT}:"): value for key, value in document.items()}, sealed=True)

"""What the engine is told of a box's backups, and what the program that it runs does on the box."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from typing import Any

import pytest

from components import box
from components.backup import install
from components.backup.files import files
from components.host.host import scripts_hash
from components.plan import plan
from tests.host.mocks import Registered, run, secrets, settings

SFTP = {
    "repository": "sftp://acme@backup.example:23//sso",
    "hostKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
}
B2 = {"repository": "b2:acme-sso:box", "keyId": "an-id", "key": "a-key-of-b2"}


def declared(backup: dict[str, Any] | None) -> list[Registered]:
    import pulumi

    given = settings(backup=backup, cloudflareToken="a-token")
    made = plan(given, given.derived())
    assert made.box
    return run(lambda: box.declare(made, made.box, pulumi.ResourceOptions()))  # type: ignore[arg-type]


def commands(backup: dict[str, Any] | None) -> dict[str, Registered]:
    return {each.name: each for each in declared(backup) if each.type == "command:local:Command"}


def test_what_opens_the_repository_is_secret_to_the_engine() -> None:
    made = commands(B2)["backups"]
    assert "stdin" in made.secret
    assert "a-key-of-b2" not in made.text and secrets().value("backup/password") not in made.text
    order = install.Order.parse(made.inputs["stdin"])
    environment = {path.rpartition("/")[2]: text for path, _, text in order.files}["environment"]
    assert "B2_ACCOUNT_KEY=a-key-of-b2\n" in environment
    assert f"RESTIC_PASSWORD={secrets().value('backup/password')}\n" in environment
    assert all(mode == "0600" for path, mode, _ in order.files if path.startswith("/etc/gatehouse/"))


def test_without_backups_nothing_of_the_box_changes() -> None:
    assert set(commands(None)) == {"hardening"}
    assert commands(None)["hardening"].inputs == commands(B2)["hardening"].inputs
    assert json.loads(commands(B2)["hardening"].inputs["stdin"])["scripts"] == scripts_hash()


def test_a_server_of_sftp_is_entered_with_a_key_of_its_own_and_known_by_its_own() -> None:
    given = settings(backup=SFTP)
    assert given.backup
    told = {path.rpartition("/")[2]: text for path, _, text in files(given, given.backup, secrets())}
    assert told["ssh-key"] == secrets().ssh_key("ssh/backup").private
    assert "-p 23 " in told["sftp"] and "-l acme backup.example -s sftp" in told["sftp"]
    assert told["known-hosts"].startswith("gatehouse-backup ssh-ed25519 AAAA")
    made = plan(given, given.derived())
    assert made.outputs["backupKey"] == secrets().ssh_key("ssh/backup").public
    assert "backupKey" not in plan(settings(), secrets()).outputs
    short = settings(backup=SFTP | {"repository": "sftp:acme@backup.example:/sso"})
    assert short.backup
    told = {path.rpartition("/")[2]: text for path, _, text in files(short, short.backup, secrets())}
    assert "-p 22 " in told["sftp"] and "-l acme backup.example -s sftp" in told["sftp"]


def test_a_password_with_signs_in_it_is_a_password_of_a_url() -> None:
    given = settings(
        backup={"repository": "rest:https://backup.example/acme", "keyId": "acme", "key": "a/b@c:d"}
    )
    assert given.backup
    told = given.backup.environment("p")
    assert told["RESTIC_REPOSITORY"] == "rest:https://acme:a%2Fb%40c%3Ad@backup.example/acme"


@pytest.mark.parametrize("flags", [[], ["--remove"]])
def test_nothing_secret_is_in_a_command_line(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[list[str], str]] = []

    def ssh(argv: list[str], *, input: str, **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append((argv, input))
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr("components.host.shell.subprocess.run", ssh)
    monkeypatch.setattr("sys.stdin", io.StringIO(commands(B2)["backups"].inputs["stdin"]))
    assert install.main(flags) == 0
    ((argv, given),) = calls
    assert "a-key-of-b2" not in " ".join(argv)
    said = capsys.readouterr().out
    assert said == (
        "203.0.113.10: no backups any more\n"
        if flags
        else "203.0.113.10: backed up to b2:acme-sso:box each night\n"
    )
    lines = [line.split(" ") for line in given.splitlines()]
    texts = {path: base64.b64decode(data).decode() for path, _, data in lines}
    assert bool(texts) is not bool(flags)
    assert flags or texts["/usr/local/lib/gatehouse/backup"].startswith("#!/bin/bash")


@pytest.mark.parametrize("text", ["", "[]", '{"client": "acme", "files": ["SECRET"]}', "{"])
def test_an_order_that_is_none_is_not_repeated(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert install.main([]) == 1
    assert (
        capsys.readouterr().err == "gatehouse: the order on standard input is not what this program takes\n"
    )

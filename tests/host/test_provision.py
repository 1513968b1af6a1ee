from __future__ import annotations

import copy
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.host import provision, user_data
from tests.host.fake_box import FIRST, REAL, FakeBox, blob

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [["authentik", "0750", 1000], ["redis", "0700", None]]
DEPLOY, SAM = ["deploy", "ssh-ed25519 AAAAdeploy deploy"], ["sam", "ssh-ed25519 AAAAsam sam@laptop"]


@dataclass
class Done:
    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """`python -m components.host.provision` in this process, with a fake box in the place of ssh."""

    def once(box: FakeBox, *flags: str, **order: Any) -> Done:
        document = {
            "client": "acme", "address": "203.0.113.10", "ssh": ["ssh", "-F", "config"], "volume": "77",
            "host_private": REAL.private, "host_public": REAL.public, "first_public": FIRST.public,
            "accounts": [DEPLOY, SAM], "folders": FOLDERS, "reach_seconds": 0.3, "settle_seconds": 0.1, **order,
        }  # fmt: skip
        monkeypatch.setattr("components.host.shell.subprocess.run", box.run)
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(document)))
        monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
        status = provision.main([*flags])
        return Done(status, *capsys.readouterr())

    return once


def test_a_new_server_is_brought_up(run: Any) -> None:
    box = FakeBox()
    done = run(box, "--first-contact")
    assert done == Done(0, "203.0.113.10: host key installed, hardened, docker 20.10.24 answers\n", "")
    assert box.host_private == REAL.private
    assert box.accounts == [" ".join(DEPLOY), " ".join(SAM)]
    assert box.script == user_data.hardening_script()
    assert (box.layout, box.folders) == ("77", "authentik 0750 1000\nredis 0700 -\n")
    # What `ps` shows on both sides has no key in it.
    assert REAL.private.splitlines()[1] not in " ".join(box.argv)


def test_a_box_that_is_ready_is_left_alone(run: Any) -> None:
    box = FakeBox(host_key=blob(REAL.public), hardening=user_data.hardening_record([]))
    assert run(box).out == "203.0.113.10: already hardened, docker 20.10.24 answers\n"
    assert not box.host_private and not box.hardened_with


def test_a_changed_script_reaches_an_old_box(run: Any) -> None:
    box = FakeBox(host_key=blob(REAL.public), hardening="0" * 64)
    assert "hardened, docker" in run(box).out
    assert box.hardening == user_data.hardening_record([])


def test_a_changed_allow_list_reaches_an_old_box(run: Any) -> None:
    box = FakeBox(host_key=blob(REAL.public), hardening=user_data.hardening_record([]))
    assert "hardened, docker" in run(box, hardening=["--trusted", "198.51.100.0/24"]).out
    assert box.hardening == user_data.hardening_record(["--trusted", "198.51.100.0/24"])
    assert "already hardened" in run(box, hardening=["--trusted", "198.51.100.0/24"]).out
    assert "hardened, docker" in run(box, hardening=["--open", "8080/tcp"]).out
    assert box.hardening == user_data.hardening_record(["--open", "8080/tcp"])


def test_only_the_first_contact_takes_the_key_of_the_first_boot(run: Any) -> None:
    box = FakeBox()
    done = run(box)
    assert done.status == 1 and done.out == ""
    assert "does not have the SSH host key of acme's box: nothing was sent to it" in done.err
    assert "203.0.113.10" in done.err
    assert done.err.index("gatehouse:rootSecret was changed") < done.err.index("gatehouse:rebuild")
    assert box.entered == 0


def test_a_stranger_at_the_address_is_refused(run: Any) -> None:
    box = FakeBox(host_key="AAAAsomebodyelse")
    done = run(box, "--first-contact", settle_seconds=0.01)
    assert done.status == 1 and "nothing was sent to it" in done.err
    assert box.entered == 0 and box.refused_by_client >= 2


@pytest.mark.parametrize("words", ["Connection refused", "Connection timed out", "No route to host"])
def test_a_box_that_does_not_answer(run: Any, words: str) -> None:
    done = run(FakeBox(deaf=10**9, deaf_words=words), "--first-contact", reach_seconds=0.01)
    assert done.status == 1 and words in done.err
    assert "No SSH connection to 203.0.113.10, port 22, for 0 s" in done.err
    assert "gatehouse:network.sshFrom" in done.err


def test_a_box_that_is_still_booting_is_waited_for(run: Any) -> None:
    assert run(FakeBox(deaf=3), "--first-contact", reach_seconds=20).status == 0


def test_a_key_that_is_refused(run: Any) -> None:
    done = run(FakeBox(host_key=blob(REAL.public), users={"root"}))
    assert done.status == 1
    assert "right host key but refuses the user deploy" in done.err and "AllowGroups" in done.err


def test_hardening_that_fails_says_what_the_box_said(run: Any) -> None:
    done = run(FakeBox(harden_fails=True, cloud_init="error"), "--first-contact")
    assert done.status == 1
    assert "hardening did not end well (cloud-init had ended as `error`)" in done.err
    assert "E: Unable to locate package docker.io" in done.err


def test_a_step_that_hangs_is_given_up(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    box = FakeBox(host_key=blob(REAL.public))

    def hang(argv: list[str], *, timeout: float, **options: Any) -> Any:
        if "cloud-init" in argv[-1]:
            raise subprocess.TimeoutExpired(argv, timeout)
        return FakeBox.run(box, argv, **options)

    monkeypatch.setattr(box, "run", hang)
    done = run(box)
    assert done.status == 1 and "a step took longer than 960 s and was given up" in done.err


@pytest.mark.parametrize("first_user", ["deploy", "root"])
def test_a_connection_lost_anywhere_is_gone_on_from(run: Any, first_user: str) -> None:
    fresh = FakeBox(users={first_user})
    complete = copy.deepcopy(fresh)
    assert run(complete, "--first-contact", first_user=first_user).status == 0
    assert complete.calls > 8
    for at in range(1, complete.calls + 1):
        box = copy.deepcopy(fresh)
        box.die_at = at
        run(box, "--first-contact", first_user=first_user, guarded=True, reach_seconds=0)
        box.die_at = 0
        again = run(box, "--first-contact", first_user=first_user, guarded=True)
        assert again.status == 0, f"after a loss in call {at}: {again.err}"
        for fact in ("host_key", "host_private", "accounts", "hardening", "layout", "users"):
            assert getattr(box, fact) == getattr(complete, fact), f"{fact} after a loss in call {at}"


@pytest.mark.parametrize("first_user", ["deploy", "root"])
def test_a_connection_lost_anywhere_is_tried_again(run: Any, first_user: str) -> None:
    """sshd is reloaded while a box settles, and refuses for a moment."""
    fresh = FakeBox(users={first_user})
    complete = copy.deepcopy(fresh)
    order = {"first_user": first_user, "guarded": True, "reach_seconds": 20, "settle_seconds": 5}
    assert run(complete, "--first-contact", **order).status == 0
    for at in range(1, complete.calls + 1):
        box = copy.deepcopy(fresh)
        box.die_at = at
        done = run(box, "--first-contact", **order)
        assert done.status == 0, f"after a loss in call {at}: {done.err}"
        for fact in ("host_key", "host_private", "accounts", "hardening", "layout", "users"):
            assert getattr(box, fact) == getattr(complete, fact), f"{fact} after a loss in call {at}"


def test_a_box_that_was_there_is_entered_by_the_operator_once(run: Any) -> None:
    box = FakeBox(users={"root"}, cloud_init="none")
    done = run(
        box, "--first-contact", first_user="root", port=2222, volume=None, hardening=["--ssh-port", "2222"]
    )
    assert done.status == 0, done.err
    assert "deploy" in box.users and "--ssh-port 2222" in box.hardened_with
    assert all(" -p 2222 " in line for line in box.argv)
    by_root = [line for line in box.argv if " root@" in line]
    assert by_root and all("-F config" not in line and "sudo" not in line for line in by_root)


def test_a_box_that_somebody_else_uses_is_left_as_it_is(run: Any) -> None:
    box = FakeBox(
        users={"root"},
        cloud_init="none",
        others="a container of docker: shop\na rule of ufw: ufw allow 8080\n",
    )
    before = copy.deepcopy(box)
    order = {"first_user": "root", "volume": None, "guarded": True}
    done = run(box, "--first-contact", **order)
    assert (
        done.status == 1
        and "203.0.113.10: somebody else uses this box, and nothing was changed on it" in done.err
    )
    for words in (
        "container of docker: shop",
        "ufw allow 8080",
        "every port but 22, 80 and 443",
        "`adopt: true` in gatehouse:box",
    ):
        assert words in done.err
    for fact in ("host_key", "host_private", "users", "accounts", "script", "hardening", "layout"):
        assert getattr(box, fact) == getattr(before, fact), fact
    done = run(box, "--first-contact", **order, hardening=["--open", "8080/tcp"])
    assert done.status == 1 and "every port but 22, 80, 443 and 8080/tcp" in done.err
    # The operator's word is enough, and so is a box that is empty.
    assert run(box, "--first-contact", **order | {"guarded": False}).status == 0
    assert run(FakeBox(users={"root"}), "--first-contact", **order).status == 0


@pytest.mark.parametrize("text", ["", "[]", '{"client": "acme", "host_private": "PRIVATE"}', "{"])
def test_an_order_that_is_none_is_not_repeated(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert provision.main([]) == 1
    assert (
        capsys.readouterr().err == "gatehouse: the order on standard input is not what this program takes\n"
    )


def test_it_runs_from_the_checkout_as_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "components.host.provision"], cwd=ROOT, input="{}", capture_output=True, text=True,
        check=False, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("gatehouse: ")

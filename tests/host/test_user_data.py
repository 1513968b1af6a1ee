from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from components.host import user_data
from tests.host.mocks import secrets

HOST = Path(user_data.__file__).parent
GOLDEN = Path(__file__).with_name("user_data.golden")
SCRIPTS = sorted(HOST.glob("*.sh"))


def made() -> str:
    return user_data.user_data(
        deploy_key=secrets().ssh_key("ssh/deploy").public, first_boot=secrets().ssh_key("ssh/first-boot")
    )


def test_the_text_is_what_it_was() -> None:
    """To Hetzner's provider another byte is another server; the script in it has a hash of its own for that."""
    script = "\n".join(f"      {line}".rstrip() for line in user_data.hardening_script().splitlines())
    text = made()
    assert text.count(script) == 1
    text = text.replace(script, "      (components/host/harden.sh)")
    key = secrets().ssh_key("ssh/first-boot").private
    text = text.replace(
        "".join(f"    {line}\n" for line in key.splitlines()), "    (the key of the first boot)\n"
    )
    if os.environ.get("GATEHOUSE_WRITE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()
    assert made() == made() and text.endswith("]\n") and not text.endswith("\n\n")


def test_cloud_init_reads_what_was_meant() -> None:
    text = made()
    assert text.startswith("#cloud-config\n")
    parsed = yaml.safe_load(text)
    keys, (user,), (file,) = parsed["ssh_keys"], parsed["users"], parsed["write_files"]
    assert keys["ed25519_private"] == secrets().ssh_key("ssh/first-boot").private
    assert user["ssh_authorized_keys"] == [secrets().ssh_key("ssh/deploy").public]
    assert file["content"] == user_data.hardening_script()
    assert parsed["runcmd"] == [[file["path"]]]
    assert (parsed["ssh_pwauth"], parsed["disable_root"]) == (False, True)


def test_no_secret_is_in_it_but_the_key_of_the_first_boot() -> None:
    text, all_ = made(), secrets()
    named = ["postgres/password", "redis/password", "authentik/secret-key", "authentik/bootstrap-password"]
    named += ["authentik/bootstrap-token", "authentik/service-token", "npm/admin-password"]
    hidden = [all_.value(name) for name in named]
    hidden += [
        line for name in ("ssh/deploy", "ssh/host") for line in all_.ssh_key(name).private.splitlines()[1:-1]
    ]
    shared = set(all_.ssh_key("ssh/first-boot").private.splitlines())
    assert [value for value in hidden if value not in shared and value in text] == []


def test_text_that_hetzner_would_refuse_is_refused_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_data, "hardening_script", lambda: "x" * 33_000)
    with pytest.raises(ValueError, match="Hetzner takes at most 32768"):
        made()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_bash(script: Path) -> None:
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = script.read_text()
    assert text.startswith("#!/bin/bash\n# ") and "\nset -euo pipefail\n" in text
    assert "\t" not in text and not [line for line in text.splitlines() if line != line.rstrip()]


def test_every_script_is_in_the_hash_that_brings_it_to_old_boxes() -> None:
    from components.host import host

    # All but the one that only looks: nothing of it is on the box.
    assert sorted([*host._SCRIPTS, "takeover.sh"]) == [path.name for path in SCRIPTS]


def test_the_record_tells_scripts_and_arguments_apart() -> None:
    plain = user_data.hardening_record([])
    assert len(plain) == 64
    assert user_data.hardening_record(["--trusted", "10.0.0.0/8"]) == f"{plain} --trusted 10.0.0.0/8"

"""Stands for `ssh` and the box behind it, call by call.

It looks at what a real sshd and the scripts would look at (the pinned key, the user, which script comes) and keeps the
box's condition. `die_at` ends the connection in that call, after half of its work.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.host import user_data
from tests.host.mocks import secrets

REAL, FIRST = secrets().ssh_key("ssh/host"), secrets().ssh_key("ssh/first-boot")


def blob(public: str) -> str:
    """The part of a public key that tells it from others."""
    return public.split()[1]


class _End(Exception):
    pass


@dataclass
class FakeBox:
    """A box as it comes out of its first boot, unless told otherwise."""

    host_key: str = blob(FIRST.public)
    host_private: str = ""
    users: set[str] = field(default_factory=lambda: {"deploy"})
    accounts: list[str] = field(default_factory=list)
    cloud_init: str = "done"
    hardening: str = ""
    hardened_with: str = ""
    harden_fails: bool = False
    others: str = ""
    script: str = ""
    layout: str = ""
    folders: str = ""
    deaf: int = 0
    deaf_words: str = "Connection refused"
    die_at: int = 0
    calls: int = 0
    entered: int = 0
    refused_by_client: int = 0
    argv: list[str] = field(default_factory=list)

    def run(self, argv: list[str], *, input: str, **_: Any) -> subprocess.CompletedProcess[str]:
        """In the place of subprocess.run."""
        self.calls += 1
        self.argv.append(" ".join(argv))
        try:
            self._call(argv, input)
        except _End as end:
            status, out, err = end.args
            return subprocess.CompletedProcess(argv, status, out, err)
        return subprocess.CompletedProcess(argv, 0, "", "")

    def _call(self, argv: list[str], stdin: str) -> None:
        known = re.search(r'UserKnownHostsFile="(.*)"', "\n".join(argv))
        assert known and "StrictHostKeyChecking=yes" in argv and "BatchMode=yes" in argv
        user, command = argv[-2].partition("@")[0], argv[-1]
        if self.calls <= self.deaf:
            raise _End(255, "", f"ssh: connect to host box port 22: {self.deaf_words}")
        if self.host_key not in Path(known.group(1)).read_text():
            self.refused_by_client += 1
            raise _End(
                255, "", "No ED25519 host key is known for gatehouse-acme\nHost key verification failed."
            )
        if user not in self.users:
            raise _End(255, "", f"{user}@box: Permission denied (publickey).")
        self.entered += 1
        self._lost()
        self._script(command, stdin)

    def _lost(self) -> None:
        if self.calls == self.die_at:
            raise _End(255, "", "client_loop: send disconnect: Broken pipe")

    def _script(self, command: str, stdin: str) -> None:
        if "/etc/docker/daemon.json" in command:
            raise _End(0, self.others, "")
        if "ssh_host_ed25519_key" in command:
            self.host_private = stdin
            self._lost()
            self.host_key = blob(REAL.public)
        elif "authorized_keys" in command:
            self.accounts = stdin.splitlines()
            self.users.add("deploy")
        elif "cloud-init status" in command:
            raise _End(0, self.cloud_init + "\n", "")
        elif "cat /etc/gatehouse/hardening" in command:
            raise _End(0, self.hardening + "\n", "")
        elif ".harden." in command:
            self.script = stdin
        elif "/usr/local/lib/gatehouse/harden" in command:
            self.hardened_with = command
            if self.harden_fails:
                raise _End(1, "harden: installing docker.io\nE: Unable to locate package docker.io\n", "")
            self.hardening = user_data.hardening_record(command.rsplit(" gatehouse", maxsplit=1)[-1].split())
        elif "/srv/gatehouse" in command:
            self.layout, self.folders = command.rsplit(maxsplit=1)[-1], stdin
        elif "docker version" in command:
            raise _End(0, "20.10.24\n", "")

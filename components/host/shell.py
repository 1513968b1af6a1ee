"""Runs commands on a box through the local `ssh`, with a pinned host key, and says why it could not."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from components.ssh_errors import Cause, find_cause, last_line

# OpenSSH's exit status for its own failures, as against those of the remote command (ssh(1)).
_OWN_FAILURE = 255
_TAIL_LINES = 25


class BoxError(Exception):
    """Something is wrong with the box or the way to it; the text says what, where and what to do."""


class UnreachableError(BoxError):
    """No connection, or it was lost: trying again may help."""


class HostKeyMismatchError(BoxError):
    """The machine that answers does not have the host key that was pinned."""


class KeyRefusedError(BoxError):
    """The machine is the right one, but it does not let this key in."""


@dataclass(frozen=True)
class Shell:
    """One way into a box.

    `ssh` is the command up to its options (`components.ssh.ssh_command`), `known_hosts` a file with the
    one key line that is accepted, under `alias`.
    """

    ssh: tuple[str, ...]
    user: str
    address: str
    alias: str
    known_hosts: Path
    connect_timeout: int = 10

    def argv(self, command: str) -> list[str]:
        """The local command line. Nothing secret may be in `command`: `ps` shows it on both sides."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": str(self.connect_timeout),
            # A shared connection could still lead to the machine that had this address before.
            "ControlMaster": "no",
            "ControlPath": "none",
            "GlobalKnownHostsFile": "/dev/null",
            "HostKeyAlias": self.alias,
            "LogLevel": "ERROR",
            "ServerAliveCountMax": "6",
            "ServerAliveInterval": "10",
            "StrictHostKeyChecking": "yes",
            "UpdateHostKeys": "no",
            "UserKnownHostsFile": f'"{self.known_hosts}"',
        }
        flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        return [*self.ssh, *flags, "-T", f"{self.user}@{self.address}", command]

    def run(
        self, script: str, *arguments: str, stdin: str = "", timeout: float = 120, root: bool = True
    ) -> str:
        """Run a bash script on the box and give its standard output; `stdin` may be secret, `script` may not.

        Raises UnreachableError, HostKeyMismatchError or KeyRefusedError when ssh itself failed; BoxError with
        the end of what the script said when it failed, or when it took longer than `timeout` seconds.
        """
        command = shlex.join(["bash", "-c", script, "gatehouse", *arguments])
        if root and self.user != "root":
            command = f"sudo -n {command}"
        try:
            done = subprocess.run(
                self.argv(command),
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError:
            raise BoxError("there is no ssh on this machine: install OpenSSH's client") from None
        except subprocess.TimeoutExpired:
            raise BoxError(
                f"{self.address}: a step took longer than {timeout:.0f} s and was given up. Log in and look "
                f"at what is running there, then run `up` again"
            ) from None
        if done.returncode == _OWN_FAILURE:
            raise self._failure(done.stderr.strip())
        if done.returncode:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_TAIL_LINES:])
            raise BoxError(
                f"{self.address}: a step failed on the box (exit status {done.returncode}):\n{said}"
            )
        return done.stdout

    def _failure(self, stderr: str) -> BoxError:
        words = f"{self.address}: {last_line(stderr)}"
        match find_cause(stderr):
            case Cause.OTHER_MACHINE:
                return HostKeyMismatchError(words)
            case Cause.KEY_REFUSED:
                return KeyRefusedError(words)
            case Cause.NO_NAME:
                return BoxError(f"{words}. Check the host name in the stack file and your DNS")
            case Cause.NO_CONNECTION:
                return UnreachableError(words)


def carry_out(work: Callable[[str, Path], str]) -> int:
    """The exit status of a command that Pulumi runs: 0 with one line on standard output, 1 with what is wrong.

    `work` gets what standard input says and a folder of its own for files that ssh reads; it raises BoxError.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="gatehouse-") as scratch:
            print(work(sys.stdin.read(), Path(scratch)))
    except BoxError as error:
        print(f"gatehouse: {error}", file=sys.stderr)
        return 1
    return 0


def pinned(
    ssh: tuple[str, ...], user: str, address: str, port: int, client: str, public: str, known_hosts: Path
) -> Shell:
    """A way into the client's box that takes this one host key; `known_hosts` is written for it."""
    alias = f"gatehouse-{client}"
    # With another port ssh looks for [alias]:port.
    names = alias if port == 22 else f"{alias},[{alias}]:{port}"
    known_hosts.write_text(f"{names} {' '.join(public.split()[:2])}\n")
    return Shell((*ssh, "-p", str(port)), user, address, alias, known_hosts)

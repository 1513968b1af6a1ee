"""An SFTP server and a mail server as they really are: a real sshd, and curl speaking SMTP."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.secrets import SshKey, openssh_key
from tests.backup.conftest import PaperBox
from tests.host.mocks import secrets

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        SSHD is None or os.getuid() != 0, reason="wants root and sshd (apt install openssh-server)"
    ),
]
HOST = openssh_key(b"h" * 32, "host")
OTHER = openssh_key(b"o" * 32, "other")


class Sftp:
    """An sshd that lets the box's backup key in, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._write("host", HOST.private)
        self._write("allowed", secrets().ssh_key("ssh/backup").public + "\n")
        self._write(
            "config",
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/allowed\n"
            "StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\n",
        )
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", f"{folder}/config"], stderr=log)
        deadline = time.monotonic() + 30
        while socket.socket().connect_ex(("127.0.0.1", self.port)):
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o600)


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[Sftp]:
    (tmp_path / "server").mkdir()
    made = Sftp(tmp_path / "server")
    yield made
    made.process.terminate()
    made.process.wait()


def through(box: PaperBox, sftp: Sftp, key: SshKey = HOST) -> None:
    """Let the box back up over SFTP to where it backed up before."""
    box.configure(repository=f"sftp://root@127.0.0.1:{sftp.port}/{box.repository}", hostKey=key.public)


def test_a_box_backs_up_over_sftp(box: PaperBox, sftp: Sftp) -> None:
    through(box, sftp)
    box.back_up()
    assert len(box.snapshots()) == 1


def test_another_machine_in_its_place_gets_nothing(box: PaperBox, sftp: Sftp) -> None:
    through(box, sftp, OTHER)
    assert "Another machine answers at" in box.back_up(good=False).err
    assert box.snapshots() == []


class Mail(threading.Thread):
    """A mail server for one mail; `said` has what it was told."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.said: list[str] = []

    def run(self) -> None:
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rw", newline="") as stream:
            body = False
            for line in self._answered(stream, "220 here"):
                self.said.append(line)
                if body and line != ".":
                    continue
                body = line == "DATA"
                stream.write("354 go on\r\n" if body else "250 yes\r\n")
                stream.flush()

    def _answered(self, stream: object, greeting: str) -> Iterator[str]:
        stream.write(f"{greeting}\r\n")  # type: ignore[attr-defined]
        stream.flush()  # type: ignore[attr-defined]
        for line in stream:  # type: ignore[attr-defined]
            yield line.rstrip("\r\n")


def test_a_failure_is_written_to_whom_it_concerns(box: PaperBox) -> None:
    mail = Mail()
    mail.start()
    email = {"host": "127.0.0.1", "port": mail.port, "tls": "none", "from": "sso@acme.example"}
    box.configure(email=email, mail="ops@agency.example")
    box.tool("curl", '#!/bin/sh\nexec /usr/bin/curl --noproxy "*" "$@"\n')
    (box.root / "run/gatehouse-backup.why").write_text("The disk is full.\n")
    box.run("backup", "ended", SERVICE_RESULT="exit-code", EXIT_STATUS="1")
    mail.join(30)
    assert "MAIL FROM:<sso@acme.example>" in mail.said[1] and mail.said[2] == "RCPT TO:<ops@agency.example>"
    assert "Subject: The backup of acme failed" in mail.said and "The disk is full." in mail.said

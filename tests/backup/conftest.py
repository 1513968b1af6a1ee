"""A box of folders, with the real scripts and the real restic on it."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import machine, rootfs
from components.backup.files import files
from components.backup.install import HERE, SCRIPTS
from tests.backup.tools import TOOLS
from tests.host.mocks import secrets, settings


@pytest.fixture(scope="session")
def restic() -> Path:
    """Debian's restic: this machine's own, or out of a layer of the bench."""
    if found := shutil.which("restic"):
        return Path(found)
    if reasons := machine.missing():
        pytest.skip("no restic here, and none to be had: " + "; ".join(reasons))
    return rootfs.build([rootfs.Layer("restic", ("restic",))], print)[-1] / "usr/bin/restic"


@dataclass
class Done:
    """How a script ended."""

    status: int
    out: str
    err: str


class PaperBox:
    """A box below a folder, that backs up to another folder."""

    def __init__(self, root: Path, restic: Path) -> None:
        self.root = root
        self.data, self.repository = root / "srv/gatehouse", root / "elsewhere"
        for folder in (
            "bin",
            "run",
            "databases",
            "faults",
            "usr/local/lib/gatehouse",
            "etc/gatehouse/backup",
        ):
            (root / folder).mkdir(parents=True)
        for tool in TOOLS:
            self.tool(tool, f"#!{sys.executable}\n{(Path(__file__).parent / 'tools.py').read_text()}")
        (root / "bin/restic").symlink_to(restic)
        for name, file in SCRIPTS.items():
            shutil.copy(HERE / file, self.library / name)
            (self.library / name).chmod(0o755)
        self.configure()
        (root / "image").write_text("ghcr.io/goauthentik/server:2026.8.3\n")
        for folder in ("authentik/data", "npm/logs", "letsencrypt"):
            (self.data / folder).mkdir(parents=True)
        self.live("as it was")

    @property
    def library(self) -> Path:
        return self.root / "usr/local/lib/gatehouse"

    def tool(self, name: str, text: str) -> None:
        """Put a tool on the box."""
        path = self.root / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def configure(self, email: object = None, **backup: object) -> None:
        """Give the box what the program gives it."""
        given = settings(
            backup={"repository": str(self.repository), "heartbeat": "https://beat.example/1", **backup},
            email=email or {"host": "mail.example", "from": "sso@acme.example"},
        )
        assert given.backup
        folder = self.root / "etc/gatehouse/backup"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path, _, text in files(given, given.backup, secrets()):
            if path.startswith("/etc/gatehouse/"):
                (folder / Path(path).name).write_text(text.replace("/etc/gatehouse/backup", str(folder)))
                (folder / Path(path).name).chmod(0o600)

    def live(self, text: str) -> None:
        """Let database, files and proxy say this."""
        (self.root / "databases/authentik").write_text(text)
        (self.data / "authentik/data/logo").write_text(text)
        (self.data / "letsencrypt/certificate").write_text(text)
        (self.data / "npm/keys.json").write_text(text)
        with sqlite3.connect(self.data / "npm/database.sqlite") as database:
            database.execute("create table if not exists said (text)")
            database.execute("delete from said")
            database.execute("insert into said values (?)", (text,))

    def says(self) -> set[str]:
        """What they say now."""
        with sqlite3.connect(self.data / "npm/database.sqlite") as database:
            (proxy,) = database.execute("select text from said").fetchone()
        read = ("authentik/data/logo", "letsencrypt/certificate", "npm/keys.json")
        return {
            proxy,
            (self.root / "databases/authentik").read_text(),
            *((self.data / name).read_text() for name in read),
        }

    def fault(self, tool: str, number: int, what: str) -> None:
        """Let the tool's call with this number, from now on, go wrong."""
        (self.root / "faults" / f"{tool}.count").unlink(missing_ok=True)
        (self.root / "faults" / tool).write_text(f"{number} {what}")

    def no_fault(self) -> int:
        """Call the faults off; how many calls Docker got since they were ordered."""
        count = self.root / "faults/docker.count"
        number = int(count.read_text()) if count.exists() else 0
        for path in (self.root / "faults").iterdir():
            path.unlink()
        return number

    def run(self, script: str, *arguments: str, given: bytes = b"", **environment: str) -> Done:
        """Run one of the scripts."""
        done = subprocess.run(
            [str(self.library / script), *arguments], input=given, capture_output=True, check=False,
            env={"GATEHOUSE_ROOT": str(self.root), "HOME": str(self.root), "PYTHONPATH": "", **environment},
        )  # fmt: skip
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def back_up(self, *, good: bool = True) -> Done:
        """`backup run`, which ends well or does not."""
        done = self.run("backup", "run")
        assert (done.status == 0) is good, done
        assert not (self.data / "backup/stage").exists()  # a dump in clear is not left behind
        return done

    def restic(self, *arguments: str) -> list[str]:
        """What restic itself says of the repository."""
        environment = {"RESTIC_PASSWORD": secrets().value("backup/password"), "HOME": str(self.root)}
        argv = [str(self.root / "bin/restic"), "-r", str(self.repository), "--no-lock", *arguments]
        environment["GATEHOUSE_ROOT"] = str(self.root)
        return subprocess.run(
            argv, check=True, capture_output=True, text=True, env=environment
        ).stdout.splitlines()

    def snapshots(self) -> list[str]:
        """The snapshots in the repository."""
        return [line.split()[0] for line in self.restic("snapshots", "--compact") if "acme" in line]

    def calls(self, tool: str) -> list[str]:
        """How a tool was called."""
        path = self.root / "calls"
        return (
            [line for line in path.read_text().splitlines() if line.startswith(f"{tool} ")]
            if path.exists()
            else []
        )


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, restic: Path) -> Path:
    """An empty repository as `backup prepare` makes it: that takes restic seconds."""
    made = PaperBox(tmp_path_factory.mktemp("prepared") / "box", restic)
    done = made.run("backup", "prepare")
    assert done.status == 0, done
    return made.repository


@pytest.fixture
def box(tmp_path: Path, restic: Path, prepared: Path) -> PaperBox:
    """A box whose repository is empty."""
    made = PaperBox(tmp_path / "box", restic)
    shutil.copytree(prepared, made.repository)
    return made

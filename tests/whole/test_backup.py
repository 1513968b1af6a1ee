"""The backups of a client on a box: made by its own timer's unit, listed, damaged, restored, taken away."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.machine.network import GATEWAY
from bench.paths import ROOT
from bench.restic_server import PORT
from tests.whole.test_client import SETTINGS, Whole, whole

__all__ = ["whole"]

pytestmark = [pytest.mark.box, pytest.mark.timeout(1800)]

REPOSITORY = f"rest:https://{GATEWAY}:{PORT}/acme"
PASSWORD = "only for tests"


class Place:
    """Where the backups go: a server on the operator's side, which can be away."""

    def __init__(self, whole: Whole, folder: Path) -> None:
        self.whole, self.folder = whole, folder
        self.process: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        argv = [sys.executable, "-m", "bench.restic_server", str(self.folder)]
        self.process = self.whole.world.popen(argv, cwd=ROOT)
        probe = f"import socket; socket.create_connection(({GATEWAY!r}, {PORT}), 1).close()"
        deadline = time.monotonic() + 30
        while self.whole.world.run([sys.executable, "-c", probe], capture_output=True).returncode:
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.1)

    def close(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="module")
def place(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A client that is up, with a place for its backups."""
    made = Place(whole, tmp_path_factory.mktemp("backups"))
    made.open()
    whole.project.edit("acme", {"backup": {"repository": REPOSITORY, "keyId": "acme"}})
    key = ("config", "set", "--stack", "acme", "--secret", "--path", "gatehouse:backup.key")
    whole.project.pulumi(*key, given=PASSWORD)
    whole.up()
    yield made
    made.close()


def found(whole: Whole) -> list[str]:
    """The ids of all snapshots, by `gatehouse snapshots`."""
    said = whole.gatehouse("snapshots", "acme", "--json")
    return [each["id"] for each in json.loads(said[said.index("[") :])]


def doctor(whole: Whole) -> str:
    """What doctor says, whatever it misses on this machine."""
    return " ".join(whole.project.gatehouse("doctor", "acme", check=False).split())


def test_the_box_backs_itself_up(whole: Whole, place: Place) -> None:
    told = whole.on_box("systemctl", "list-timers", "--all", "--no-legend", "gatehouse-backup.timer")
    assert "gatehouse-backup.service" in told
    said = whole.gatehouse("backup", "acme")
    assert "dumping authentik's database" in said and "acme is backed up." in said
    (snapshot,) = found(whole)
    assert f"snapshot {snapshot} is there" in said
    assert "the last good backup is" in doctor(whole)


def test_nothing_that_opens_it_can_be_read_by_others(whole: Whole, place: Place) -> None:
    password = whole.secrets.value("backup/password")
    assert whole.on_box(
        "sudo", "stat", "-c", "%a", "/etc/gatehouse/backup", "/etc/gatehouse/backup/environment"
    ).split() == ["700", "600"]
    clear = whole.project.pulumi("stack", "export", "--stack", "acme")
    journal = whole.on_box("sudo", "journalctl", "--no-pager", "--quiet")
    for secret in (password, PASSWORD, whole.root):
        for where in (clear, journal, "".join(whole.screen)):
            assert secret not in where
    for file in place.folder.rglob("*"):  # encrypted before it leaves the box
        assert file.is_dir() or b"jane@acme.example" not in file.read_bytes()


def test_papers_have_no_secret_in_them(whole: Whole, place: Place) -> None:
    paper = whole.on_box("sudo", "cat", "/srv/gatehouse/backup/papers/Pulumi.acme.yaml")
    assert "acme.example" in paper and "not-in-backups" in paper and "v1:" not in paper
    state = whole.on_box("sudo", "cat", "/srv/gatehouse/backup/papers/state.json")
    assert whole.secrets.value("postgres/password") not in state and "gatehouse:client:Client" in state


def test_what_was_lost_comes_back(whole: Whole, place: Place, record_figure: Callable[..., None]) -> None:
    whole.gatehouse("backup", "acme")
    sql = "delete from objects where kind in ('/core/users/', '/core/applications/');"
    sql += "update change set stamp = gen_random_uuid()"
    whole.on_box(
        "docker", "exec", "-i", "gatehouse-postgres", "psql", "-qU", "authentik", "-d", "authentik", given=sql
    )
    whole.on_box("sudo", "rm", "-rf", "/srv/gatehouse/letsencrypt/live", "/srv/gatehouse/authentik/data")
    assert whole.project.gatehouse("login-check", "acme", check=False).count("logged in") == 0
    assert "is not 'acme'; nothing was touched" in whole.project.gatehouse(
        "restore", "acme", "--confirm", "x", check=False
    )
    began = time.monotonic()
    said = whole.gatehouse("restore", "acme", "--confirm", "acme")
    record_figure("backup", restore_seconds=(round(time.monotonic() - began, 1), None))
    assert "passwords and second factors that were set" in said and "restored" in said
    assert "grafana: jane may log in; logged in" in whole.gatehouse("login-check", "acme")
    whole.up()


def kill_at(whole: Whole, words: str, *command: str) -> None:
    """Start a command, and kill it once it has said the words."""
    process = whole.project.start(*command)
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            break
    process.kill()
    process.wait()


def test_a_restore_that_is_killed_is_run_again(whole: Whole, place: Place) -> None:
    (snapshot, *_) = found(whole)
    kill_at(whole, "stopping authentik", "restore", "acme", snapshot, "--confirm", "acme")
    whole.on_box("sudo", "systemctl", "kill", "--signal=KILL", "gatehouse-restore.service", "||", "true")
    assert "A restore of this box has not come to its end" in whole.project.gatehouse(
        "backup", "acme", check=False
    )
    whole.gatehouse("restore", "acme", snapshot, "--confirm", "acme")
    assert "grafana: jane may log in; logged in" in whole.gatehouse("login-check", "acme")
    whole.gatehouse("backup", "acme")


def copies(whole: Whole) -> list[str]:
    """What is on the box of a rehearsal."""
    ls = ("docker", "ps", "--all", "--format", "'{{.Names}}'", "--filter", "name=rehearsal")
    net = ("docker", "network", "ls", "--format", "'{{.Name}}'", "--filter", "name=rehearsal")
    folder = ("sudo", "find", "/srv/gatehouse/backup", "-maxdepth", "1", "-name", "rehearsal")
    return [*whole.on_box(*ls).split(), *whole.on_box(*net).split(), *whole.on_box(*folder).split()]


def test_a_backup_is_rehearsed_beside_the_living(
    whole: Whole, place: Place, record_figure: Callable[..., None]
) -> None:
    whole.gatehouse("backup", "acme")
    users = 'docker exec gatehouse-postgres psql -qtAU authentik -c "select count(*) from objects" authentik'
    before = whole.on_box(users)
    began = time.monotonic()
    said = whole.gatehouse("rehearse", "acme")
    record_figure(
        "backup",
        rehearse_seconds=(round(time.monotonic() - began, 1), None),
        rehearse_lost_objects=(said.count("differs"), 0),
    )
    assert "differs" not in said and "refused" not in said
    assert "jane logs in" in said and "somebody made for it logs in" in said
    assert whole.on_box(users) == before  # the living one was only read
    assert copies(whole) == []


@pytest.mark.nightly
def test_what_a_backup_does_not_hold_is_found(whole: Whole, place: Place) -> None:
    people = [
        *SETTINGS["people"],
        {"username": "nora", "name": "Nora", "email": "nora@acme.example", "groups": ["staff"]},
    ]
    whole.project.edit("acme", {"people": people})
    whole.up()
    said = " ".join(whole.project.gatehouse("rehearse", "acme", check=False).split())
    assert "not in the backup: nora" in said and "is not what is on the box" in said
    whole.gatehouse("backup", "acme")
    whole.gatehouse("rehearse", "acme")


@pytest.mark.nightly
def test_a_rehearsal_that_is_killed_leaves_nothing_for_long(whole: Whole, place: Place) -> None:
    kill_at(whole, "starting a second authentik", "rehearse", "acme")
    timers = whole.on_box("systemctl", "list-timers", "--no-legend", "gatehouse-rehearsal-end.timer")
    assert "gatehouse-rehearsal-end.service" in timers
    deadline = time.monotonic() + 120
    while "inactive" not in whole.on_box(
        "systemctl", "is-active", "gatehouse-rehearse.service", "||", "true"
    ):
        assert time.monotonic() < deadline
        time.sleep(1)
    whole.on_box(
        "sudo", "systemctl", "start", "--wait", "gatehouse-rehearsal-end.service"
    )  # as its timer would
    assert copies(whole) == []


def test_a_place_that_is_away_is_said_and_the_next_backup_is_good(whole: Whole, place: Place) -> None:
    place.close()
    said = whole.project.gatehouse("backup", "acme", check=False)
    assert f"The repository {REPOSITORY} cannot be reached" in " ".join(said.split())
    assert "the last one failed" in doctor(whole)
    place.open()
    whole.gatehouse("backup", "acme")
    assert "the last one failed" not in doctor(whole)


def test_a_snapshot_that_is_damaged_is_not_put_in_anything_s_place(whole: Whole, place: Place) -> None:
    kept = place.folder.parent / "kept"
    shutil.copytree(place.folder, kept)
    for pack in place.folder.glob("acme/data/*"):
        pack.write_bytes(pack.read_bytes()[: pack.stat().st_size // 2])
    said = " ".join(whole.project.gatehouse("restore", "acme", "--confirm", "acme", check=False).split())
    assert "Nothing was touched" in said
    rehearsed = " ".join(whole.project.gatehouse("rehearse", "acme", check=False).split())
    assert "cannot be read as a whole" in rehearsed and copies(whole) == []
    assert "grafana: jane may log in; logged in" in whole.gatehouse("login-check", "acme")
    shutil.rmtree(place.folder)
    kept.rename(place.folder)


@pytest.mark.nightly
def test_a_client_of_which_nothing_but_stack_file_and_repository_are_left(
    whole: Whole, place: Place, record_figure: Callable[..., None]
) -> None:
    whole.gatehouse("backup", "acme")
    snapshot = found(whole)[-1]
    whole.gatehouse("destroy", "acme", "--confirm", "acme")
    assert whole.world.leftovers() == []
    began = time.monotonic()
    whole.gatehouse("up", "acme", "--yes")
    assert snapshot in found(whole)
    whole.gatehouse("restore", "acme", snapshot, "--confirm", "acme")
    whole.up()
    record_figure("backup", lost_box_seconds=(round(time.monotonic() - began, 1), None))
    assert "grafana: jane may log in; logged in" in whole.gatehouse("login-check", "acme")


def test_without_the_setting_nothing_is_left_on_the_box(whole: Whole, place: Place) -> None:
    text = (whole.project.folder / "stacks/Pulumi.acme.yaml").read_text()
    assert re.search(r"gatehouse:backup", text)
    whole.project.pulumi("config", "rm", "--stack", "acme", "gatehouse:backup")
    whole.up()
    left = whole.on_box("ls", "/etc/gatehouse", "/usr/local/lib/gatehouse", "/etc/systemd/system")
    assert "backup" not in left and "restore" not in left

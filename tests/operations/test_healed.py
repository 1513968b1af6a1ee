"""However a run ends, one `gatehouse up` puts it right, and the preview after that is quiet."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.plain import PlainWorld
from components.secrets import new_root_secret
from tests.operations.client import MANY, BenchClient, wait_for
from tests.operations.healing import (
    ALL,
    AWAY,
    IMPATIENT,
    MOMENT,
    Healing,
    declared,
    everything,
    held,
    signalled,
)

pytestmark = pytest.mark.engine

GROUP, RULE, APP, GATE = (
    "/core/groups/$",
    "/policies/expression/$",
    "/core/applications/$",
    "/policies/bindings/$",
)


@pytest.fixture(scope="module")
def healing(tmp_path_factory: pytest.TempPathFactory, world: PlainWorld) -> Iterator[Healing]:
    """The client, and what one holds that nothing ever happened to, on an authentik of its own."""
    folder, root = tmp_path_factory.mktemp("healed"), new_root_secret()
    with PlainWorld(folder / "calm", lambda _: None, memory=True).running() as other:
        calm = BenchClient(folder / "undisturbed", other, root=root, **declared(0))
        calm.up()
        calm.edit(**declared(1))
        calm.up()
        undisturbed = held(calm)
        calm.end()
    client = BenchClient(folder / "project", world, root=root, **declared(0))
    client.up()
    yield Healing(client, undisturbed, folder / "log")
    client.end()
    subprocess.run(["umount", "-l", str(state(client))], check=False, capture_output=True)


def state(client: BenchClient) -> Path:
    """The folder of the state's backend."""
    return client.project.folder / ".gatehouse" / "state"


# Ended from outside -------------------------------------------------------------------------------------------------


def killed_before_a_create(healing: Healing) -> None:
    healing.ended(everything(healing), "POST", GROUP)


def killed_after_a_create(healing: Healing) -> None:
    healing.ended(everything(healing), "POST", GROUP, carried_out=True)


def killed_between_an_application_and_its_binding(healing: Healing) -> None:
    healing.ended(everything(healing), "POST", GATE)


def killed_in_a_delete(healing: Healing) -> None:
    healing.ended(everything(healing), "DELETE", "/core/applications/")


def killed_in_an_update(healing: Healing) -> None:
    healing.ended(everything(healing), "PATCH", "/core/applications/wiki/$")


def killed_in_the_refresh(healing: Healing) -> None:
    healing.ended(everything(healing), "GET", "/core/users/$")


def engine_killed_alone(healing: Healing) -> None:
    healing.ended(healing.client.kill_engine, "POST", GROUP)


def provider_killed_alone(healing: Healing) -> None:
    healing.ended(lambda run: healing.part("dynamic").kill(), "POST", RULE)


def program_killed_alone(healing: Healing) -> None:
    run = healing.begun({"method": "POST", "path": GROUP, "delay": 2 * MOMENT})
    wait_for(healing.met, "a create")
    healing.part("program.py", "pulumi-language-python-exec").kill()
    assert run.wait(120) == 1, healing.log.read_text()


def interrupted_twice(healing: Healing) -> None:
    said = healing.ended(signalled(signal.SIGINT, signal.SIGINT), "POST", GROUP)
    assert "Traceback" not in said


def terminated(healing: Healing) -> None:
    healing.ended(signalled(signal.SIGTERM), "POST", RULE)


def hung_up(healing: Healing) -> None:
    healing.ended(signalled(signal.SIGHUP), "POST", GROUP)


# Ended by the server ------------------------------------------------------------------------------------------------


def away_for_long(healing: Healing) -> None:
    said = healing.fails(
        {"method": "POST", "path": GROUP, "delay": MOMENT, "cut": "before"}, then=AWAY, **IMPATIENT
    )
    assert "answers HTTP 502 since 3 s" in said


def away_after_the_write(healing: Healing) -> None:
    healing.fails({"method": "POST", "path": GROUP, "delay": MOMENT, "cut": "after"}, then=AWAY, **IMPATIENT)


def cut_after_an_application_was_made(healing: Healing) -> None:
    healing.fails({"method": "POST", "path": APP, "delay": MOMENT, "cut": "after"}, then=AWAY, **IMPATIENT)


def failed_without_a_write(healing: Healing) -> None:
    said = healing.fails({"method": "POST", "path": GROUP, "status": 500, "body": "", "times": MANY})
    assert "failed without a word" in said


def failed_with_a_write(healing: Healing) -> None:
    body = {"detail": "boom"}
    said = healing.fails({"method": "POST", "path": RULE, "status": 500, "body": body, "hidden": True})
    assert "boom" in said


def race_that_hid_a_write(healing: Healing) -> None:
    hidden = {"method": "POST", "path": RULE, "status": 405, "body": "", "hidden": True, "delay": MOMENT}
    healing.fails(hidden, then=AWAY, **IMPATIENT)


def refused_for_a_while(healing: Healing) -> None:
    refusal = {"status": 403, "body": {"detail": "Token invalid/expired"}}
    first = {"method": "POST", "path": GROUP, "delay": MOMENT}
    said = healing.fails(first, then={"method": ".*", "path": ALL, "times": MANY, **refusal})
    assert "(HTTP 403)" in said


def made_and_not_to_be_finished(healing: Healing) -> None:
    """A person who was made can neither be given their password nor be taken back."""
    refusal = {"status": 403, "body": {"detail": "no"}, "times": MANY}
    password, person = (
        {"method": "POST", "path": "/set_password/$"},
        {"method": "DELETE", "path": "/core/users/"},
    )
    healing.fails({**password, **refusal}, {**person, **refusal})


def refused_elsewhere(healing: Healing) -> None:
    """One object is refused while another one is being made: the engine cancels what is under way."""
    healing.fails(
        {"method": "POST", "path": GROUP, "delay": MOMENT, "cut": "after"},
        {"method": "POST", "path": RULE, "status": 400, "body": {"expression": ["no"]}},
        then=AWAY,
        **IMPATIENT,
    )


def deleted_and_not_told(healing: Healing) -> None:
    first = {"method": "DELETE", "path": "/policies/expression/", "delay": MOMENT, "cut": "after"}
    healing.fails(first, then=AWAY, **IMPATIENT)


def changed_and_not_told(healing: Healing) -> None:
    first = {"method": "PATCH", "path": "/core/applications/wiki/$", "delay": MOMENT, "cut": "after"}
    healing.fails(first, then=AWAY, **IMPATIENT)


def page_of_something_else(healing: Healing) -> None:
    """A proxy before authentik answers for it, after the write went through."""
    page = {"status": 200, "body": "<html>Back soon", "headers": {"Content-Type": "text/html"}}
    said = healing.fails({"method": "POST", "path": GROUP, "hidden": True, **page})
    assert "text/html where JSON is due" in said


# Ended on this machine ----------------------------------------------------------------------------------------------


def disk_full(healing: Healing) -> None:
    """In the middle of the run: what is made then cannot be written down."""
    client = healing.client
    folder, away = state(client), Path(tempfile.mkdtemp())
    shutil.copytree(folder, away / "state")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    shutil.copytree(away / "state", folder, dirs_exist_ok=True)
    shutil.rmtree(away)
    run = healing.begun({"method": "POST", "path": GROUP, "delay": 2 * MOMENT})
    wait_for(healing.met, "a create")
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 512)
        except OSError:
            pass  # not one byte more
    run.wait(120)
    assert run.returncode == 1, healing.log.read_text()
    said = client.up(check=False)
    assert "are free at" in said, said
    assert " MB there to keep the state of acme whole" in said
    filler.unlink()


def state_cut_off(healing: Healing) -> None:
    """As a full disk leaves it: state and Pulumi's backup are cut at the same byte."""
    healing.ended(everything(healing), "POST", GROUP)
    stored = healing.client.stored
    half = stored.read_bytes()[: stored.stat().st_size // 2]
    stored.write_bytes(half)
    stored.with_name("acme.json.bak").write_bytes(half)
    assert "./gatehouse up" in healing.client.project.gatehouse("preview", "acme", check=False)


def power_cut(healing: Healing) -> None:
    """What was not synced is empty: the state, its backup, and what lies beside them; and the lock is still there."""
    healing.ended(everything(healing), "POST", RULE)
    folder = healing.client.stored.parent
    for path in folder.iterdir():
        path.write_bytes(b"")
    assert healing.client.locks()


def half_written_files(healing: Healing) -> None:
    healing.ended(everything(healing), "POST", GROUP)
    stored = healing.client.stored
    stored.with_name("acme.json.attrs").write_text('{"user.cac')
    stored.with_name("acme.json.18eb2678c2c929b9.tmp").write_text('{"vers')
    healing.client.locks()[0].write_text('{"pid": 1')


def nothing_can_be_noted(healing: Healing) -> None:
    notes = healing.client.project.folder / ".gatehouse" / "creating"
    shutil.rmtree(notes, ignore_errors=True)
    notes.write_text("in the way")
    said = healing.fails()
    notes.unlink()
    assert "cannot be noted" in said


WAYS: tuple[Callable[[Healing], None], ...] = (
    killed_before_a_create,
    killed_after_a_create,
    killed_between_an_application_and_its_binding,
    killed_in_a_delete,
    killed_in_an_update,
    killed_in_the_refresh,
    engine_killed_alone,
    provider_killed_alone,
    program_killed_alone,
    interrupted_twice,
    terminated,
    hung_up,
    away_for_long,
    away_after_the_write,
    cut_after_an_application_was_made,
    failed_without_a_write,
    failed_with_a_write,
    race_that_hid_a_write,
    refused_for_a_while,
    made_and_not_to_be_finished,
    refused_elsewhere,
    deleted_and_not_told,
    changed_and_not_told,
    page_of_something_else,
    state_cut_off,
    power_cut,
    half_written_files,
    nothing_can_be_noted,
    disk_full,
)
NIGHTLY = {
    killed_before_a_create,  # tests/operations/test_kill.py has these, too
    killed_after_a_create,
    killed_in_an_update,
    killed_in_the_refresh,
    engine_killed_alone,
    hung_up,  # as terminated
    away_after_the_write,  # as cut_after_an_application_was_made
    changed_and_not_told,  # as deleted_and_not_told
    failed_without_a_write,  # as failed_with_a_write
    refused_for_a_while,  # tests/operations/test_faults.py has it, too
    half_written_files,  # as power_cut
}
"""Ways that others show in less time."""
CASES = {
    "7": {away_for_long, away_after_the_write, cut_after_an_application_was_made},
    "8": {disk_full, state_cut_off, power_cut, nothing_can_be_noted},
    "18": {page_of_something_else},
}


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(
            way,
            id=way.__name__,
            marks=[
                pytest.mark.heals(way.__name__),
                *([pytest.mark.nightly] if way in NIGHTLY else []),
                *(pytest.mark.case(case) for case, ways in CASES.items() if way in ways),
            ],
        )
        for way in WAYS
    ],
)
def test_one_up_heals(healing: Healing, way: Callable[[Healing], None]) -> None:
    healing.change()
    try:
        way(healing)
    finally:
        healing.clear()
    healing.heals()


@pytest.mark.nightly
@pytest.mark.case("7")
@pytest.mark.heals("away_for_90_seconds")
def test_authentik_is_away_for_90_seconds(healing: Healing) -> None:
    """As long as a restart takes, and more: the run itself waits, says so, and ends well."""
    healing.change()
    began = time.monotonic()
    for fault in ({"method": "POST", "path": GROUP, "cut": "after"}, {**AWAY, "lasts": 90.0}):
        healing.client.fault(**fault)
    said = healing.client.up()
    assert time.monotonic() - began > 90
    assert "waited for 3" in said
    assert "answers again, after" in said
    assert "No change." in healing.heals()

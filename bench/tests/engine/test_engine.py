"""The engine of the bench with real projects: what a program, a dynamic provider and a stand-in go through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.engine import Engine, ensure
from bench.figures import record
from bench.paths import ROOT
from bench.tests.engine.project import Project

pytestmark = pytest.mark.engine

THING = """
from __future__ import annotations
import time
import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

class Provider(ResourceProvider):
    serialize_as_secret_always = False
    def create(self, props):
        time.sleep(float(props.get("seconds") or 0))
        return CreateResult("id-" + props["v"], dict(props))
    def diff(self, id, olds, news):
        return DiffResult(changes=olds["v"] != news["v"])
    def update(self, id, olds, news):
        return UpdateResult(dict(news))
    def read(self, id, props):
        return ReadResult(id, dict(props))
    def delete(self, id, props):
        pass

class Thing(Resource, module="tiny", name="Thing"):
    v: pulumi.Output[str]
    def __init__(self, name, v, seconds=0, opts=None):
        super().__init__(Provider(), name, {"v": v, "seconds": seconds}, opts)
"""
PROGRAM = """
from __future__ import annotations
import pulumi
from thing import Thing

print("the program runs")
config = pulumi.Config()
thing = Thing("one", config.require("v"))
pulumi.export("v", thing.v)
pulumi.export("token", config.require_secret("token"))
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return ensure()


def test_an_engine_is_ready_at_once_when_it_was_built_before(engine: Engine) -> None:
    program = "from bench.engine import ensure; print(ensure().pulumi)"
    started = time.monotonic()
    again = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    seconds = time.monotonic() - started
    record("test", engine_warm_seconds=(round(seconds, 2), 2.0))
    assert again.strip() == str(engine.pulumi)
    assert seconds < 2


def test_a_stack_comes_up_changes_and_goes(engine: Engine, tmp_path: Path) -> None:
    project = Project.make(tmp_path, engine, {"__main__.py": PROGRAM, "thing.py": THING})
    project("config", "set", "v", "1")
    project("config", "set", "--secret", "token", "hush")

    shown = project("preview")
    assert "the program runs" in shown
    assert "2 to create" in shown.replace("+ ", "")
    assert "warning" not in shown.lower()  # no plugin is taken "from $PATH"
    project("up", "--yes", "--skip-preview")
    assert project("stack", "output", "v").strip() == "1"
    assert "[secret]" in project("stack", "output", "token")
    started = time.monotonic()
    project("preview", "--expect-no-changes")
    record("test", engine_noop_preview_seconds=(round(time.monotonic() - started, 2), None))
    project("refresh", "--yes", "--skip-preview", "--run-program", "--expect-no-changes")

    project("config", "set", "v", "2")
    assert "1 updated" in project("up", "--yes", "--skip-preview").replace("~ ", "")
    assert project.resources()["one"]["outputs"]["v"] == "2"
    project("destroy", "--yes", "--skip-preview", "--run-program")
    assert not project.resources()


def test_what_a_program_explains_is_said_once(engine: Engine, tmp_path: Path) -> None:
    program = "import pulumi\nraise pulumi.RunError('stacks/dev: domain: is missing')\n"
    project = Project.make(tmp_path, engine, {"__main__.py": program})
    shown = project("preview", ok=False)
    assert "error: stacks/dev: domain: is missing" in shown
    assert "exited with" not in shown  # exit code 32: it is explained already
    assert "Traceback" not in shown


def test_a_program_that_breaks_shows_its_own_lines_only(engine: Engine, tmp_path: Path) -> None:
    program = "def deep():\n    raise KeyError('colour')\n\ndeep()\n"
    project = Project.make(tmp_path, engine, {"__main__.py": program})
    shown = project("preview", ok=False)
    assert "KeyError: 'colour'" in shown
    assert "__main__.py" in shown
    assert "runpy" not in shown
    assert "bench/engine" not in shown


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("import sys; sys.exit(3)", "the program exited with code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the program was ended by SIGKILL"),
    ],
)
def test_a_program_that_ends_badly_is_reported(
    engine: Engine, tmp_path: Path, ending: str, said: str
) -> None:
    project = Project.make(tmp_path, engine, {"__main__.py": ending + "\n"})
    assert said in project("preview", ok=False)


def test_a_missing_virtual_environment_is_named(engine: Engine, tmp_path: Path) -> None:
    runtime = "{name: python, options: {virtualenv: missing}}"
    project = Project.make(tmp_path, engine, {"__main__.py": ""}, runtime)
    shown = project("preview", ok=False)
    assert "there is no Python in" in shown
    assert "make it with `pulumi install`" in shown


def _processes(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_killed_engine_leaves_no_process_behind(engine: Engine, tmp_path: Path) -> None:
    program = PROGRAM.replace('config.require("v")', 'config.require("v"), seconds=60')
    project = Project.make(tmp_path, engine, {"__main__.py": program, "thing.py": THING})
    project("config", "set", "v", "1")
    project("config", "set", "--secret", "token", "hush")
    running = subprocess.Popen(
        ["pulumi", "--non-interactive", "up", "--yes", "--skip-preview"],
        cwd=project.folder,
        env=project.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 60
        while not any("dynamic.py" in " ".join(p.cmdline()) for p in _processes(project.folder)):
            assert time.monotonic() < end, "the dynamic provider never started"
            time.sleep(0.1)
        time.sleep(1)
        kinds = " ".join(" ".join(process.cmdline()) for process in _processes(project.folder))
        assert "dynamic.py" in kinds
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    end = time.monotonic() + 10
    while (left := _processes(project.folder)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not left


COMMAND = """
from __future__ import annotations
import pulumi
import pulumi_command as command

provider = command.Provider("command")
options = pulumi.ResourceOptions(provider=provider)
config = pulumi.Config()
done = command.local.Command(
    "done",
    create="wc -c; echo from-create",
    update="wc -c; echo from-update; echo was:$PULUMI_COMMAND_STDOUT",
    delete="true",
    stdin=config.require_secret("document"),
    logging=command.local.Logging.NONE,
    add_previous_output_in_env=False,
    opts=options,
)
pulumi.export("stdout", done.stdout)
"""


def test_the_command_stand_in_serves_the_official_sdk(engine: Engine, tmp_path: Path) -> None:
    project = Project.make(tmp_path, engine, {"__main__.py": COMMAND})
    if engine.plugins(project.env)["command"]:
        pytest.skip("the official command plugin is installed")
    project("config", "set", "--secret", "document", "sekrit document")
    shown = project("preview")
    assert "warning" not in shown.lower()
    shown = project("up", "--yes", "--skip-preview")
    assert "from-create" not in shown.split("Outputs:")[0]  # logging is NONE
    assert project("stack", "output", "stdout").splitlines() == ["15", "from-create"]
    project("preview", "--expect-no-changes")
    assert "sekrit" not in (tmp_path / "state/.pulumi/stacks/tiny/dev.json").read_text()

    project("config", "set", "--secret", "document", "another")
    project("up", "--yes", "--skip-preview")
    assert project("stack", "output", "stdout").splitlines() == ["7", "from-update", "was:"]
    project("destroy", "--yes", "--skip-preview")


def test_giving_up_ends_what_runs(engine: Engine, tmp_path: Path) -> None:
    program = COMMAND.replace("wc -c; echo from-create", "touch began; sleep 300")
    project = Project.make(tmp_path, engine, {"__main__.py": program})
    project("config", "set", "--secret", "document", "sekrit document")
    running = subprocess.Popen(
        ["pulumi", "--non-interactive", "--color=never", "up", "--yes", "--skip-preview"],
        cwd=project.folder,
        env=project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        end = time.monotonic() + 60
        while not (project.folder / "began").exists():
            assert time.monotonic() < end, "the command never started"
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        shown, _ = running.communicate(timeout=30)
    finally:
        running.kill()
        running.wait()
    assert running.returncode != 0
    assert "signal: killed" in shown
    end = time.monotonic() + 10
    while (left := _processes(project.folder)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not left
    assert project.state()["resources"]  # and the state is whole and unlocked


def test_environment_is_offline_and_keeps_out_of_the_users_home(engine: Engine, tmp_path: Path) -> None:
    env = engine.env({"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, home=tmp_path / "home")
    assert env["PULUMI_HOME"] == str(tmp_path / "home")
    assert env["PULUMI_SKIP_UPDATE_CHECK"] == "true"
    assert env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert {path.name for path in (tmp_path / "home/plugins").glob("*/*")} >= {"pulumi-resource-docker"}
    assert not (tmp_path / ".pulumi").exists()

"""Whatever a killed run leaves, `clean` finds by id and removes; nothing of the machine's own is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.machine import groups
from bench.paths import ROOT
from bench.tests.machine.conftest import until
from bench.world import World

pytestmark = pytest.mark.box

_RUN = """
import sys, time
from pathlib import Path
from bench.world import World
world = World(Path(sys.argv[1]), with_engine=False)
world.start()
machines = world.machines()
machines.create(1, "left", "#cloud-config\\n", "203.0.113.10", None, 512, "debian-12")
machines.create_volume(2, 10)
machines.attach_volume(1, 2)
machines.power_on(1)
world.popen(["sleep", "1000"])
print("up", flush=True)
time.sleep(1000)
"""


def test_clean_after_a_kill(world: World, tmp_path: Path) -> None:
    place = tmp_path / "killed"
    mounted = Path("/proc/self/mounts").read_text()
    run = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(place)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    while (line := run.stdout.readline()) != "up\n":
        assert line, "the run ended before it was up"
    run.kill()
    run.wait()
    killed = World(place, with_engine=False)
    left = json.loads((place / "world.json").read_text())
    box = json.loads((place / "clouds/machines/servers/1/processes.json").read_text())
    for recorded in (left["clouds"], box["keeper"]):
        os.kill(recorded["pid"], signal.SIGKILL)
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "bench", "clean", "--directory", str(place)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert time.monotonic() - began < 20
    assert not place.exists()
    assert not list(Path("/run/netns").glob(f"{killed.namespace}*"))
    assert not [g for g in groups.of(f"{killed.namespace}-1") if g.exists()]
    assert str(place) not in Path("/proc/self/mounts").read_text()
    assert Path("/proc/self/mounts").read_text() == mounted
    until(lambda: not _marked(str(place)), "processes of the killed run", 5)
    assert world.running()  # another world beside it goes on


def _marked(directory: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("GATEHOUSE_WORLD") == directory and process.status() != "zombie":
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found

"""`make bench`: measures everything and prints it; figures go to out/figures/bench.json."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bench import figures
from bench.machine import missing
from bench.measure import parts, tables
from bench.measure.floor import floor
from bench.measure.requests import Loop, requests, same
from bench.measure.stacks import STACK, Client, Naive
from bench.measure.timing import RUNS, Pair, Times, paired
from bench.measure.traffic import Traffic, traffic
from bench.measure.watch import Seen, watch
from bench.plain import PlainWorld
from bench.project import Project
from bench.world import World

PREVIEW_GOAL, UP_GOAL, CALLS_GOAL = 1.1, 1.2, 1.0
_SKIP = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
_STATE_RUNS = 3


class BrokenPromiseError(Exception):
    """gatehouse asked for something that it promises not to ask for."""


def measure(world: Path, runs: int = RUNS, *, large: bool = False) -> None:
    """Measure all, a whole client in a world that is kept in `world` meanwhile.

    `large` adds clients of 500 apps: an hour and more.
    """
    place = Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    place.chmod(0o700)
    try:
        tables.opening(runs)
        reasons = missing()
        if reasons:
            tables.without_box(reasons)
        else:
            _whole(place / "whole", World(world, progress=tables.quiet), runs)
        for apps in (12, 100, *((500,) if large else ())):
            _previews(place / f"previews-{apps}", apps, runs)
        for apps in (12, *((100, 500) if large else ())):
            _ups(place / f"ups-{apps}", apps, runs)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _whole(place: Path, world: World, runs: int) -> None:
    """A preview without change of a whole client on a box, against the floor."""
    with world.alone():
        world.clean()  # of a run that was killed
        try:
            world.start()
            client = Client(place / "client", world, 12)
            pair = _preview(place, client, runs, "a whole client with 12 apps")
            tables.seconds("Its plugins alone, until they answer", _answering(client, parts.plugins(client)))
        finally:
            world.clean()
    _record("preview_noop_12_ratio", pair, PREVIEW_GOAL)


def _previews(place: Path, apps: int, runs: int) -> None:
    """A preview without change of a client that is identities alone, against the floor."""
    with PlainWorld(place / "world", tables.quiet, memory=True).running() as world:
        client = Client(place / "client", world, apps)
        pair = _preview(place, client, runs, f"{apps} apps without a box")
        if apps == 12:
            _record("preview_noop_12_identity_ratio", pair, PREVIEW_GOAL)
        if apps != 12 or missing():
            _record(f"preview_noop_{apps}_ratio", pair, PREVIEW_GOAL)
        if apps == 12:
            _parts(client)


def _preview(place: Path, client: Client, runs: int, what: str) -> Pair:
    up(client)()
    base = floor(place / "floor", client)
    for each in (client, base):  # both must say that there is nothing to do, or nothing is compared
        each.pulumi("preview", "--stack", STACK, "--expect-no-changes")
    pair = paired(preview(client), preview(base), runs)
    tables.ratio(f"No-op preview of {what}", pair, PREVIEW_GOAL, naive="the floor")
    tables.processes(f"Processes of the preview of {what}", watch(client, "preview", "--stack", STACK))
    tables.processes("Those of the floor", watch(base, "preview", "--stack", STACK))
    return pair


def _parts(client: Client) -> None:
    alone = {"CLI (`pulumi version`)": parts.several(lambda: parts.command(client, "pulumi", "version"))}
    alone |= _answering(client, parts.processes(client))
    tables.seconds("What its parts cost alone", alone)
    tables.imports(
        {
            "the SDK alone": parts.imports(client, parts.SDK),
            "the program": parts.imports(client, parts.PROGRAM),
            "the provider's process": parts.imports(client, parts.PROVIDER),
        }
    )


def _answering(client: Client, commands: Mapping[str, list[str]]) -> dict[str, float]:
    return {
        f"{title}, until it answers": parts.several(partial(parts.until_it_answers, client, argv))
        for title, argv in commands.items()
    }


def _ups(place: Path, apps: int, runs: int) -> None:
    """An `up` from nothing, against a naive program that sends the same requests; what is asked of authentik."""
    with PlainWorld(place / "world", tables.quiet, memory=True, options=("--latency",)).running() as world:
        client = Client(place / "client", world, apps)
        first = traffic(world, up(client))
        naive = requests(place / "naive", client, world, first)
        _promises(world, client, apps, first)
        down(client)()
        same(first, traffic(world, up(naive)))
        tables.processes(f"Processes of an up of {apps} apps", _watched_up(client, naive))
        pair = paired(up(client), up(naive), runs, (down(client), down(naive)))
        loop, alone = Loop(naive), Times()
        alone.take(loop.up)
        loop.down()
        tables.ratio(f"Up of {apps} apps from nothing, without a box", pair, UP_GOAL, naive="requests alone")
        tables.seconds("The same requests in a plain loop", {"httpx, one after the other": alone.seconds})
        _record(f"up_{apps}_ratio", pair, UP_GOAL)
        _state_writes(client, apps)


def _watched_up(client: Client, naive: Naive) -> list[Seen]:
    down(naive)()
    seen = watch(client, "up", "--yes", "--stack", STACK)
    down(client)()
    return seen


def _promises(world: PlainWorld, client: Client, apps: int, first: Traffic) -> None:
    """What is asked of authentik when nothing changed; raises BrokenPromiseError if it is more than promised."""
    seen = {
        "up that changes nothing": traffic(world, up(client)),
        "preview": traffic(world, preview(client)),
        "preview --refresh": traffic(world, _run(client, "preview", "--refresh", "--expect-no-changes")),
        "up --refresh that changes nothing": traffic(
            world, _run(client, "up", "--yes", "--skip-preview", "--refresh")
        ),
    }
    tables.traffic(f"What is asked of authentik, {apps} apps", {"up from nothing": first, **seen})
    wrong = [f"{title}: {what}" for title, found in seen.items() for what in broken(title, found)]
    if wrong:
        raise BrokenPromiseError("More was asked of authentik than promised:\n" + "\n".join(wrong))
    refresh = seen["preview --refresh"]
    calls = (len(refresh.entries) - refresh.door - refresh.pages) / len(refresh.lists)
    if apps == 12:
        figures.record("bench", refresh_calls_per_kind=(round(calls, 3), CALLS_GOAL))


def broken(title: str, found: Traffic) -> list[str]:
    """What a run that changes nothing asked for beyond what is promised for it."""
    wrong = [f"wrote: {write}" for write in found.writes]
    if "refresh" in title:
        wrong += [f"{count} lists of {path}" for path, count in found.lists.items() if count != 1]
        wrong += [f"read one object: {path}" for path in found.singles]
        return wrong if found.lists else [*wrong, "nothing was read: the refresh did not refresh"]
    return wrong + [f"asked: GET {e['path']}" for e in found.entries if e["method"] == "GET"]


def _state_writes(client: Client, apps: int) -> None:
    """The share of an up that goes into writing the state after each step."""
    whole, skipped = Times(), Times()
    for _ in range(_STATE_RUNS):
        whole.take(up(client))
        down(client)()
        skipped.take(_run(client, "up", "--yes", **_SKIP))
        down(client)()
    tables.state(apps, whole.seconds, skipped.seconds)


def up(project: Project) -> Callable[[], object]:
    """Bring it up."""
    return _run(project, "up", "--yes")


def down(project: Project) -> Callable[[], object]:
    """Destroy it."""
    return _run(project, "destroy", "--yes")


def preview(project: Project) -> Callable[[], object]:
    """Preview it."""
    return _run(project, "preview")


def _run(project: Project, *args: str, **environment: str) -> Callable[[], object]:
    return lambda: project.pulumi(*args, "--stack", STACK, check=True, given=None, **environment)


def _record(name: str, pair: Pair, goal: float) -> None:
    figures.record("bench", **{name: (round(pair.ratio, 3), goal)})

"""`make bench`: measures everything and prints it; figures go to out/figures/bench.json."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from bench import figures
from bench.machine import missing
from bench.measure import parts, promises, tables
from bench.measure.commands import SKIP, down, preview, refresh, up, up_refreshed
from bench.measure.floor import floor
from bench.measure.requests import Loop, ask_for, requests, same
from bench.measure.stacks import STACK, Client, Naive
from bench.measure.tables import Size
from bench.measure.timing import RUNS, Pair, Times, paired
from bench.measure.traffic import Traffic, traffic
from bench.measure.watch import Seen, watch
from bench.plain import PlainWorld
from bench.world import World

PREVIEW_GOAL, BOX_PREVIEW_GOAL, REFRESH_GOAL, UP_GOAL, CALLS_GOAL = 1.0, 0.6, 1.1, 1.2, 1.0
SIZES = (12, 100, 500)
"""Apps of the clients that are measured."""
_FIRST_CHANGE = -2  # those that are measured count from -1
_LONG, _LONG_RUNS = 100, 3
"""From so many apps on an up takes minutes, and runs only so often."""


def measure(world: Path, runs: int = RUNS, sizes: Sequence[int] = SIZES) -> None:
    """Measure all, a whole client in a world that is kept in `world` meanwhile."""
    place = Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    place.chmod(0o700)
    try:
        tables.opening(runs, _LONG_RUNS, _LONG)
        reasons = missing()
        if reasons:
            tables.without_box(reasons)
        else:
            _whole(place / "whole", World(world, progress=tables.quiet), runs)
        tables.sizes([_identities(place / str(apps), apps, runs) for apps in sizes])
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _whole(place: Path, world: World, runs: int) -> None:
    """A preview without change of a whole client on a box, against the floor."""
    with world.alone():
        world.clean()  # of a run that was killed
        try:
            world.start()
            client = Client(place / "client", world, 12)
            up(client)()
            pair = _preview(place, client, runs, "a whole client with 12 apps", BOX_PREVIEW_GOAL)
            tables.seconds("Its plugins alone, until they answer", _answering(client, parts.plugins(client)))
        finally:
            world.clean()
    _record("preview_noop_box_12_ratio", pair, BOX_PREVIEW_GOAL)


def _identities(place: Path, apps: int, runs: int) -> Size:
    """A client that is identities alone, on an authentik that takes its time."""
    with PlainWorld(place / "world", tables.quiet, memory=True, options=("--latency",)).running() as world:
        client = Client(place / "client", world, apps)
        seen: list[Seen] = []
        first = traffic(world, lambda: seen.extend(watch(client, "up", "--yes", "--stack", STACK)))
        tables.processes(f"Processes of an up of {apps} apps", seen)
        _nothing_changed(world, client, apps, first)
        previews = _preview(place, client, runs, f"{apps} apps without a box", PREVIEW_GOAL)
        _record(f"preview_noop_{apps}_ratio", previews, PREVIEW_GOAL)
        naive = requests(place / "naive", client, world, first)
        _alike(world, client, naive, first)
        refreshes = paired(refresh(client), refresh(naive), runs)
        _against(f"`preview --refresh` of {apps} apps", f"refresh_{apps}_ratio", refreshes, REFRESH_GOAL)
        edits = paired(up(client), up(naive), runs, before=(client.change, naive.change))
        _against(f"One edit of {apps} apps, from preview to state", f"edit_{apps}_ratio", edits, UP_GOAL)
        ups = _ups(client, naive, apps, runs)
        _against(f"Up of {apps} apps from nothing", f"up_{apps}_ratio", ups, UP_GOAL)
        down(naive)()
        if apps == SIZES[0]:
            _parts(client)
            _loop(naive)
        skipped = Times()
        skipped.take(up(client, **SKIP))
        return Size(apps, previews, refreshes, edits, ups, skipped.seconds, seen)


def _preview(place: Path, client: Client, runs: int, what: str, goal: float) -> Pair:
    base = floor(place / "floor", client)
    for each in (client, base):  # both must say that there is nothing to do, or nothing is compared
        each.pulumi("preview", "--stack", STACK, "--expect-no-changes")
    pair = paired(preview(client), preview(base), runs)
    tables.ratio(f"No-op preview of {what}", pair, goal, naive="the floor")
    tables.processes(f"Processes of the preview of {what}", watch(client, "preview", "--stack", STACK))
    tables.processes("Those of the floor", watch(base, "preview", "--stack", STACK))
    return pair


def _nothing_changed(world: PlainWorld, client: Client, apps: int, first: Traffic) -> None:
    """What is asked of authentik when nothing changed; raises BrokenPromiseError if it is more than promised."""
    seen = {
        "up that changes nothing": traffic(world, up(client)),
        "preview": traffic(world, preview(client)),
        "preview --refresh": traffic(world, refresh(client)),
        "up --refresh that changes nothing": traffic(world, up_refreshed(client)),
    }
    tables.traffic(f"What is asked of authentik, {apps} apps", {"up from nothing": first, **seen})
    promises.hold(seen)
    calls = round(promises.calls_per_kind(seen["preview --refresh"]), 3)
    figures.record("bench", refresh_calls_per_kind=(calls, CALLS_GOAL))
    tables.figure("refresh_calls_per_kind", calls)


def _alike(world: PlainWorld, client: Client, naive: Naive, first: Traffic) -> None:
    """Raises UnlikeError unless the naive program asks for what gatehouse asks for.

    From here on the objects of both are there, and lists have as many pages as that takes.
    """
    same(first, traffic(world, up(naive)))
    refreshed = traffic(world, refresh(client))
    client.change(_FIRST_CHANGE)
    edited = traffic(world, up(client))
    ask_for(naive, refreshed, edited)
    same(refreshed, traffic(world, refresh(naive)))
    naive.change(_FIRST_CHANGE)
    same(edited, traffic(world, up(naive)))


def _ups(client: Client, naive: Naive, apps: int, runs: int) -> Pair:
    """From nothing, each with the other one's objects away too."""

    def nothing(_: int) -> None:
        down(client)()
        down(naive)()

    long = apps >= _LONG
    return paired(
        up(client), up(naive), _LONG_RUNS if long else runs, before=(nothing, nothing), warm=not long
    )


def _loop(naive: Naive) -> None:
    loop, alone = Loop(naive), Times()
    alone.take(loop.up)
    loop.down()
    tables.seconds("The same requests in a plain loop", {"httpx, one after the other": alone.seconds})


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


def _against(title: str, name: str, pair: Pair, goal: float) -> None:
    tables.ratio(f"{title}, without a box", pair, goal, naive="requests alone")
    _record(name, pair, goal)


def _record(name: str, pair: Pair, goal: float) -> None:
    value = round(pair.ratio, 3)
    figures.record("bench", **{name: (value, goal)})
    tables.figure(name, value)

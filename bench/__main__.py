"""`python -m bench up|enter|down|clean`: the outside world on this machine, kept below the bench's cache."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from bench.engine import BuildError as EngineError
from bench.machine import missing
from bench.machine.network import NetworkError
from bench.paths import CACHE
from bench.plain import PlainWorld, PlainWorldError
from bench.rootfs import BuildError
from bench.world import World, WorldError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Place = Annotated[Path, typer.Option("--directory", help="where all state of this world is kept")]
_DEFAULT = CACHE / "world"
_PLAIN = CACHE / "plain"
MEASURED = CACHE / "measured-world"  # a whole client's, while `figures` measures it


@app.command()
def up(
    directory: Place = _DEFAULT,
    kind: Annotated[str, typer.Option(help="the boxes' image: baked or plain")] = "baked",
) -> None:
    """Make what is missing and start it all."""
    world = World(directory, kind, progress=typer.echo)
    world.start()
    typer.echo(
        f"The outside world runs. Its logs are in {world.directory}, its network namespace is {world.namespace}."
    )


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def enter(command: Annotated[list[str], typer.Argument()], directory: Place = _DEFAULT) -> None:
    """Run a command on the operator's side: in its network, with its environment."""
    world = World(directory)
    if not world.running():
        raise WorldError("the outside world does not run: `python -m bench up` starts it")
    argv = world.command(command)
    os.execvpe(argv[0], argv, {**os.environ, **world.env()})  # noqa: S606  (the command takes this process's place)


@app.command()
def down(directory: Place = _DEFAULT) -> None:
    """Stop everything; what the clouds, boxes and volumes hold stays on disk."""
    world = World(directory)
    with world.alone():
        world.stop()


@app.command()
def clean(directory: Place = _DEFAULT) -> None:
    """Stop everything, whatever a killed run left, and forget its state."""
    for place in (directory, MEASURED):
        world = World(place)
        with world.alone():
            world.clean()
    PlainWorld(_PLAIN).clean()
    from bench.demo import DemoError, forget  # noqa: PLC0415  (it loads the program, which others don't need)

    with suppress(DemoError):  # a client of the operator's own: not the demo's to remove
        forget()


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="leave everything running at the end")] = False,
) -> None:
    """Take a client from nothing to a login and back to nothing, with the operator's own commands."""
    from bench.demo import demo as run  # noqa: PLC0415  (it loads the program, which the other commands don't need)

    world: World | PlainWorld = World(_DEFAULT)
    if reasons := missing():
        world = PlainWorld(_PLAIN, progress=typer.echo)
        typer.echo(
            "No box can be made here: this client's authentik runs without one. A whole client needs more:"
        )
        typer.echo("".join(f"  - {reason}\n" for reason in reasons))
    cold = not (CACHE / "engine").exists()
    with world.alone():
        world.clean()
        code = run(world, keep=keep, cold=cold)
        if not keep:
            world.clean()
    raise typer.Exit(code)


@app.command()
def figures(
    runs: Annotated[int, typer.Option(min=5, help="of each side, in turn")] = 7,
    apps: Annotated[
        list[int] | None,
        typer.Option(help="size of a client, several times for several; all sizes take over an hour"),
    ] = None,
) -> None:
    """Measure what gatehouse costs, as ratios against programs that do nothing more than they must."""
    from bench.measure.figures import SIZES, measure  # noqa: PLC0415  (what it needs, the other commands don't)

    measure(MEASURED, runs, apps or SIZES)


if __name__ == "__main__":
    try:
        app()
    except (WorldError, PlainWorldError, BuildError, EngineError, NetworkError) as error:
        sys.exit(str(error))

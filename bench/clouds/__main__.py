"""`python -m bench.clouds`: Hetzner, Cloudflare and the DNS of the bench as one process."""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from bench.clouds.machines import Machines, NullMachines
from bench.clouds.serving import Address, Clouds


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise typer.BadParameter(f"{text} is not an address: write it as 127.0.0.1:8101")
    return host, int(port)


def _pairs(values: list[str], option: str) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    wrong = [value for value, (_, sign, right) in zip(values, pairs, strict=True) if not sign or not right]
    if wrong:
        raise typer.BadParameter(f"{option} {wrong[0]}: a name, =, and a value are needed")
    return {left: right for left, _, right in pairs}


def main(
    directory: Annotated[Path, typer.Option(help="where the state and the tokens are kept")],
    hetzner: Annotated[str, typer.Option()] = "127.0.0.1:8101",
    cloudflare: Annotated[str, typer.Option()] = "127.0.0.1:8102",
    dns: Annotated[
        list[str] | None, typer.Option(help="an address to answer DNS on; may be given again")
    ] = None,
    zone: Annotated[list[str] | None, typer.Option(help="a zone at Cloudflare; may be given again")] = None,
    name: Annotated[list[str] | None, typer.Option(help="the bench's own name: host=ip")] = None,
    machines: Annotated[str, typer.Option(help="null (servers are only entries) or nspawn")] = "null",
    action_seconds: Annotated[
        float, typer.Option(help="the least time that an action of Hetzner's takes")
    ] = 0.2,
) -> None:
    """Run until SIGTERM or SIGINT; prints "ready" when everything answers."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    if machines not in ("null", "nspawn"):
        raise typer.BadParameter("--machines is null or nspawn")
    clouds = Clouds(
        directory,
        hetzner=_address(hetzner),
        cloudflare=_address(cloudflare),
        dns=[_address(d) for d in dns or []],
        zones=dict.fromkeys(zone or []),
        own_names=_pairs(name or [], "--name"),
        machines=_real(directory) if machines == "nspawn" else NullMachines(),
        action_seconds=action_seconds,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: clouds.stop())
    try:
        asyncio.run(clouds.serve(lambda: print("ready", flush=True)))
    except OSError as error:
        sys.exit(f"bench.clouds cannot listen: {error}. Is another bench running? `python -m bench clean`")


def _real(directory: Path) -> Machines:
    """The machines that boot; imported only here, as they need root and Linux."""
    return cast(Machines, importlib.import_module("bench.machine.machines").Machines(directory / "machines"))


if __name__ == "__main__":
    typer.run(main)

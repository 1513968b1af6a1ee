"""`gatehouse catalog`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from operations import catalog as lines

console = Console()


def catalog(
    source: Annotated[
        str, typer.Option("--from", help="authentik's address, or a file with its OpenAPI schema")
    ],
    line: Annotated[str, typer.Option(help="The release line, such as 2026.11")],
) -> None:
    """Learn a release line from a running authentik. Its token, if it asks for one: AUTHENTIK_TOKEN."""
    path, count, unknown = lines.learn(source, line)
    console.print(f"Wrote {path.name}: {count} kinds of authentik {line}.", soft_wrap=True)
    for each in unknown:
        console.print(f"Not declarable until tools/facts describes it: {each}")
    console.print("Then: python -m tools, and make check", soft_wrap=True)

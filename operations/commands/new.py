"""`gatehouse new`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from operations.new import NewClient
from operations.new import new as new_client
from operations.options import Name


def new(
    name: Name,
    domain: Annotated[str, typer.Option(prompt=True, help="The client's zone at Cloudflare")],
    operator: Annotated[str, typer.Option(prompt="Your user name", help="The first operator's user name")],
    email: Annotated[
        str, typer.Option(prompt="Your e-mail address", help="The first operator's e-mail address")
    ],
    ssh_key: Annotated[
        str | None,
        typer.Option(
            help="The operator's public SSH key, or the file that has it", show_default="yours in ~/.ssh"
        ),
    ] = None,
    server_type: Annotated[str, typer.Option(help="Hetzner's server type")] = "cx23",
    location: Annotated[str, typer.Option(help="Hetzner's location")] = "nbg1",
    version: Annotated[str, typer.Option(help="authentik's version")] = "2026.8.3",
    box_host: Annotated[str | None, typer.Option(help="Use this server, reached over SSH, instead")] = None,
    box_host_key: Annotated[str | None, typer.Option(help="That server's SSH host key")] = None,
    authentik_url: Annotated[
        str | None, typer.Option(help="No server: authentik runs already, at this URL")
    ] = None,
) -> None:
    """Write a stack file for a new client, with a fresh root secret."""
    wanted = NewClient(
        client=name,
        domain=domain,
        operator=operator,
        email=email,
        ssh_key=ssh_key,
        server_type=server_type,
        location=location,
        version=version,
        box_host=box_host,
        box_host_key=box_host_key,
        authentik_url=authentik_url,
    )
    stack = new_client(wanted)
    Console().print(f"Wrote stacks/{stack.file.name}. Look it over, then: ./gatehouse doctor {name}")

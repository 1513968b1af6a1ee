"""Asks Hetzner what a server type is, and refuses one that cannot be used before anything is made."""

from __future__ import annotations

import pulumi
from pulumi.runtime import invoke_async

from components.logical_names import logical_name
from components.settings.host import NewServer, type_problems


def check(
    client: str, server: NewServer, apps: int, hcloud: pulumi.ProviderResource
) -> tuple[pulumi.Output[str], pulumi.ResourceHookBinding]:
    """The name of the server type once Hetzner knows it, and the hook that a new server must pass.

    The hook runs where a server is to be created, at preview and at `up`, and where its type changes; one
    that exists stays as it is even when Hetzner no longer offers its type at that location.
    """
    refusals: list[str] = []

    async def look_up() -> str:
        token = "hcloud:index/getServerType:getServerType"  # noqa: S105  (the name of a function)
        try:
            found = await invoke_async(token, {"name": server.type}, pulumi.InvokeOptions(provider=hcloud))
        except Exception as error:  # the engine's errors have no type of their own
            raise pulumi.RunError(explain(server, str(error))) from None
        for problem in type_problems(server, found, apps):
            if problem.refuses:
                refusals.append(str(problem))
            else:
                pulumi.log.warn(str(problem))
        return server.type

    def refuse(arguments: pulumi.ResourceHookArgs) -> None:
        old = (arguments.old_inputs or {}).get("serverType")
        if refusals and old != server.type:
            raise pulumi.RunError("; ".join(refusals))

    hook = pulumi.ResourceHook(
        logical_name(client, "server-type"), refuse, pulumi.ResourceHookOptions(on_dry_run=True)
    )
    binding = pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])
    return pulumi.Output.from_input(look_up()), binding


def explain(server: NewServer, stderr: str) -> str:
    """What a failed look-up means, with Hetzner's own words at the end."""
    words = " ".join(stderr.split())
    if "unauthorized" in words or "token" in words:
        return (
            f"Hetzner refused the API token: check gatehouse:hetznerToken or HCLOUD_TOKEN (64 characters, "
            f"read and write, of this client's project). Hetzner's provider said: {words}"
        )
    if "not found" in words:
        return (
            f"gatehouse:server.type: Hetzner has no server type {server.type}. Take one of the list at "
            f"https://www.hetzner.com/cloud, such as cx23. Hetzner's provider said: {words}"
        )
    return f"server type {server.type} could not be looked up at Hetzner: {words}"

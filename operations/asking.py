"""The client's authentik, as the operator's commands ask it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from components.objects.errors import ObjectError
from components.objects.http import RefusedError
from components.settings import Elsewhere, Settings
from components.ssh import AccessError
from operations.errors import OperatorError
from operations.stack import PROJECT, Stack

_PROVIDER = "pulumi:providers:pulumi-python"


def authentik_of(settings: Settings, resources: list[dict[str, Any]]) -> Authentik | None:
    """The authentik that the stack file names, or that of the box in the state's `resources`; None without one."""
    line = ReleaseLine(settings.authentik.line)
    if isinstance(settings.box, Elsewhere):
        token = settings.authentik.token
        return Authentik(settings.authentik.url or "", token.get_secret_value() if token else "", None, line)
    place = address(resources)
    derived = settings.derived().value("authentik/service-token")
    return Authentik(place, derived, None, line) if place else None


def address(resources: list[dict[str, Any]]) -> str | None:
    """Where the authentik of the box is, by the state's `resources`, for `components.ssh.tunnel`."""
    inputs = (each.get("inputs", {}) for each in resources if each["type"] == _PROVIDER)
    # Only this provider has a line; the other one of its type is Nginx Proxy Manager's.
    addresses = [each[f"{PROJECT}:address"] for each in inputs if f"{PROJECT}:line" in each]
    return str(addresses[0]) if addresses else None


def opened(stack: Stack) -> tuple[Settings, Authentik]:
    """A client's settings, decrypted, and its authentik.

    Raises:
        OperatorError: there is no such client, or it has no authentik yet.
    """
    settings = stack.require().settings()
    server = authentik_of(settings, stack.deployment().get("resources", []))
    if server is None:
        raise OperatorError(
            f"{stack.name} has no authentik yet.", f"Bring it up first: ./gatehouse up {stack.name}"
        )
    return settings, server


@contextmanager
def answered(server: Authentik) -> Iterator[None]:
    """Turn what authentik refuses, and an authentik that is away, into an error with a remedy."""
    try:
        yield
    except RefusedError as refused:
        raise OperatorError(
            f"{server.where} refuses what it is asked ({refused}).",
            "Look into its log; then run the same command again, which goes on from here.",
        ) from None
    except (ObjectError, AccessError) as error:
        raise OperatorError(str(error), "") from None

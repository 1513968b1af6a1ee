"""The client's authentik, as the operator's commands ask it."""

from __future__ import annotations

from typing import Any

from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from components.settings import Elsewhere, Settings
from operations.stack import PROJECT

_PROVIDER = "pulumi:providers:pulumi-python"


def authentik_of(settings: Settings, resources: list[dict[str, Any]]) -> Authentik | None:
    """The authentik that the stack file names, or that of the box in the state's `resources`; None without one."""
    line = ReleaseLine(settings.authentik.line)
    if isinstance(settings.box, Elsewhere):
        token = settings.authentik.token
        return Authentik(settings.authentik.url or "", token.get_secret_value() if token else "", None, line)
    inputs = (each.get("inputs", {}) for each in resources if each["type"] == _PROVIDER)
    # Only this provider has a line; the other one of its type is Nginx Proxy Manager's.
    addresses = [each[f"{PROJECT}:address"] for each in inputs if f"{PROJECT}:line" in each]
    derived = settings.derived().value("authentik/service-token")
    return Authentik(str(addresses[0]), derived, None, line) if addresses else None

"""What a client is, as plain data, with every problem that can be found before anything is contacted.

`doctor`, `preview` and `up` speak of the same problems, since all of them plan; the program then only declares what the
plan says. No engine is needed for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components import apps
from components.backup.files import outputs as backup_outputs
from components.containers.spec import ContainerSpec as Container
from components.containers.specs import admin_identity, all_specs
from components.host.names import record_types
from components.identity.plan import ResolvedPlan
from components.memory import Memory
from components.problems import Problem, Problems, refuse
from components.proxy.routes import Route, routes
from components.secrets import Secrets
from components.settings import Elsewhere, Settings


@dataclass(frozen=True)
class BoxPlan:
    """What a client's box runs and serves."""

    identity: str
    """Who logs in to Nginx Proxy Manager."""
    containers: tuple[Container, ...]
    routes: tuple[Route, ...]
    records: Mapping[str, tuple[str, ...]]
    """The types of the DNS records that each name gets."""


@dataclass(frozen=True)
class ClientPlan:
    """All that is known of a client beforehand."""

    settings: Settings
    secrets: Secrets
    """Those that the client needs were asked for."""
    remembered: Memory
    objects: ResolvedPlan
    """Everything in authentik."""
    box: BoxPlan | None
    """None where authentik runs elsewhere, or where nobody knows how to run its line: that is a problem then."""
    outputs: Mapping[str, Any]
    """What is told: stack outputs by name, secrets as SecretStr. What is known only later is not among them."""
    problems: tuple[Problem, ...]

    def check(self) -> None:
        """Raise Problems where there is an error."""
        refuse(self.problems, "Nothing was touched:")


def plan(
    settings: Settings, secrets: Secrets, remembered: Memory | None = None, *, confirmed: bool = False
) -> ClientPlan:
    """Plan a client. `remembered`: what its state says of it; `confirmed`: see `Memory.problems`."""
    remembered = remembered or Memory()
    objects = apps.planned(settings, secrets).resolve()
    box, unknown = _box(settings, secrets, remembered)
    return ClientPlan(
        settings,
        secrets,
        remembered,
        objects,
        box,
        {
            "adminUrl": f"{settings.issuer_base}/if/admin/",
            **apps.outputs(settings, secrets),
            **backup_outputs(settings, secrets),
        },
        (
            *remembered.problems(settings, secrets, confirmed=confirmed),
            *unknown,
            *objects.problems,
            *settings.warnings,
        ),
    )


def _box(settings: Settings, secrets: Secrets, remembered: Memory) -> tuple[BoxPlan | None, list[Problem]]:
    if isinstance(settings.box, Elsewhere):
        return None, []
    identity = remembered.identity or admin_identity(settings)
    try:
        containers = all_specs(settings, secrets, identity)
    except Problems as error:
        return None, error.problems
    return BoxPlan(identity, tuple(containers), tuple(routes(settings)), record_types(settings)), []

"""What the program wants of authentik, before anything is checked; and what checking finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi


@dataclass(frozen=True)
class Spec:
    """One object as it was added to a plan."""

    kind: str
    name: str
    fields: dict[str, Any]
    adopt: bool = False
    parent: pulumi.Resource | None = None
    logical: str = ""
    sealed: frozenset[str] = frozenset()
    origin: str = ""
    formerly: tuple[str, ...] = ()
    defaulted: frozenset[str] = frozenset()
    owner: str = ""
    keep: Mapping[str, str] = field(default_factory=dict)
    foreign: str = "keep"
    elsewhere: frozenset[str] = frozenset()
    """Fields that another resource of the stack manages."""

    @property
    def where(self) -> str:
        """How findings speak of it."""
        return f"{self.kind} {self.name!r}" + f" ({self.origin})" * bool(self.origin)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where, what, and what would be right."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.remedy}"


class PlanError(ValueError):
    """Everything that is wrong with the declared objects, at once."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        many = f"{len(findings)} problems" if len(findings) > 1 else "1 problem"
        super().__init__("\n  ".join([f"{many} with authentik's objects:", *map(str, findings)]))

"""What the program wants of authentik, before anything is checked."""

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
        """How problems speak of it."""
        return f"{self.kind} {self.name!r}" + f" ({self.origin})" * bool(self.origin)

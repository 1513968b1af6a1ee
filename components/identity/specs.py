"""What the program wants of authentik, before anything is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ObjectSpec:
    """One object as it was added to a plan."""

    kind: str
    name: str
    fields: dict[str, Any]
    """By their API names. A secret that gatehouse derives is a SecretStr, which no text shows."""
    adopt: bool = False
    logical: str = ""
    sealed: frozenset[str] = frozenset()
    origin: str = ""
    formerly: tuple[str, ...] = ()
    defaulted: frozenset[str] = frozenset()
    owner: str = ""
    keep: Mapping[str, str] = field(default_factory=dict)
    foreign: str = "keep"
    searcher: str = ""
    elsewhere: frozenset[str] = frozenset()
    """Fields that another resource of the stack manages."""

    @property
    def where(self) -> str:
        """How problems speak of it."""
        return f"{self.kind} {self.name!r}" + f" ({self.origin})" * bool(self.origin)

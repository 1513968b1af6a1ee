"""What brings objects to what is declared: the reconcile engine, or another one for what is no object of its own."""

from __future__ import annotations

from typing import Protocol

from components.objects.dialect import Kind
from components.objects.reconcile import Declared, Held


class Engine(Protocol):
    """What brings the objects of a kind to what is declared; see `objects.reconcile.Reconciler`."""

    def create(self, wanted: Declared) -> Held:
        """Make it."""
        ...

    def read(self, kind: Kind, held: Held) -> Held | None:
        """As it is now; None when it is gone."""
        ...

    def update(self, held: Held, wanted: Declared) -> Held:
        """Bring it to what is declared."""
        ...

    def delete(self, kind: Kind, logical: str, held: Held) -> str:
        """Let go of it; what was done, in words."""
        ...

"""What brings objects to what is declared: the reconcile engine, or another one for what is no object of its own."""

from __future__ import annotations

from typing import Protocol

from components.objects.dialect import Kind
from components.objects.reconcile import DesiredObject, ObjectState


class Engine(Protocol):
    """What brings the objects of a kind to what is declared; see `objects.reconcile.Reconciler`."""

    def create(self, desired: DesiredObject) -> ObjectState:
        """Make it."""
        ...

    def read(self, kind: Kind, prior: ObjectState) -> ObjectState | None:
        """As it is now; None when it is gone."""
        ...

    def update(self, prior: ObjectState, desired: DesiredObject) -> ObjectState:
        """Bring it to what is declared."""
        ...

    def delete(self, kind: Kind, logical: str, prior: ObjectState) -> str:
        """Let go of it; what was done, in words."""
        ...

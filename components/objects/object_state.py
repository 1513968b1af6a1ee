"""One object as the state knows it."""

from __future__ import annotations

from dataclasses import dataclass, field

from components.objects.field_values import Fields

UNKNOWN_PK = "?"
"""The pk of an object that a state which was lost is made anew from: found by its natural key, it gets its own."""


@dataclass(frozen=True)
class ObjectState:
    """One object as the state knows it."""

    pk: str
    """The pk at creation."""
    fields: Fields
    adopted: bool = False
    original: Fields = field(default_factory=dict)
    """For adopted objects: what the fields that we manage held before we came; None is a value here. No secrets."""
    note: str = field(default="", compare=False)
    """What an operator should know of how it came to be so."""
    memory: Fields = field(default_factory=dict)
    """What else has to be remembered in the state, of kinds that are no object of their own."""

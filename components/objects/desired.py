"""One object as the program wants it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from components.objects import field_values
from components.objects.dialect import Kind
from components.objects.field_values import Fields


@dataclass(frozen=True)
class DesiredObject:
    """One object as the program wants it."""

    kind: str
    logical: str
    """The resource's logical name: for messages, and to recognise what an interrupted run began."""
    fields: Fields
    adopt: bool = False
    sealed: frozenset[str] = frozenset()
    """Fields with a secret in them that are not secret by nature."""
    defaulted: frozenset[str] = frozenset()
    """Fields that nobody wrote: an object that is made gets them, one that was there before keeps its own."""

    owner: str = ""
    """Natural key of what has it to itself (`Kind.owner`): what is to be taken over is first looked for there."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """Fields that taking over never changes, each with the command that declares the value which is there."""
    elsewhere: frozenset[str] = frozenset()
    """Fields that another resource of the stack manages: they are not cleared when they are no longer declared here."""

    def for_adoption(self, kind: Kind, there: Fields) -> DesiredObject:
        """What counts for an object that was there before. `there`: its fields, of which its name may stay."""
        return replace(self, fields=field_values.explicit_fields(kind, self.fields, self.defaulted, there))

"""Natural keys: what a person calls an object, and what it is found by, on whatever server it lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.objects.values import canonical, is_empty

Key = tuple[str, ...]
"""What one object has for a natural key, comparable with that of another one of its kind."""


@dataclass(frozen=True)
class Part:
    """One part of a natural key: a field, or several of which an object has one (a binding's policy, group or user)."""

    fields: tuple[str, ...]

    @property
    def is_choice(self) -> bool:
        """Whether the field has to be said along with its value."""
        return len(self.fields) > 1

    def field(self, values: Mapping[str, Any]) -> str:
        """The field that says it in this object; the first one, where none does."""
        return next((name for name in self.fields if not is_empty(values.get(name))), self.fields[0])

    def text(self, field: str, value: str) -> str:
        """A value as it stands in a key or a name: with its field, where that is a choice."""
        return f"{field}:{value}" if self.is_choice else value


@dataclass(frozen=True)
class NaturalKey:
    """The fields that tell objects of one kind apart."""

    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, *parts: str) -> NaturalKey:
        """The key of these parts, each a field, or fields of which one is set: `policy|group|user`."""
        return cls(tuple(Part(tuple(part.split("|"))) for part in parts))

    @property
    def fields(self) -> list[str]:
        """Every field that may be part of it."""
        return [name for part in self.parts for name in part.fields]

    @property
    def is_composed(self) -> bool:
        """Whether it ties others together (a binding): then nobody calls the object by it."""
        return len(self.parts) > 1

    def chosen_fields(self, values: Mapping[str, Any]) -> Iterator[tuple[Part, str]]:
        """Each part, with the field that says it in this object."""
        for part in self.parts:
            yield part, part.field(values)

    def of(self, values: Mapping[str, Any]) -> Key:
        """The key of an object or a body, as the server holds it: references are pks."""
        return tuple(
            part.text(field, str(canonical(values.get(field)))) for part, field in self.chosen_fields(values)
        )

    def display_name(self, values: Mapping[str, Any]) -> str:
        """What people call an object by these fields: a question mark stands for what is not there."""
        found = (values.get(field) for _, field in self.chosen_fields(values))
        return "/".join("?" if is_empty(value) else str(value) for value in found)

    def __str__(self) -> str:
        return ", ".join(" or ".join(part.fields) for part in self.parts)

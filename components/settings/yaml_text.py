"""YAML as operators write it: no key twice, and mistakes by their lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # a PyYAML without libyaml, ten times slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]


class _Loader(_SafeLoader):
    """Refuses a key that is there twice, as Pulumi does; YAML's own loader takes the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"{key.value!r} is there twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def loaded(text: str) -> Any:
    """What a text says. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe one)


def mistake(error: yaml.YAMLError) -> tuple[str, int | None]:
    """What is wrong with a text that is not YAML, and in which line, where that is known."""
    mark = getattr(error, "problem_mark", None)
    return getattr(error, "problem", None) or "it cannot be read", mark.line + 1 if mark else None


def line(text: str, path: Sequence[str | int]) -> int:
    """The line of what is at a path, or of the last part of the path that is there."""
    node = yaml.compose(text, Loader=_Loader)
    number = 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = (node.value[step], node.value[step])
        else:
            found = None
        if found is None:
            break
        number, node = found[0].start_mark.line + 1, found[1]
    return number

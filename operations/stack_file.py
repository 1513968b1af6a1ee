"""A stack file, changed in a few places: every other letter of it, comments and order among them, stays as it is.

Where a value stands in the text is asked of the YAML parser. After each change the text is read again, and must say
what it said before with just that change; else the change is not made.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from components.settings import parse
from operations.errors import OperatorError
from operations.stack import PROJECT

Keys = tuple[str | int, ...]
"""Where something stands: keys of mappings and indices of lists."""
WIDE = 10_000
"""Columns: nothing that is written is broken into lines."""
_PREFIX = f"{PROJECT}:"


class StackFile:
    """The text of one stack file; paths begin below `config`, their first part without `gatehouse:`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with file.open(encoding="utf-8", newline="") as text:
            self.before = text.read()
        self.text = self.before

    @property
    def data(self) -> dict[str, Any]:
        """What it says below `config`, with keys as the settings have them."""
        config = (yaml.safe_load(self.text) or {}).get("config") or {}
        return {str(key).removeprefix(_PREFIX): value for key, value in config.items()}

    @property
    def is_changed(self) -> bool:
        """Whether there is something to save."""
        return self.text != self.before

    def set(self, path: Keys, value: Any) -> None:
        """Give one key of a mapping this value; one that there is not comes after those that there are."""
        *above, key = path
        mapping = self._node(tuple(above))
        assert isinstance(mapping, MappingNode)

        def wanted(data: Any) -> None:
            _below(data, above)[key] = value

        for name, node in mapping.value:
            if _named(name) == key:
                self._change(*self._in_place(name, node, _written(value)), wanted)
                return
        pair = f"{_written(key)}: {_written(value)}"
        if mapping.flow_style:
            last = mapping.value[-1][1] if mapping.value else None
            at = _end(last) if last else mapping.start_mark.index + 1
            self._change(at, at, f"{', ' * (last is not None)}{pair}", wanted)
            return
        singles = [node for _, node in mapping.value if _is_on_one_line(node)]
        if not singles:
            raise self._too_hard(path)
        at = self._line_end(_end(singles[-1]))
        indent = " " * mapping.value[0][0].start_mark.column
        self._change(at, at, f"\n{indent}{pair}", wanted)

    def remove(self, path: Keys) -> None:
        """Take one entry out of a list."""
        *above, index = path
        assert isinstance(index, int)
        sequence = self._node(tuple(above))
        assert isinstance(sequence, SequenceNode)
        items = sequence.value

        def wanted(data: Any) -> None:
            del _below(data, above)[index]

        if not sequence.flow_style and len(items) > 1:
            start = self._line_start(items[index].start_mark.index)
            self._change(start, self._line_end(_end(items[index])) + 1, "", wanted)
        elif not sequence.flow_style:
            self.set(tuple(above), [])
        elif index + 1 < len(items):
            self._change(items[index].start_mark.index, items[index + 1].start_mark.index, "", wanted)
        else:
            start = _end(items[index - 1]) if index else items[index].start_mark.index
            self._change(start, _end(items[index]), "", wanted)

    def append(self, key: str, entries: Sequence[Any]) -> None:
        """Add entries to the end of a setting that is a list, each in a line of its own."""
        config = self._node(())
        assert isinstance(config, MappingNode)

        def wanted(data: Any) -> None:
            data[key] = [*(data.get(key) or []), *entries]

        found = [(name, node) for name, node in config.value if _named(name) == key]
        column = config.value[0][0].start_mark.column
        if not found:
            at = self._line_end(_end(config))
            head = f"\n{' ' * column}{_PREFIX}{key}:"
            self._change(at, at, head + _lines(entries, column + 2), wanted)
            return
        name, node = found[0]
        if isinstance(node, SequenceNode) and node.value and node.flow_style:
            at = _end(node.value[-1])
            self._change(at, at, "".join(f", {_written(entry)}" for entry in entries), wanted)
        elif isinstance(node, SequenceNode) and node.value:
            at = self._line_end(_end(node))
            self._change(at, at, _lines(entries, node.start_mark.column), wanted)
        else:  # empty, or without a value: what stands behind it in its line stays there
            start, end, _ = self._in_place(name, node, "")
            rest = self.text[end : self._line_end(end)].rstrip()
            lines = f"{' ' * bool(rest)}{rest.lstrip()}{_lines(entries, column + 2)}"
            self._change(start, self._line_end(end), lines, wanted)

    def check(self) -> None:
        """Raises components.problems.Problems where the settings would no longer be valid."""
        config = (yaml.safe_load(self.text) or {}).get("config") or {}
        own = {key.removeprefix(_PREFIX): value for key, value in config.items() if key.startswith(_PREFIX)}
        parse(own, sealed=True)

    def save(self) -> None:
        """Put the changed text in the file's place, in one step."""
        if not self.is_changed:
            return
        handle, name = tempfile.mkstemp(dir=self.file.parent, prefix=f".{self.file.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as new:
                new.write(self.text)
                new.flush()
                os.fsync(new.fileno())
            temporary.chmod(self.file.stat().st_mode & 0o777)
            temporary.replace(self.file)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        self.before = self.text

    # -- the text ----------------------------------------------------------------------------------------------------

    def _node(self, path: Keys) -> Node:
        root = yaml.compose(self.text, Loader=yaml.SafeLoader)
        node = _child(root, "config")
        for part in path:
            node = _child(node, part)
        return node

    def _in_place(self, name: Node, node: Node, written: str) -> tuple[int, int, str]:
        """Where a value goes in the place of another one, behind its key: (start, end, text)."""
        colon = self.text.index(":", _end(name))
        space = " " if written else ""
        if isinstance(node, SequenceNode | MappingNode) and not node.flow_style and node.value:
            rest = self.text[colon + 1 : self._line_end(colon)]  # a comment behind the key stays
            return colon + 1, self._line_end(_end(node)), f"{space}{written}{rest.rstrip()}"
        return colon + 1, max(colon + 1, _end(node)), f"{space}{written}"

    def _change(self, start: int, end: int, new: str, wanted: Callable[[Any], None]) -> None:
        expected = self.data
        wanted(expected)
        before, self.text = self.text, self.text[:start] + new + self.text[end:]
        try:
            said = self.data
        except yaml.YAMLError:
            said = {}
        if said != expected:
            self.text = before
            raise self._too_hard(())

    def _line_start(self, index: int) -> int:
        return self.text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        found = self.text.find("\n", index)
        return found if found >= 0 else len(self.text)

    def _too_hard(self, path: Keys) -> OperatorError:
        place = ".".join(str(part) for part in path)
        return OperatorError(
            f"{self.file.name} is written in a way that cannot be changed here without touching more of it"
            f"{f' ({place})' if place else ''}; nothing was changed.",
            "Write each person and each list in the form of docs/example-stack.yaml, then run the same command again.",
        )


def _child(node: Node | None, part: str | int) -> Node:
    assert isinstance(node, SequenceNode | MappingNode)
    found = node.value if isinstance(part, int) else {_named(name): value for name, value in node.value}
    child = found[part]
    assert isinstance(child, Node)
    return child


def _named(name: Node) -> str:
    return str(name.value).removeprefix(_PREFIX)


def _below(data: Any, path: list[str | int]) -> Any:
    for part in path:
        data = data[part]
    return data


def _end(node: Node) -> int:
    """Where a node's last letter ends: the end of a block, as YAML sees it, is where the next thing begins."""
    if isinstance(node, SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    if isinstance(node, MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        return node.start_mark.index + len(_between(node).rstrip())
    return int(node.end_mark.index)


def _between(node: Node) -> str:
    return str(node.start_mark.buffer or "")[node.start_mark.pointer : node.end_mark.pointer]


def _is_on_one_line(node: Node) -> bool:
    is_block = isinstance(node, SequenceNode | MappingNode) and not node.flow_style
    return not is_block and bool(node.start_mark.line == node.end_mark.line)


def _written(value: Any) -> str:
    """A value as YAML writes it within a line."""
    text = yaml.safe_dump([value], default_flow_style=True, width=WIDE, allow_unicode=True, sort_keys=False)
    return text.strip()[1:-1]


def _lines(entries: Sequence[Any], column: int) -> str:
    return "".join(f"\n{' ' * column}- {_written(entry)}" for entry in entries)

"""Every remedy that gatehouse can print, read from its source: what an operator is told to do, and where it says so.

A remedy is an argument of a few constructors (`ARGUMENTS`), or stands in a table (`TABLES`). A template is its text
with `{…}` for what is only known when it is printed; names and helpers are followed to the texts that they stand for.
Run as a program, this lists them all:

    python -m tests.remedies.collect
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HOLE = "{…}"
ARGUMENTS = {
    "Problem": 2, "warning": 2, "hint": 2, "ObjectError": 2, "Failure": 2, "wrong": 1,
    "OperatorError": 1, "UsageError": 1, "PendingError": 1, "NobodyError": 1,
}  # fmt: skip
"""Which argument is the remedy, by the constructor's name."""
TABLES = {"operations/stack.py": "REMEDIES"}
"""Tables of (pattern, remedy), by module."""
DEPTH = 6
Functions = tuple[ast.FunctionDef, ...]


@dataclass(frozen=True, order=True)
class Remedy:
    """One remedy as the source has it."""

    file: str
    line: int
    template: str

    def fits(self, text: str) -> bool:
        """Whether this text may have been made of the template."""
        parts = [re.escape(part) for part in self.template.rstrip(".").split(HOLE)]
        return re.fullmatch("(?s:.*)".join(parts), text.rstrip(".")) is not None


@cache
def remedies() -> list[Remedy]:
    """All remedies, in the order of the files; each template once a file."""
    sources = _Sources()
    found: dict[tuple[str, str], Remedy] = {}
    for name, tree in sources.trees.items():
        for line, template in sources.remedies(name, tree):
            if template.strip(f"{HOLE}. "):
                found.setdefault((name, template), Remedy(name, line, template))
    return list(found.values())


class _Sources:
    """The modules of the product, and what their names stand for."""

    def __init__(self) -> None:
        self.trees: dict[str, ast.Module] = {}
        self.functions: dict[str, list[tuple[str, ast.FunctionDef]]] = {}
        self.constants: dict[str, ast.expr] = {}
        for folder in ("components", "operations"):
            for path in sorted((ROOT / folder).rglob("*.py")):
                if "generated" not in path.parts:
                    self._take(str(path.relative_to(ROOT)), ast.parse(path.read_text()))

    def _take(self, name: str, tree: ast.Module) -> None:
        self.trees[name] = tree
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                self.functions.setdefault(node.name, []).append((name, node))
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.constants[node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                self.constants[node.target.id] = node.value

    def remedies(self, name: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
        for functions, node in _calls(tree):
            place = ARGUMENTS.get(_called(node))
            argument = _argument(node, place, "remedy") if place is not None else None
            if argument is not None:
                for template in self.texts(argument, name, functions, DEPTH):
                    yield node.lineno, template
        if name in TABLES:
            table = self.constants[TABLES[name]]
            assert isinstance(table, ast.Tuple)
            for row in table.elts:
                assert isinstance(row, ast.Tuple)
                for template in self.texts(row.elts[1], name, (), DEPTH):
                    yield row.lineno, template

    def texts(self, node: ast.expr, name: str, functions: Functions, depth: int) -> Iterator[str]:
        """The templates that an expression in this function of this module may stand for."""
        if depth == 0:
            yield HOLE
        elif isinstance(node, ast.Constant):
            yield str(node.value or "")
        elif isinstance(node, ast.IfExp):
            yield from self.texts(node.body, name, functions, depth)
            yield from self.texts(node.orelse, name, functions, depth)
        elif isinstance(node, ast.BoolOp):
            for each in node.values:
                yield from self.texts(each, name, functions, depth)
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            for left in self.texts(node.left, name, functions, depth - 1):
                for right in self.texts(node.right, name, functions, depth - 1):
                    yield left + right
        elif isinstance(node, ast.Name):
            yield from self._named(node.id, name, functions, depth - 1)
        elif isinstance(node, ast.Call):
            yield from self._returned(node, name, functions, depth - 1)
        else:
            yield HOLE  # another error's own remedy, which is listed where that error is made

    def _named(self, wanted: str, name: str, functions: Functions, depth: int) -> Iterator[str]:
        for function in reversed(functions):  # the innermost first
            values = [value for node in ast.walk(function) for value in _assigned(node, wanted)]
            for value in values:
                yield from self.texts(value, name, functions, depth)
            given = list(self._given(wanted, name, function))
            for callers, argument in given:
                yield from self.texts(argument, name, callers, depth)
            if values or given:
                return
        if wanted in self.constants:
            yield from self.texts(self.constants[wanted], name, (), depth)
        else:
            yield HOLE

    def _given(
        self, parameter: str, name: str, function: ast.FunctionDef
    ) -> Iterator[tuple[Functions, ast.expr]]:
        """What the calls of a function of this module give one of its parameters."""
        names = [each.arg for each in function.args.args]
        if parameter in names:
            place = names.index(parameter) - (names[0] in ("self", "cls"))
            for callers, call in _calls(self.trees[name]):
                argument = _argument(call, place, parameter) if _called(call) == function.name else None
                if argument is not None:
                    yield callers, argument

    def _returned(self, node: ast.Call, name: str, functions: Functions, depth: int) -> Iterator[str]:
        called = _called(node)
        if isinstance(node.func, ast.Attribute) and called in ("rstrip", "strip", "format"):
            yield from self.texts(node.func.value, name, functions, depth)
            return
        for module, definition in self.functions.get(called, ()):
            for each in ast.walk(definition):
                if isinstance(each, ast.Return) and each.value is not None:
                    yield from self.texts(each.value, module, (definition,), depth)
        if called not in self.functions:
            yield HOLE


def _calls(tree: ast.AST, functions: Functions = ()) -> Iterator[tuple[Functions, ast.Call]]:
    """Every call, with the functions that it stands in, the innermost last."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield functions, node
        yield from _calls(node, (*functions, node) if isinstance(node, ast.FunctionDef) else functions)


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _argument(node: ast.Call, place: int, keyword: str) -> ast.expr | None:
    given = [each.value for each in node.keywords if each.arg == keyword]
    if given:
        return given[0]
    if len(node.args) > place and not any(isinstance(each, ast.Starred) for each in node.args):
        return node.args[place]
    return None


def _assigned(node: ast.AST, wanted: str) -> Iterator[ast.expr]:
    """What an assignment gives a name, also one of several."""
    if not isinstance(node, ast.Assign):
        return
    for target in node.targets:
        if isinstance(target, ast.Name) and target.id == wanted:
            yield node.value
        if isinstance(target, ast.Tuple):
            for index, each in enumerate(target.elts):
                if isinstance(each, ast.Name) and each.id == wanted:
                    yield node.value.elts[index] if isinstance(node.value, ast.Tuple) else node.value


if __name__ == "__main__":
    for each in remedies():
        print(f"{each.file}:{each.line}: {each.template}")

"""What one release line of authentik knows: its kinds, their fields, relations and paths, as tables.

A *kind* is an object type, named by its path in the API ("/core/groups/"). The facts come from the OpenAPI schemas,
which `tools.emulator_schemas` packed into `schema/`, and from the table of relations there, which `python -m tools`
makes of tools/facts; nothing here is written by hand.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
SCHEMAS = Path(__file__).parent / "schema"
RELATIONS: Schema = json.loads((SCHEMAS / "relations.json").read_text())


def number(line: str) -> tuple[int, ...]:
    """A line as something that can be compared: 2025.10 came after 2025.8."""
    return tuple(int(part) for part in line.split("."))


LINES = tuple(sorted((path.name.removesuffix(".json.gz") for path in SCHEMAS.glob("20*.gz")), key=number))
"""The lines whose schemas are here, oldest first."""


@dataclass(frozen=True)
class Ref:
    """A field that names other objects: `kinds` are the kinds it may name, `by` the field that identifies them."""

    field: str
    kinds: tuple[str, ...]
    by: str
    many: bool
    on_delete: str
    mirror: tuple[str, str] | None
    reverse: bool


@dataclass(frozen=True)
class Kind:
    """One kind of object in one line. `facts` is its row of the relations table with the line's differences applied."""

    path: str
    model: str
    facts: Schema
    pk_field: str
    pk_type: str
    url_field: str
    url_type: str
    request: str
    response: str
    refs: dict[str, Ref] = field(default_factory=dict)

    @property
    def class_name(self) -> str:
        """Django's class name, which error texts mention ("No OAuth2Provider matches the given query.")."""
        return self.model.split(".")[1]

    @property
    def label(self) -> str:
        """The model label that `meta_model_name` and blueprints use."""
        return self.model.lower()

    def rules(self) -> list[Schema]:
        """What the server checks beyond the schema."""
        found: list[Schema] = self.facts.get("rules", [])
        return found


@cache
def unpack(name: str) -> Schema:
    """One packed file of `schema/`."""
    value: Schema = json.loads(gzip.decompress((SCHEMAS / f"{name}.json.gz").read_bytes()))
    return value


def version_of(line: str) -> str:
    """The version whose schema stands for a line."""
    return str(unpack(line)["version"])


def line_of(version: str) -> str:
    """The known line that a version belongs to: the newest that is not newer than it (the oldest for older ones)."""
    wanted = number(version)[:2]
    older = [line for line in LINES if number(line) <= wanted]
    return older[-1] if older else LINES[0]


class Line:
    """All tables of one release line."""

    def __init__(self, name: str) -> None:
        packed = unpack(name)
        self.name = name
        self.schemas: dict[str, Schema] = packed["schemas"]
        self.paths: dict[str, dict[str, Schema]] = packed["paths"]
        self.groups: dict[str, list[str]] = {
            group: [path for path in members if path in self.paths]
            for group, members in RELATIONS["groups"].items()
        }
        self.kinds: dict[str, Kind] = {}
        for path, row in RELATIONS["kinds"].items():
            if name in row["lines"]:
                self.kinds[path] = self._kind(path, row)
        self.by_label = {kind.label: kind for kind in self.kinds.values()}

    def _kind(self, path: str, row: Schema) -> Kind:
        differing = row["lines"][self.name]
        facts = {k: v for k, v in {**row, **differing}.items() if k != "lines" and v is not None}
        refs = {
            name: Ref(
                field=name,
                kinds=self.expand(ref["to"]) if "accepts" not in ref else self.expand(["@" + ref["accepts"]]),
                by=ref.get("by", "pk").removeprefix("target."),
                many=ref.get("many", False),
                on_delete=ref.get("on_delete", "SET_NULL"),
                mirror=tuple(ref["mirror"]) if "mirror" in ref else None,
                reverse=ref.get("reverse_fk", False),
            )
            for name, ref in facts.get("refs", {}).items()
        }
        response, request = facts["schema"]
        return Kind(
            path,
            facts["model"],
            facts,
            facts["pk"]["field"],
            facts["pk"]["type"],
            facts["url"]["field"],
            facts["url"]["type"],
            request,
            response,
            refs,
        )

    def expand(self, names: list[str]) -> tuple[str, ...]:
        """Kind paths, with groups ("@any_stage") expanded."""
        found: list[str] = []
        for name in names:
            found.extend(self.groups.get(name[1:], []) if name.startswith("@") else [name])
        return tuple(found)

    def schema(self, node: Schema) -> Schema:
        """`node` with a reference to a named schema resolved; words beside the reference (nullable, …) win."""
        if "$" in node:
            return {**self.schemas[node["$"]], **{k: v for k, v in node.items() if k != "$"}}
        return node

    def space(self, kind: Kind, name: str) -> tuple[str, ...]:
        """The kinds among which a unique field of `kind` is unique."""
        shared = kind.facts.get("shared_space", {}).get(name)
        if shared is None:
            return (kind.path,)
        return self.expand([shared] if isinstance(shared, str) else shared)

    @cached_property
    def referrers(self) -> dict[str, list[tuple[Kind, Ref]]]:
        """For each kind, the (kind, field) pairs that may name it."""
        found: dict[str, list[tuple[Kind, Ref]]] = {path: [] for path in self.kinds}
        for kind in self.kinds.values():
            for ref in kind.refs.values():
                for target in ref.kinds:
                    if target in found:
                        found[target].append((kind, ref))
        return found


@cache
def load(line: str) -> Line:
    """The tables of a line, read once a process."""
    return Line(line)

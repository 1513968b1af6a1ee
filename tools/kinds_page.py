"""The reference page of all kinds that can be declared, made from the catalogs and the table beside them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from components.identity import catalog
from components.identity.kinds import ReleaseLine, title
from components.identity.rules import describe
from components.identity.texts import describe as text_in_words
from components.objects.dialect import Kind, Reference
from tools.typed_classes import family

PAGE = Path(__file__).parents[1] / "docs" / "kinds.md"
EXAMPLES = Path(__file__).parent / "examples.yaml"
CHOICES = 24
"""Values of an enumeration that are listed; of more, only the first few are."""
FEW = 6

_HEAD = """\
# Kinds

Everything of authentik's that can be declared, in a stack file below `gatehouse:objects:` or with the typed classes in
`components/identity/generated` ([a program of your own](own-program.md)). How objects are named, checked, adopted and
deleted: [objects](objects.md). This page is made from the catalogs of authentik {lines} by `python -m tools`.

**needed**: without it, authentik refuses to make the object (adopting one needs only what identifies it). *secret*:
set it with `pulumi config set --secret`; it is never shown. *never read back*: a change by hand is not seen. "refers
to" says whose name is to be given. Where lines are given, the other lines do not have it.
"""
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def page() -> str:
    """The whole page."""
    lines = [ReleaseLine(line) for line in catalog.lines()]
    families: dict[str, list[str]] = defaultdict(list)
    for label in sorted({label for line in lines for label in line.declarable()}, key=_title_in(lines)):
        having = [line for line in lines if label in line.labels()]
        families[family(having[-1].path(label))].append(label)
    parts = [_HEAD.format(lines=", ".join(catalog.lines()))]
    parts.append("\n".join(_contents(lines, families)))
    examples = {each["kind"]: each for each in load_examples()}
    for name, labels in sorted(families.items()):
        parts.append(f"## {_heading(name)}\n")
        for label in labels:
            having = [line for line in lines if label in line.labels()]
            parts.append("\n".join(_kind(label, having, examples.get(label))))
    return "\n".join(parts)


def load_examples() -> list[dict[str, Any]]:
    """One object of each of the kinds that are used most, as a stack file declares it."""
    loaded: list[dict[str, Any]] = yaml.safe_load(EXAMPLES.read_text())
    return loaded


def _title_in(lines: list[ReleaseLine]) -> Any:
    def key(label: str) -> str:
        newest = next(line for line in reversed(lines) if label in line.labels())
        return title(newest.model(label)).lower()

    return key


def _contents(lines: list[ReleaseLine], families: Mapping[str, list[str]]) -> Iterator[str]:
    for name, labels in sorted(families.items()):
        named = (f"[{_title_in(lines)(label)}](#{_anchor(label)})" for label in labels)
        yield f"- **{_heading(name)}**: {', '.join(named)}"
    yield ""


def _heading(family_name: str) -> str:
    return (
        family_name.upper() if family_name in {"rac", "rbac"} else family_name.replace("_", " ").capitalize()
    )


def _anchor(label: str) -> str:
    return label.replace(".", "")


def _kind(label: str, having: list[ReleaseLine], example: Mapping[str, Any] | None) -> Iterator[str]:
    newest = having[-1]
    kind = newest.kind(label)
    yield f"### {label}\n"
    key = " + ".join(" or ".join(f"`{name}`" for name in part.fields) for part in kind.key.parts)
    said = kind.title[0].upper() + kind.title[1:]
    yield f"{said}, told apart by {key}. {' '.join(_facts(label, having))}".rstrip() + "\n"
    yield "| field | form | |"
    yield "|---|---|---|"
    lines_of: dict[str, list[ReleaseLine]] = {}
    for line in having:
        for field in line.fields(label):
            lines_of.setdefault(field, []).append(line)
    for field, lines in sorted(lines_of.items(), key=lambda each: (each[0] not in kind.key.fields, each[0])):
        notes = "; ".join(_notes(label, field, lines, having))
        form = _form(lines[-1].fields(label)[field], lines[-1].kind(label).references.get(field))
        yield f"| `{field}` | {_cell(form)} | {_cell(notes)} |"
    yield ""
    if example is not None:
        shown = {name: value for name, value in example.items() if value is not None}
        text = yaml.safe_dump([shown], sort_keys=False, allow_unicode=True, width=110)
        yield f"```yaml\n{text}```\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _facts(label: str, having: list[ReleaseLine]) -> Iterator[str]:
    """What is peculiar about a kind."""
    newest = having[-1]
    kind = newest.kind(label)
    if [line.line for line in having] != list(catalog.lines()):
        yield f"In {', '.join(line.line for line in having)} only."
    if newest.needs_enterprise(label):
        yield "Every write needs an enterprise licence."
    if newest.allows_duplicates(label):
        yield "authentik allows several that are called the same; gatehouse does not."
    if newest.name_space(label) != label:
        others = newest.name_space(label).removeprefix("@").removeprefix("any_").replace("_", " ")
        yield f"No two objects of this family may be called the same ({others})."
    if kind.aliases:
        yield f"Others may also name it by its `{'`, `'.join(kind.aliases)}`."
    if kind.shadows:
        yield f"authentik also lists {_joined(kind.shadows)} among these; gatehouse tells them apart."
    if kind.dependents:
        via = _joined(sorted({f"{name}.{field}" for name, field, _ in kind.dependents}))
        yield f"It is not deleted while something refers to it that authentik would delete along: {via}."
    if kind.emptied_first:
        yield (
            f"Before it is deleted, {_joined(sorted(kind.emptied_first))} is emptied: authentik would delete "
            "those too."
        )
    if kind.always_sent:
        yield f"Every update also sends {_joined(kind.always_sent)}, since authentik demands it."
    if kind.effect:
        named = _joined(sorted(kind.effect.fields))
        yield f"gatehouse has it applied when {named} changed or it is not in effect yet, and waits for the end."
    yield from describe(newest, label)


def _joined(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _form(facts: Mapping[str, Any], reference: Reference | None) -> str:
    if reference is not None:
        return "list of names" if reference.many else "name"
    if "enum" in facts:
        values = [json.dumps(value, ensure_ascii=False) for value in facts["enum"] if value != ""]
        plain = [f"`{value[1:-1] if value.startswith(chr(34)) else value}`" for value in values]
        if len(plain) <= CHOICES:
            return ", ".join(plain)
        return f"{', '.join(plain[:FEW])}, … ({len(plain)} values; a wrong one is answered with all of them)"
    if facts["type"] == "array":
        return f"list of {_form(facts.get('items', {'type': 'any'}), None)}"
    if "fields" in facts:
        members = (
            f"`{name}`{'' if inner.get('required') else ' (optional)'}: {_form(inner, None)}"
            for name, inner in facts["fields"].items()
        )
        return f"mapping of {'; '.join(members)}"
    if facts["type"] in {"object", "any"}:
        return "mapping"
    form = text_in_words(facts) or _TYPES[facts["type"]]
    low, high = facts.get("minimum"), facts.get("maximum")
    if low is not None and high is not None and high - low < 100_000:
        form += f" from {low} to {high}"
    longest = facts.get("maxLength")
    return f"{form}, at most {longest} characters" if longest else form


def _notes(label: str, field: str, lines: list[ReleaseLine], having: list[ReleaseLine]) -> Iterator[str]:
    newest = lines[-1]
    kind = newest.kind(label)
    facts = newest.fields(label)[field]
    needed = [line for line in lines if line.fields(label)[field].get("required")]
    if needed == lines:
        yield "**needed**"
    elif needed:
        yield f"**needed** in {', '.join(line.line for line in needed)}"
    if lines != having:
        yield f"{', '.join(line.line for line in lines)}"
    if field in kind.references:
        yield "refers to " + _targets(newest, kind.references[field])
    if field in kind.secret:
        yield "*secret*"
    yield from _peculiar(kind, field)
    default = newest.defaults(label).get(field, facts.get("default"))
    if default not in (None, "", [], {}):
        yield f"default `{json.dumps(default, ensure_ascii=False)}`"


def _targets(line: ReleaseLine, reference: Reference) -> str:
    if len(reference.to) == 1 and reference.to[0].startswith("@"):
        return f"any {reference.to[0].removeprefix('@any_').removeprefix('@').replace('_', ' ')}"
    named = _joined(label for to in reference.to for label in line.members(to))
    return (
        f"{named}; with the kind in front (`kind:name`) where it is not plain"
        if len(reference.to) > 1
        else named
    )


def _peculiar(kind: Kind, field: str) -> Iterator[str]:
    """What is peculiar about a field."""
    reference = kind.references.get(field)
    if field in kind.setters:
        yield "set by a call of its own, whenever it changes"
    elif field in kind.write_only:
        yield "*never read back*"
    if field in kind.unordered or (reference is not None and reference.many):
        yield "order means nothing"
    if reference is not None and reference.cascade:
        yield "authentik deletes this object with what it names"
    if field in kind.merged:
        yield "members that are not declared stay as they are"
    if field in kind.additions:
        yield f"authentik adds {_joined(sorted(kind.additions[field]))} by itself"


def files() -> dict[Path, str]:
    """The page as it is to be."""
    return {PAGE: page()}

"""Makes the tables of what authentik's OpenAPI schema does not say: one for the product, one for the bench's emulator.

Both come from `facts/`, one YAML file a family of kinds, which is written by hand (its README explains the words). The
product's table says of each kind what its reconcile engine wants to know, in all lines together. The
emulator's holds the facts of each line.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import yaml

from components import release_lines
from components.identity import catalog
from components.identity.catalog import FOLDER

FACTS = Path(__file__).parent / "facts"
GROUPS = "groups.yaml"
READ = ("2025.8", "2026.2", "2026.8")
"""Lines whose code was read for the facts. A kind of another line is taken to be like that of the read line whose
catalog has the most similar fields: a guess, which the catalog bounds."""
TABLE = FOLDER.parent / "kinds.json"
EMULATOR = Path(__file__).parents[1] / "bench" / "authentik" / "schema" / "relations.json"
_OWN_RIGHT = ("/providers/", "/sources/", "/stages/", "/endpoints/agents/connectors/")
_PARTS = ("/providers/oauth2-dcr/", "/stages/invitation/invitations/")
_BETWEEN_TWO = ("/policies/bindings/", "/flows/bindings/")
"""A binding is a part of its target. To lose one together with the other thing that it binds changes who may use the
target, which is not being deleted."""
_BETWEEN = frozenset(
    {
        "required_if",
        "any_true",
        "any_true_if",
        "any_not_empty",
        "any_set",
        "not_empty",
        "not_empty_if",
        "exactly_one",
        "reserved",
        "no_space",
        "may_be_empty_only_if",
        "kubeconfig",
        "server_overwrites",
        "max",
    }
)
"""Rules between fields that can be checked without asking the server."""
_PLAIN = (
    "manage",
    "manage_why",
    "enterprise",
    "secret",
    "never_send",
    "defaults",
)


Facts = dict[str, Any]
Groups = dict[str, list[str]]
"""Family -> the paths of its kinds, in any line."""


def read() -> tuple[Groups, dict[str, Facts]]:
    """Families of kinds by name, and the facts of each kind by its path."""
    groups: Groups = yaml.load((FACTS / GROUPS).read_text(), Loader=yaml.CSafeLoader)
    kinds: dict[str, Facts] = {}
    for file in sorted(FACTS.glob("*.yaml")):
        if file.name != GROUPS:
            kinds |= yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    for facts in kinds.values():
        facts.setdefault("lines", list(READ))
    return groups, dict(sorted(kinds.items()))


def files() -> dict[Path, str]:
    """Both tables as they are to be, a kind a line."""
    groups, kinds = read()
    rows = {path: _row(path, facts, groups, kinds) for path, facts in kinds.items()}
    emulated = {path: _emulated(path, facts) for path, facts in kinds.items()}
    return {TABLE: _text(groups, rows), EMULATOR: _text(groups, emulated)}


def _text(groups: dict[str, Any], kinds: dict[str, Facts]) -> str:
    body = ",\n".join(
        f"{json.dumps(path)}: {json.dumps(row, separators=(',', ':'))}" for path, row in kinds.items()
    )
    return f'{{"groups": {json.dumps(groups)},\n"kinds": {{\n{body}\n}}}}\n'


def _emulated(path: str, facts: Facts) -> dict[str, Any]:
    """The facts of the newest line that has the kind, and under `lines` what is else in each; null is absent there."""
    having = [line for line in release_lines.known_lines() if path in catalog.load(line)]
    by_line = {line: _facts_of(path, facts, line) for line in having}
    newest = by_line[having[-1]]
    other = {
        line: {key: row.get(key) for key in sorted({*row, *newest}) if row.get(key) != newest.get(key)}
        for line, row in by_line.items()
    }
    return {**newest, "lines": other}


def _facts_of(path: str, facts: Facts, line: str) -> Facts:
    """A kind's facts in a line: as read; or those of the nearest read line, with fields as in any that has them."""
    rows = [_in_line(facts, read) for read in _nearest(path, line, facts["lines"])]
    for row in rows:
        del row["lines"]
    if line in facts["lines"]:
        return rows[0]
    fields = catalog.load(line)[path]["fields"]
    refs = {name: ref for row in reversed(rows) for name, ref in row.get("refs", {}).items()}
    return {
        **rows[0],
        "refs": {name: ref for name, ref in refs.items() if name in fields},
        "defaults": {name: value for name, value in rows[0].get("defaults", {}).items() if name in fields},
    }


def _nearest(path: str, line: str, read: list[str]) -> list[str]:
    """The read lines that have a kind, the one whose fields and time are nearest to a line's first."""
    place, fields = release_lines.known_lines().index(line), catalog.load(line)[path]["fields"].keys()

    def distance(other: str) -> tuple[int, int]:
        differing = fields ^ catalog.load(other)[path]["fields"].keys()
        return len(differing), abs(place - release_lines.known_lines().index(other))

    return sorted(read, key=distance)


def _row(path: str, facts: Facts, groups: Groups, kinds: dict[str, Facts]) -> dict[str, Any]:
    """The facts of all read lines together, those of the newest first.

    What is said of a field holds in the lines whose catalog has that field. Under `lines` stand the defaults that a
    line has otherwise.
    """
    by_line = {line: _row_in(path, line, _in_line(facts, line), groups, kinds) for line in facts["lines"]}
    row: dict[str, Any] = {}
    for line in reversed(facts["lines"]):
        row = _together(row, by_line[line])
    defaults = {
        line: other
        for line in release_lines.known_lines()
        if (other := _other_defaults(path, row, by_line, line))
    }
    return row | (
        {"lines": {line: {"defaults": other} for line, other in defaults.items()}} if defaults else {}
    )


def _together(newer: dict[str, Any], older: dict[str, Any]) -> dict[str, Any]:
    """Both rows' facts; where they contradict each other, the newer one's."""
    row = {**older, **newer}
    for key in newer.keys() & older.keys():
        if isinstance(newer[key], dict):
            row[key] = {**older[key], **newer[key]}
        elif isinstance(newer[key], list) and key != "key":
            row[key] = newer[key] + [each for each in older[key] if each not in newer[key]]
    return row


def _other_defaults(path: str, row: dict[str, Any], by_line: dict[str, Any], line: str) -> dict[str, Any]:
    """The defaults of a line that are not those of the row, as the nearest read line has them."""
    kinds = catalog.load(line)
    if path not in kinds:
        return {}
    defaults = by_line[_nearest(path, line, [*by_line])[0]].get("defaults", {})
    usual, fields = row.get("defaults", {}), kinds[path]["fields"]
    return {name: value for name, value in defaults.items() if name in fields and usual[name] != value}


def _in_line(whole: dict[str, Any], line: str) -> dict[str, Any]:
    """The kind's description with what differs in this line applied: null takes away, + and - change lists."""
    row = {key: copy.deepcopy(value) for key, value in whole.items() if key != "diff"}
    _apply(row, whole.get("diff", {}).get(line, {}))
    return row


def _apply(row: dict[str, Any], diff: dict[str, Any]) -> None:
    for key, value in diff.items():
        if value is None:
            row.pop(key, None)
        elif isinstance(value, dict) and value and set(value) <= {"+", "-"}:
            kept = [each for each in row.get(key, []) if each not in value.get("-", [])]
            row[key] = kept + value.get("+", [])
        elif isinstance(value, dict) and isinstance(row.get(key), dict):
            _apply(row[key], value)
        else:
            row[key] = value


def _row_in(path: str, line: str, whole: Facts, groups: Groups, kinds: dict[str, Facts]) -> dict[str, Any]:
    unique = whole["key"]["unique"] != "none"
    row: dict[str, Any] = {
        "model": whole["model"],
        # A database's key if there is one, else what a person would tell them apart by.
        "key": whole["key"]["fields"] if unique else whole["key"].get("loose") or whole["key"]["fields"],
        "pk": whole["pk"]["field"],
        "url": whole["url"]["field"],
    }
    row |= {key: whole[key] for key in _PLAIN if whole.get(key)}
    said = catalog.load(line)[path]["fields"]
    if unsaid := [name for name in whole.get("write_only", ()) if not said.get(name, {}).get("write_only")]:
        row["write_only"] = unsaid
    if whole.get("generated"):
        row["generated"] = sorted(whole["generated"])
    if not unique:
        row["loose"] = True
    if whole["pk"]["type"] == "int":
        row["counted"] = True
    also = [name for name in whole["key"].get("alt", ()) if name == "managed"]
    if also:
        row["also"] = also
    listed = whole.get("list", {})
    if listed.get("flag"):
        row["flag"] = listed["flag"]
    if listed.get("include_flags", {}).get("include_users"):
        row["flag"] = "include_users=false"
    if listed.get("also_lists"):
        row["also_lists"] = listed["also_lists"]
    along = [whole.get("patch_must_repeat", ()), *whole.get("patch_with", {}).values()]
    repeat = {name for names in along for each in names for name in each.split("|")}
    if repeat:
        row["repeat"] = sorted(repeat)
    row["refs"] = {
        name: _reference(ref, groups) for name, ref in sorted(whole["refs"].items()) if not ref.get("reverse")
    }
    cascades = [each for each in whole.get("delete", {}).get("cascades", ()) if _bystander(each, kinds)]
    if cascades:
        row["cascades"] = sorted(cascades)
    if "name" in whole.get("shared_space", {}) or "slug" in whole.get("shared_space", {}):
        space = whole["shared_space"].get("name") or whole["shared_space"]["slug"]
        if isinstance(space, str):
            row["space"] = space
    adds = {r["f"]: r["v"] for r in whole.get("rules", ()) if r["rule"] == "server_adds"}
    if adds:
        row["adds"] = adds
    formats = whole.get("format", {})
    needed = sorted(r["f"] for r in whole.get("rules", ()) if r["rule"] == "required_undeclared")
    if needed:
        row["needed"] = needed
    rules = [
        rule
        for rule in whole.get("rules", ())
        # What a provider type's own URLs are is in authentik's code only.
        if rule["rule"] in _BETWEEN
        and "without_default_urls" not in rule.get("when", {}).values()
        and "from" not in rule  # of what the server fetches, nothing is known here
    ]
    rules += [{"f": name, "rule": "trimmed"} for name in whole.get("default_lost_on_write", ())]
    if rules:
        row["rules"] = rules
    for key, format_ in (("sorted", "country_list_sorted"), ("durations", "duration")):
        if names := sorted(name for name, each in formats.items() if each == format_):
            row[key] = names
    return row


def _reference(ref: dict[str, Any], groups: Groups) -> dict[str, Any]:
    to = [path for each in ref["to"] for path in (groups[each[1:]] if each.startswith("@") else [each])]
    row: dict[str, Any] = {"to": sorted(to)}
    if ref.get("many"):
        row["many"] = True
    if ref.get("by", "pk") not in {"pk", "target.pk", "connector_uuid", "pbm_uuid"}:
        row["by"] = ref["by"]
    if ref.get("on_delete") == "CASCADE":
        row["cascade"] = True
    return row


def _bystander(cascade: str, kinds: dict[str, Facts]) -> bool:
    """Whether what is deleted along is configuration in its own right, not a part of what is deleted."""
    path, _, via = cascade.partition("#")
    if path in _BETWEEN_TWO:
        return via != "target"
    own_right = path.startswith(_OWN_RIGHT) and path not in _PARTS and via != "token_obj"
    return bool(kinds[path]["manage"] != "no" and own_right)

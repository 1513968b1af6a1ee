"""Make `kinds.json`, the table of what the OpenAPI schema does not say, from a description of authentik's models.

    python -m tools.kinds relations.json

The description was read out of authentik's own models, serializers and filters for three release lines, and checked
on running code. What differs between lines is kept per line, under `lines`.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

from components.identity.catalog import FOLDER

TARGET = FOLDER.parent / "kinds.json"
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
    "secret_readable",
    "write_only",
    "never_send",
    "defaults",
)


def rows(relations: dict[str, Any]) -> dict[str, Any]:
    """Path -> row; a row holds the facts of the newest line that has the kind, and `lines` what is else elsewhere."""
    table: dict[str, Any] = {}
    for path, whole in sorted(relations["kinds"].items()):
        by_line = {line: _row(_in_line(whole, line), relations, line) for line in whole["lines"]}
        newest = by_line[whole["lines"][-1]]
        table[path] = {
            **newest,
            "lines": {
                line: {
                    key: row.get(key) for key in sorted({*row, *newest}) if row.get(key) != newest.get(key)
                }
                for line, row in by_line.items()
            },
        }
    return table


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


def _row(whole: dict[str, Any], relations: dict[str, Any], line: str) -> dict[str, Any]:
    groups = relations["meta"]["groups"][line]
    unique = whole["key"]["unique"] != "none"
    row: dict[str, Any] = {
        "model": whole["model"],
        # A database's key if there is one, else what a person would tell them apart by.
        "key": whole["key"]["fields"] if unique else whole["key"].get("loose") or whole["key"]["fields"],
        "pk": whole["pk"]["field"],
        "url": whole["url"]["field"],
    }
    row |= {key: whole[key] for key in _PLAIN if whole.get(key)}
    if whole.get("generated"):
        row["generated"] = sorted(whole["generated"])
    if not unique:
        row["loose"] = True
    if whole["pk"]["type"] == "int":
        row["counted"] = True
    also = [name for name in whole["key"].get("alt", ()) if name == "managed"]
    if also:
        row["also"] = also
    if "flag" in whole["list"] and whole["list"]["flag"]:
        row["flag"] = whole["list"]["flag"]
    if whole["list"].get("include_flags", {}).get("include_users"):
        row["flag"] = "include_users=false"
    if whole["list"].get("also_lists"):
        row["also_lists"] = whole["list"]["also_lists"]
    along = [whole.get("patch_must_repeat", ()), *whole.get("patch_with", {}).values()]
    repeat = {name for names in along for each in names for name in each.split("|")}
    if repeat:
        row["repeat"] = sorted(repeat)
    row["refs"] = {
        name: _reference(ref, groups) for name, ref in sorted(whole["refs"].items()) if not ref.get("reverse")
    }
    cascades = [each for each in whole.get("delete", {}).get("cascades", ()) if _bystander(each, relations)]
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


def _reference(ref: dict[str, Any], groups: dict[str, list[str]]) -> dict[str, Any]:
    to = [path for each in ref["to"] for path in (groups[each[1:]] if each.startswith("@") else [each])]
    row: dict[str, Any] = {"to": sorted(to)}
    if ref.get("many"):
        row["many"] = True
    if ref["by"] not in {"pk", "target.pk", "connector_uuid", "pbm_uuid"}:
        row["by"] = ref["by"]
    if ref.get("on_delete") == "CASCADE":
        row["cascade"] = True
    if ref.get("external"):
        row["external"] = True
    if ref.get("mirror"):
        row["mirror"] = ref["mirror"]
    return row


def _bystander(cascade: str, relations: dict[str, Any]) -> bool:
    """Whether what is deleted along is configuration in its own right, not a part of what is deleted."""
    path, _, via = cascade.partition("#")
    if path in _BETWEEN_TWO:
        return via != "target"
    own_right = path.startswith(_OWN_RIGHT) and path not in _PARTS and via != "token_obj"
    return relations["kinds"][path]["manage"] != "no" and own_right


def write(source: Path) -> None:
    """Write `kinds.json`, a row a line."""
    relations = json.loads(source.read_text())
    table = {
        "groups": {
            name: sorted(
                {path for line in relations["meta"]["groups"].values() for path in line.get(name, ())}
            )
            for name in sorted(set().union(*relations["meta"]["groups"].values()))
        },
        "kinds": rows(relations),
    }
    body = ",\n".join(
        f"{json.dumps(path)}: {json.dumps(row, separators=(',', ':'))}"
        for path, row in table["kinds"].items()
    )
    TARGET.write_text(f'{{"groups": {json.dumps(table["groups"])},\n"kinds": {{\n{body}\n}}}}\n')


if __name__ == "__main__":
    write(Path(sys.argv[1]))

"""How long an app password may live: its user's attributes say so, which this stack or only the server has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from components.identity.kinds import ReleaseLine
from components.identity.name_index import NameIndex
from components.identity.rules import LIFETIME
from components.identity.specs import ObjectSpec
from components.identity.texts import DURATION, FORMATS
from components.problems import Problem, Weight

_USUAL = timedelta(minutes=30)


def lifetime_problems(line: ReleaseLine, names: NameIndex, spec: ObjectSpec) -> Iterator[Problem]:
    """What ends later than it may: an error where all that decides it is declared here, else a warning."""
    for rule in line.rules(spec.kind):
        condition = rule.get("when", {}).items()
        if rule["rule"] != "max" or any(spec.fields.get(name) != value for name, value in condition):
            continue
        ends = _moment(spec.fields.get(rule["f"]))
        longest, sure = _longest_life(line, names, spec)
        if ends is not None and ends - datetime.now(UTC) > longest:
            usual = "30 minutes" if longest == _USUAL else str(longest)
            what = f"is more than {usual} from now, the longest life of an app password of this user's"
            if not sure:
                what += ", as far as this stack knows"
            remedy = f"Give the user the attribute {LIFETIME} (such as days=400), or set expiring to false"
            weight = Weight.ERROR if sure else Weight.WARNING
            yield Problem(f"{spec.where}, {rule['f']}", what, remedy, weight)


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None  # missing, known only later, or reported already
    return moment if moment.tzinfo else None


def _longest_life(line: ReleaseLine, names: NameIndex, spec: ObjectSpec) -> tuple[timedelta, bool]:
    """The longest life, and whether everything that says so is declared: the user, with their groups."""
    owner = next(iter(_referenced(line, names, spec, "user")), None)
    holders = [*_referenced(line, names, owner, "groups"), owner] if owner else [None]
    found = _USUAL
    for holder in holders:
        attributes = holder.fields.get("attributes") if holder else None
        if isinstance(attributes, dict):
            with suppress(
                KeyError, AttributeError, ValueError
            ):  # not there, or not what authentik understands
                found = FORMATS[DURATION].read(attributes[LIFETIME])
    return found, all(holder is not None and not holder.adopt for holder in holders)


def _referenced(line: ReleaseLine, names: NameIndex, spec: ObjectSpec, field: str) -> list[ObjectSpec | None]:
    """The objects that a field names; None for those that are not declared here."""
    reference = line.kind(spec.kind).references[field]
    return [names.find(reference, name)[0] for at, _, name in names.references_in(spec) if at == field]

"""The lines of a plan: one for a thing, and one for all that an app is made of where it comes or goes as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from pulumi.automation import OpType

from operations.report import OPERATIONS, Change
from operations.resource_labels import APPS

GIVEN_BACK = "given back, with the values that it had before it was taken over"


def rows(changes: Iterable[Change]) -> Iterator[tuple[str, str, OpType]]:
    """Sign, text and operation of each line, for the changes of one room."""
    for _, group in groupby(sorted(changes, key=_order), key=_group_key):
        those = list(group)
        first = those[0]
        sign, name = ("·" if first.given_back else OPERATIONS[first.operation].sign), _app(first)
        if len(those) > 1:
            end = f": {GIVEN_BACK}" if first.given_back else ""
            yield sign, f"{name}: {', '.join(_parts(those))}{end}", first.operation
            continue
        for each in those:
            end = f": {GIVEN_BACK}" if each.given_back else each.detail
            yield sign, f"{each.label}{end}", each.operation


def _order(change: Change) -> tuple[str, str, bool, str, str]:
    return _app(change), change.operation, change.given_back, change.label.name, change.label.what


def _group_key(change: Change) -> tuple[object, ...]:
    """What is equal for changes that are one line: those of one app that come, go or are given back as a whole."""
    if change.label.room != APPS or change.details:
        return change.label, change.operation
    return _app(change), change.operation, change.given_back


def _app(change: Change) -> str:
    """The app that something belongs to: its bindings are called `app/group`."""
    return change.label.name.partition("/")[0]


def _parts(changes: list[Change]) -> Iterator[str]:
    access = [each for each in changes if each.label.what == "access" or each.label.name != _app(each)]
    yield from (each.label.what for each in changes if each not in access)
    if access:
        bound = ", ".join(rest for each in access if (rest := each.label.name.partition("/")[2]))
        yield f"access for {bound}" if bound else "access"

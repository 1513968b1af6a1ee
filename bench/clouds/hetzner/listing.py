"""What the lists have in common: filters, label selectors, order and pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from starlette.datastructures import QueryParams

from bench.clouds.hetzner.errors import invalid
from bench.clouds.store import Record

_SET = re.compile(r"([^\s!=]+)\s+(in|notin)\s+\(([^)]*)\)")
_EQUAL = re.compile(r"([^\s!=]+)\s*(==|=|!=)\s*(\S*)")


def _term(term: str) -> Callable[[dict[str, str]], bool]:
    if found := _SET.fullmatch(term):
        key, operator, values = found.groups()
        among = {v.strip() for v in values.split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in among
        return lambda labels: labels.get(key) not in among
    if found := _EQUAL.fullmatch(term):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if re.fullmatch(r"!?[^\s!=()]+", term):
        if term.startswith("!"):
            return lambda labels: term[1:] not in labels
        return lambda labels: term in labels
    raise invalid("label_selector", f"'{term}' is not a label selector")


def selected(selector: str, labels: dict[str, str]) -> bool:
    """Whether labels match a selector such as `env=prod,!old,tier in (a,b)`."""
    terms = re.split(r",(?![^(]*\))", selector)
    return all(_term(term.strip())(labels) for term in terms)


def _sorted(rows: list[Record], orders: list[str]) -> list[Record]:
    for order in reversed(orders):
        field, _, direction = order.partition(":")
        if direction not in ("", "asc", "desc"):
            raise invalid("sort", f"'{order}' is not an order")
        rows = sorted(rows, key=lambda row: str(row.get(field) or ""), reverse=direction == "desc")
    return rows


def _number(query: QueryParams, field: str, default: int) -> int:
    value = query.get(field, str(default))
    if not value.isdecimal() or int(value) < 1:
        raise invalid(field, "must be a positive number")
    return int(value)


def page(
    kind: str,
    rows: Iterable[Record],
    query: QueryParams,
    filters: tuple[str, ...],
    show: Callable[[Record], Record],
) -> dict[str, Any]:
    """One page of a list: `filters` names the fields whose values (several: any of them) narrow it."""
    found = list(rows)
    for field in filters:
        wanted = query.getlist(field)
        if wanted:
            found = [row for row in found if str(row.get(field)) in wanted]
    if query.get("label_selector"):
        found = [row for row in found if selected(query["label_selector"], row.get("labels", {}))]
    found = _sorted(found, query.getlist("sort"))
    number, size = _number(query, "page", 1), min(_number(query, "per_page", 25), 50)
    last = max(1, -(-len(found) // size))
    meta = {
        "page": number,
        "per_page": size,
        "previous_page": number - 1 if number > 1 else None,
        "next_page": number + 1 if number < last else None,
        "last_page": last,
        "total_entries": len(found),
    }
    shown = [show(row) for row in found[(number - 1) * size : number * size]]
    return {kind: shown, "meta": {"pagination": meta}}

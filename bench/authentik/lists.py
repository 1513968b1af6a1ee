"""Lists: filters, search, order and pages, as the query asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.authentik.catalog import Kind, Line, Schema
from bench.authentik.computed import Compute, Shown, application_of
from bench.authentik.context import (
    GROUPS,
    OUTPOSTS,
    USERS,
    Context,
    Item,
    is_superuser,
    members,
    parents_of,
)
from bench.authentik.fields import Invalid, as_uuid, choices
from bench.authentik.store import Data

CONTROL = {
    "page",
    "page_size",
    "ordering",
    "search",
    "superuser_full_list",
    "only_with_launch_url",
    "for_user",
}
NOT_A_CHOICE = "Select a valid choice. That choice is not one of the available choices."
PAGE_SIZE, MAX_PAGE_SIZE = 20, 100
Query = list[tuple[str, str]]


class PageMissingError(Exception):
    """The page asked for does not exist."""


def member_of(shown: Shown) -> list[str]:
    """The names of a user's groups."""
    return [g["name"] for _, g in shown.context.items(GROUPS) if g["pk"] in shown.data.get("groups", [])]


WITHOUT_FLOWS = {"google_workspace", "microsoft_entra", "scim", "ssf"}
# Filters that are no field of the object: the value, or the values, that the query is compared with.
VALUES: dict[tuple[str, str], Compute] = {
    (GROUPS, "members_by_pk"): lambda s: [user["pk"] for user in members(s.context.store, s.data)],
    (GROUPS, "members_by_username"): lambda s: [
        user["username"] for user in members(s.context.store, s.data)
    ],
    (GROUPS, "parents"): lambda s: parents_of(s.data),
    (USERS, "groups_by_name"): member_of,
    (USERS, "groups_by_pk"): lambda s: s.data.get("groups", []),
    (USERS, "is_superuser"): lambda s: is_superuser(s.context.store, s.data),
    (OUTPOSTS, "providers_by_pk"): lambda s: s.data["providers"],
    (OUTPOSTS, "providers__isnull"): lambda s: not s.data["providers"],
    ("/crypto/certificatekeypairs/", "has_key"): lambda s: bool(s.data.get("private_key_available")),
    ("", "application__isnull"): lambda s: application_of(s) is None,
    ("", "backchannel"): lambda s: s.kind.path.split("/")[2] in WITHOUT_FLOWS,
}
# Filters whose name follows no rule.
ALIASES = {"path_startswith": "path__startswith", "target_in": "target"}


def plain(stored: Any, operator: str, wanted: Any) -> bool:
    """One comparison of a stored value."""
    if operator == "isnull":
        return (stored is None) is bool(wanted)
    if stored is None:
        return False
    text, asked = str(stored), str(wanted)
    tests: dict[str, Callable[[], bool]] = {
        "iexact": lambda: text.lower() == asked.lower(),
        "icontains": lambda: asked.lower() in text.lower(),
        "contains": lambda: asked in text,
        "startswith": lambda: text.startswith(asked),
        "gt": lambda: text > asked,
        "gte": lambda: text >= asked,
        "lt": lambda: text < asked,
        "lte": lambda: text <= asked,
        "in": lambda: text in asked.split(","),
    }
    if operator:
        test = tests.get(operator)
        return test is None or test()
    if isinstance(stored, list):
        return any(item == wanted or str(item) == asked for item in stored)
    return bool(stored == wanted) or text == asked


def dig(context: Context, kind: Kind, data: Data, parts: Sequence[str]) -> Any:
    """A value along "authorization_flow__slug", through references."""
    value = data.get(parts[0])
    if len(parts) == 1:
        return value
    ref = kind.refs.get(parts[0])
    found = context.locate(ref, value) if ref and value is not None and not ref.many else None
    return dig(context, found[0], found[1], parts[1:]) if found else None


OPERATORS = {"isnull", "iexact", "icontains", "contains", "startswith", "gt", "gte", "lt", "lte", "in"}


def typed(line: Line, schema: Schema, text: str) -> Any:
    """A query value in the type of its parameter; Invalid with the words of a filter form."""
    resolved = line.schema(schema)
    allowed = choices(line, resolved)
    if allowed is not None and text not in [str(choice) for choice in allowed]:
        raise Invalid([f"Select a valid choice. {text} is not one of the available choices."])
    if resolved.get("format") == "uuid":
        return as_uuid(text)
    if resolved.get("type") == "boolean":
        return text.lower() in ("true", "1")
    if resolved.get("type") == "integer":
        try:
            return int(text)
        except ValueError:
            raise Invalid(["Enter a number."]) from None
    return text


def filtered(context: Context, items: list[Item], parameters: dict[str, Schema], query: Query) -> list[Item]:
    """The items that fulfil all known filters of the query; unknown ones are ignored."""
    errors: dict[str, Any] = {}
    for name in dict.fromkeys(name for name, _ in query):
        schema = parameters.get(name)
        if schema is None or name in CONTROL or name.startswith("include_"):
            continue
        texts = [text for key, text in query if key == name and text != ""]
        if not texts:
            continue
        try:
            items = one_filter(context, items, name, schema, texts)
        except Invalid as error:
            errors[name] = error.detail
    if errors:
        raise Invalid(errors)
    return items


def one_filter(
    context: Context, items: list[Item], name: str, schema: Schema, texts: list[str]
) -> list[Item]:
    """The items that fulfil one filter."""
    several = schema.get("type") == "array"
    wanted: Any = [typed(context.line, schema["items"], text) for text in texts] if several else None
    if not several:
        wanted = typed(context.line, schema, texts[-1])
    *parts, last = ALIASES.get(name, name).split("__")
    operator = last if last in OPERATORS else ""
    path = parts if operator else [*parts, last]
    if several and name == "managed":
        known = {data.get("managed") for _, data in items}
        if unknown := [value for value in wanted if value not in known]:
            raise Invalid([f"Select a valid choice. {unknown[0]} is not one of the available choices."])
    found: list[Item] = []
    for kind, data in items:
        value = VALUES.get((kind.path, name)) or VALUES.get(("", name))
        if value:
            stored, how = value(Shown(context, kind, data)), ""
        else:
            stored, how = dig(context, kind, data, path), operator
        if any(plain(stored, how, one) for one in wanted) if several else plain(stored, how, wanted):
            found.append((kind, data))
    if not found and not operator and not several and schema.get("format") == "uuid":
        check_exists(context, items, path[0], wanted)
    return found


def check_exists(context: Context, items: list[Item], field: str, wanted: Any) -> None:
    """A filter by reference refuses what does not exist."""
    for kind, _ in items[:1]:
        ref = kind.refs.get(field)
        if ref and ref.by in ("pk", "target.pk") and context.locate(ref, wanted) is None:
            raise Invalid([NOT_A_CHOICE])


def searched(items: list[Item], text: str) -> list[Item]:
    """The items of which a short text holds all words of the search."""
    words = text.lower().split()

    def fits(data: Data) -> bool:
        texts = [
            str(value).lower()
            for name, value in data.items()
            if isinstance(value, str) and not name.startswith("_")
        ]
        return all(any(word in found for found in texts) for word in words)

    return [item for item in items if fits(item[1])]


def ordered(
    context: Context, items: list[Item], ordering: str, fields: set[str], unordered: bool = False
) -> list[Item]:
    """Items in the order asked for, or in the kind's own; `unordered` lists have none and show the table's."""
    wanted = [name for name in ordering.split(",") if name.lstrip("-") in fields]
    if not wanted and unordered:
        return sorted(items, key=lambda item: context.store.touched(item[0].path, item[1][item[0].pk_field]))
    if not wanted:
        default = (
            "-created"
            if "client_ip" in fields
            else next(
                (name for name in ("name", "order", "slug", "username", "identifier") if name in fields), ""
            )
        )
        wanted = [default] if default else []

    def key(name: str) -> Callable[[Item], tuple[bool, Any]]:
        def of(item: Item) -> tuple[bool, Any]:
            stored = item[1].get(name)
            return (stored is None, stored if stored is not None else 0)

        return of

    items = sorted(items, key=lambda item: context.store.seq(item[0].path, item[1][item[0].pk_field]))
    for name in reversed(wanted):
        items = sorted(items, key=key(name.lstrip("-")), reverse=name.startswith("-"))
    return items


def page(items: list[Item], query: dict[str, str]) -> tuple[dict[str, int], list[Item]]:
    """The pagination block and the items of one page."""
    size = number(query.get("page_size"), PAGE_SIZE)
    size = min(size, MAX_PAGE_SIZE)
    pages = max(1, -(-len(items) // size))
    current = pages if query.get("page") == "last" else number(query.get("page"), 1)
    if current > pages or query.get("page", "1").startswith(("-", "0")):
        raise PageMissingError
    start = (current - 1) * size
    shown = items[start : start + size]
    block = {
        "next": current + 1 if current < pages else 0,
        "previous": current - 1,
        "count": len(items),
        "current": current,
        "total_pages": pages,
        "start_index": start + 1 if items else 0,
        "end_index": start + len(shown),
    }
    return block, shown


def answer(block: dict[str, int], results: list[Any]) -> dict[str, Any]:
    """A page as every list is answered; what could be completed in a search is told of no kind on the bench."""
    return {"pagination": block, "results": results, "autocomplete": {}}


def number(text: str | None, fallback: int) -> int:
    """A positive number of the query; the fallback for anything else (a page size of 0 means the default)."""
    return int(text) if text and text.isdigit() and int(text) > 0 else fallback

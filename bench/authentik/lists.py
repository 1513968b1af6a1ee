"""Lists: filters, search, order and pages, as the query asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.authentik import render
from bench.authentik.catalog import Kind, Line, Schema
from bench.authentik.fields import Invalid, as_uuid, choices
from bench.authentik.render import GROUPS, USERS, Context, parents_of
from bench.authentik.store import Data

CONTROL = {"page", "page_size", "ordering", "search", "superuser_full_list", "only_with_launch_url"}
NOT_A_CHOICE = "Select a valid choice. That choice is not one of the available choices."
PAGE_SIZE, MAX_PAGE_SIZE = 20, 100
Item = tuple[Kind, Data]
Query = list[tuple[str, str]]
Test = Callable[[Context, Kind, Data, Any], bool]


class PageMissingError(Exception):
    """The page asked for does not exist."""


def usernames(context: Context, data: Data) -> set[str]:
    """The names of a group's members."""
    return {user["username"] for user in render.members(context, data)}


def group_names(context: Context, data: Data) -> set[str]:
    """The names of a user's groups."""
    return {g["name"] for g in context.store.all(GROUPS) if g["pk"] in data.get("groups", [])}


# Filters that are no field of the object. `wanted` is the list of values asked for (a single one for plain filters).
SPECIAL: dict[tuple[str, str], Test] = {
    (GROUPS, "members_by_pk"): lambda c, k, d, w: any(u["pk"] in w for u in render.members(c, d)),
    (GROUPS, "members_by_username"): lambda c, k, d, w: bool(usernames(c, d) & set(w)),
    (USERS, "groups_by_name"): lambda c, k, d, w: bool(group_names(c, d) & set(w)),
    (USERS, "groups_by_pk"): lambda c, k, d, w: bool(set(d.get("groups", [])) & set(w)),
    (USERS, "is_superuser"): lambda c, k, d, w: render.is_superuser(c.store, d) == w,
    (USERS, "path_startswith"): lambda c, k, d, w: str(d["path"]).startswith(str(w)),
    ("/outposts/instances/", "providers_by_pk"): lambda c, k, d, w: bool(set(d["providers"]) & set(w)),
    ("/outposts/instances/", "providers__isnull"): lambda c, k, d, w: (not d["providers"]) == w,
    ("/policies/bindings/", "target_in"): lambda c, k, d, w: d["target"] in w,
    ("/crypto/certificatekeypairs/", "has_key"): lambda c, k, d, w: bool(d.get("private_key_available")) == w,
    ("", "application__isnull"): lambda c, k, d, w: (render.application_of("slug")(c, k, d) is None) == w,
    ("", "backchannel"): lambda c, k, d, w: w == (k.path not in WITH_FLOWS),
    ("/core/groups/", "parents"): lambda c, k, d, w: w in parents_of(d),
}
WITH_FLOWS = {
    "/providers/ldap/",
    "/providers/oauth2/",
    "/providers/proxy/",
    "/providers/rac/",
    "/providers/radius/",
    "/providers/saml/",
    "/providers/wsfed/",
}


def plain(stored: Any, operator: str, wanted: Any) -> bool:
    """One comparison of a stored value."""
    if operator == "isnull":
        return (stored is None) == wanted
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
        return tests[operator]() if operator in tests else True
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
    *parts, last = name.split("__")
    operator = last if last in OPERATORS else ""
    path = parts if operator else [*parts, last]
    if several and name == "managed":
        known = {data.get("managed") for _, data in items}
        if unknown := [value for value in wanted if value not in known]:
            raise Invalid([f"Select a valid choice. {unknown[0]} is not one of the available choices."])
    found: list[Item] = []
    for kind, data in items:
        special = SPECIAL.get((kind.path, name)) or SPECIAL.get(("", name))
        if special:
            keep = special(context, kind, data, wanted)
        else:
            stored = dig(context, kind, data, path)
            keep = (
                any(plain(stored, operator, w) for w in wanted)
                if several
                else plain(stored, operator, wanted)
            )
        if keep:
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
        default = next(
            (name for name in ("name", "order", "slug", "username", "identifier") if name in fields), ""
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


def number(text: str | None, fallback: int) -> int:
    """A positive number of the query; the fallback for anything else (a page size of 0 means the default)."""
    return int(text) if text and text.isdigit() and int(text) > 0 else fallback

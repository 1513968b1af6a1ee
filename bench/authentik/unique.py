"""Which values may not occur twice, and whether they would."""

from __future__ import annotations

from bench.authentik.catalog import Kind
from bench.authentik.rules import Request


def clash(request: Request, names_: list[str]) -> bool:
    """Whether another object of the same space has the same values (null never clashes)."""
    wanted = {name: request.sent.get(name, (request.before or {}).get(name)) for name in names_}
    if any(value is None for value in wanted.values()):
        return False
    own = request.before[request.kind.pk_field] if request.before else None
    for path in request.context.line.space(request.kind, names_[0]):
        kind = request.context.line.kinds.get(path)
        for data in request.context.store.all(path) if kind else []:
            is_self = path == request.kind.path and data[request.kind.pk_field] == own
            if not is_self and all(data.get(name) == value for name, value in wanted.items()):
                return True
    return False


def unique_sets(kind: Kind) -> list[list[str]]:
    """The sets of fields that must differ between objects, those that only the serializer checks included."""
    only_checked = [[name] for name in kind.facts.get("unique_api_only", [])]
    return [*kind.facts.get("unique", []), *only_checked]

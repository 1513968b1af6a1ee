"""What the names in a plan mean: which declared object, or which default object of the line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from components.identity.kinds import PERMISSION, ReleaseLine, defaults
from components.identity.specs import ObjectSpec
from components.objects.dialect import Reference
from components.objects.values import canonical, is_plain
from components.problems import Problem, nearest, warning

_WITH_KIND = re.compile(r"(authentik_\w+\.\w+):(.+)", re.DOTALL)


class NameIndex:
    """Declared objects by kind and name. Add all of them, then ask."""

    def __init__(self, line: ReleaseLine) -> None:
        self._line = line
        self._declared: dict[str, dict[str, ObjectSpec]] = {}

    def add(self, spec: ObjectSpec) -> None:
        """Remember an object by its name; the first of a name stays."""
        self._declared.setdefault(spec.kind, {}).setdefault(self.display_name(spec), spec)

    def display_name(self, spec: ObjectSpec, *, resolved: bool = False) -> str:
        """The natural key in words, as `objects.store.Store.name_of` says it of what is on the server.

        With `resolved`, names in it are as they are registered, so that two ways to write one name are alike.
        """
        kind = self._line.kind(spec.kind)
        parts = []
        for part, field in kind.key.chosen_fields(spec.fields):
            value = spec.fields.get(field, "")
            text = str(canonical(value)) if is_plain(value) else spec.name
            reference = kind.references.get(field)
            if resolved and reference is not None:
                text = self.find(reference, text)[1]
            parts.append(part.text(field, text))
        return "/".join(parts)

    def references_in(self, spec: ObjectSpec) -> Iterator[tuple[str, Reference, str]]:
        """(field, what it may refer to, name as written) of every name in an object."""
        for field, reference in self._line.kind(spec.kind).references.items():
            value = spec.fields.get(field)
            for each in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(each, str) and each:
                    yield field, reference, each

    def find(self, reference: Reference, written: str) -> tuple[ObjectSpec | None, str]:
        """The declared object that a name means, and the name to register: with its kind where several may be meant."""
        for spec, name in self._candidates(reference, written):
            return spec, name
        return None, written

    def _candidates(self, reference: Reference, written: str) -> Iterator[tuple[ObjectSpec, str]]:
        several = len(reference.to) > 1
        for to in reference.to:
            bare = written.removeprefix(f"{to}:") if several else written
            for label in self._line.members(to):
                spec = self._declared.get(label, {}).get(bare)
                if spec is not None:
                    yield spec, f"{to}:{self.display_name(spec)}" if several else self.display_name(spec)

    def name_problems(
        self, spec: ObjectSpec, field: str, reference: Reference, written: str
    ) -> Iterator[Problem]:
        """Names that mean nothing, or more than one thing, whatever is on the server."""
        where = f"{spec.where}, {field}"
        if reference.to == (PERMISSION,):
            yield from self._permission(where, written)
            return
        prefix = _WITH_KIND.fullmatch(written)
        if prefix and not any(self._candidates(reference, written)):
            kinds = [label for to in reference.to for label in self._line.members(to)]
            if prefix[1] in kinds and len(reference.to) == 1:
                yield Problem(where, f"{written!r} names its kind, which is plain here", f"Write {prefix[2]}")
            elif prefix[1] not in kinds:
                what = f"it cannot name objects of the kind {prefix[1]}"
                yield Problem(where, what, f"It may name {', '.join(kinds)}")
        found = {name for _, name in self._candidates(reference, written)}
        if len(found) > 1:
            either = " or ".join(sorted(found))
            yield Problem(
                where, f"{written!r} may mean {len(found)} of the declared objects", f"Write {either}"
            )

    def _permission(self, where: str, written: str) -> Iterator[Problem]:
        """A permission's name has three parts. authentik's own leaves the model out, which the codename may tell."""
        if written.count("/") == 2:
            return
        app, _, codename = written.partition(".")
        model = codename.partition("_")[2]
        known = codename and self._is_standard_permission(app, model, codename)
        better = (
            f"{app}/{model}/{codename}"
            if known
            else "app/model/codename, as in authentik_core/user/view_user"
        )
        yield Problem(where, f"{written!r} is no name of a permission here", f"Write {better}")

    def _is_standard_permission(self, app: str, model: str, codename: str) -> bool:
        """Whether this is one of the four permissions that are made for each kind; authentik has some more."""
        action, _, about = codename.partition("_")
        known = action in {"add", "change", "delete", "view"} and about == model
        return known and f"{app}.{model}" in self._line.labels()

    def is_default(self, reference: Reference, written: str) -> bool:
        """Whether a new authentik of the line has an object of that name."""
        if reference.to == (PERMISSION,):
            return self._is_standard_permission(*written.split("/", 2))
        for to in reference.to:
            bare = written.removeprefix(f"{to}:")
            for label in self._line.members(to):
                known = defaults().get(label, {})
                if bare in known or bare in known.values():
                    return True
        return False

    def dangling_warning(self, spec: ObjectSpec, field: str, reference: Reference, written: str) -> Problem:
        """A name that nothing here bears."""
        labels = [label for to in reference.to for label in self._line.members(to)]
        known: set[Any] = {
            name for label in labels for name in (*self._declared.get(label, {}), *defaults().get(label, {}))
        }
        near = nearest(written, known)
        return warning(
            f"{spec.where}, {field}",
            f"{written!r} is neither declared here nor a default object of authentik {self._line.line}: it must be on "
            "the server already",
            f"{near}, if that is meant" if near else "Declare it, unless it is there",
        )

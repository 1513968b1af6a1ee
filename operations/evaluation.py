"""Who may use an app: as authentik itself evaluates it, and as far as it follows from the stack file.

authentik's answer is what counts: it knows nested groups, single people, policies, mode, and what was bound by hand.
What the file declares is only compared with it, where the file alone decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from components.identity.dialect import Authentik
from components.identity.specs import ObjectSpec
from components.objects.errors import ObjectError
from components.objects.http import RefusedError
from components.ssh import AccessError
from operations.errors import OperatorError

APPLICATION, BINDING = "authentik_core.application", "authentik_policies.policybinding"
GROUP, USER = "authentik_core.group", "authentik_core.user"


class Evaluation:
    """authentik's own evaluation of who may use what."""

    def __init__(self, server: Authentik) -> None:
        self._server = server

    @cached_property
    def _people(self) -> dict[str, Any]:
        users = self._asked(lambda: self._server.list_objects(self._server.kind(USER)))
        return {str(user["username"]): user["pk"] for user in users}

    def knows(self, person: str) -> bool:
        """Whether there is somebody of that user name."""
        return person in self._people

    def may_use(self, app: str, person: str) -> bool:
        """Whether authentik would let this person use the app of this slug. Raises OperatorError if it can't say."""
        path = f"/core/applications/{app}/check_access/"
        params = {"for_user": str(self._people[person])}
        return bool(self._asked(lambda: self._server.request("GET", path, params=params))["passing"])

    def _asked(self, ask: Any) -> Any:
        try:
            return ask()
        except RefusedError as refused:
            what = f"{self._server.where} does not say who may log in ({refused})"
            remedy = "Bring the client up first; an app is known to it only then. Else see its log."
            raise OperatorError(what, remedy) from None
        except (ObjectError, AccessError) as error:
            raise OperatorError(f"authentik does not say who may log in: {error}", "See above.") from None


class DeclaredAccess:
    """What the objects of a stack file say about who may use an app."""

    def __init__(self, specs: Iterable[ObjectSpec]) -> None:
        self._specs: dict[str, list[ObjectSpec]] = {}
        for spec in specs:
            self._specs.setdefault(spec.kind, []).append(spec)

    def may_use(self, app: str, person: str) -> bool | None:
        """True or False where the file alone decides; None where policies do, or groups that it does not have whole."""
        found = [self._passes(binding, person) for binding in self._bindings(app)]
        if not found:
            return True
        decisive = (
            self._mode(app) != "all"
        )  # one binding that says so is enough to let in, or else to keep out
        if decisive in found:
            return decisive
        return None if None in found else not decisive

    def _bindings(self, app: str) -> Iterator[ObjectSpec]:
        for spec in self._specs.get(BINDING, []):
            if spec.fields.get("target") in (app, f"{APPLICATION}:{app}") and spec.fields.get(
                "enabled", True
            ):
                yield spec

    def _mode(self, app: str) -> str:
        applications = self._specs.get(APPLICATION, [])
        modes = [spec.fields.get("policy_engine_mode") for spec in applications if spec.name == app]
        return str(next(iter(modes), None) or "any")

    def _passes(self, binding: ObjectSpec, person: str) -> bool | None:
        fields = binding.fields
        if fields.get("group"):
            inside = self._member(person, fields["group"])
        elif fields.get("user"):
            inside = bool(fields["user"] == person)
        else:
            return None
        return inside if inside is None else inside != bool(fields.get("negate"))

    def _member(self, person: str, group: Any) -> bool | None:
        """Whether somebody is in a group or one below it; None where a group is not declared whole."""
        groups = {spec.name: spec for spec in self._specs.get(GROUP, [])}
        [user] = [spec for spec in self._specs.get(USER, []) if spec.fields.get("username") == person]
        waiting, seen, whole = list(user.fields.get("groups") or []), set(), not user.adopt
        while waiting:
            name = waiting.pop()
            if name == group:
                return True
            if name in seen:
                continue
            seen.add(name)
            spec = groups.get(name)
            whole = whole and spec is not None and not spec.adopt
            if spec is not None:
                waiting += [*(spec.fields.get("parents") or []), *filter(None, [spec.fields.get("parent")])]
        return False if whole else None

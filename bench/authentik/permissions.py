"""The permissions that roles are given: Django makes four for each model when the database is made.

Those that authentik adds of its own (`view_system_info` and the like) are not here, but for the one to search an LDAP
provider's directory, which is the only one that allows anything on the bench. Roles get permissions on single objects;
for all objects of a kind is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from bench.authentik import lists, names
from bench.authentik.api import Api
from bench.authentik.calls import Answer, Call, checked
from bench.authentik.catalog import Kind, load
from bench.authentik.context import groups_of, is_superuser
from bench.authentik.fields import Invalid
from bench.authentik.policies import NotEmulatedError
from bench.authentik.store import Data, Store

ROLES = "/rbac/roles/"
GIVEN = "_permissions"
"""Where a role keeps what it was given."""
FILTERS = {"codename": "codename", "content_type__model": "model", "content_type__app_label": "app_label"}


def app_words(kind: Kind) -> str:
    """How an app of authentik's is called; recorded of "Core" only."""
    return kind.label.partition(".")[0].removeprefix("authentik_").replace("_", " ").title()


@cache
def permissions(line: str) -> tuple[dict[str, Any], ...]:
    """All of a line, in Django's order."""
    found = [
        {
            "name": f"Can {action} {names.verbose(kind)}",
            "codename": f"{action}_{kind.class_name.lower()}",
            "model": kind.class_name.lower(),
            "app_label": kind.label.partition(".")[0],
            "app_label_verbose": f"authentik {app_words(kind)}",
            "model_verbose": names.verbose(kind),
        }
        for kind in sorted(load(line).kinds.values(), key=lambda kind: kind.label)
        for action in ("add", "change", "delete", "view")
    ]
    found.append(
        {
            "name": "Search full LDAP directory",
            "codename": "search_full_directory",
            "model": "ldapprovider",
            "app_label": "authentik_providers_ldap",
            "app_label_verbose": "authentik Providers Ldap",
            "model_verbose": "LDAP Provider",
        }
    )
    return tuple({"id": number, **each} for number, each in enumerate(found, 1))


def listing(api: Api, call: Call) -> Answer:
    """GET /rbac/permissions/"""
    asked = {field: call.first(name) for name, field in FILTERS.items()}
    found: list[Any] = [
        each
        for each in permissions(api.line.name)
        if all(wanted in (None, "", each[field]) for field, wanted in asked.items())
    ]
    block, shown = lists.page(found, dict(call.query))
    return Answer(200, lists.answer(block, list(shown)))


def of_role(api: Api, call: Call) -> Answer:
    """GET /rbac/permissions/roles/: the permissions on single objects, of one role or of all."""
    asked = call.first("uuid")
    roles = [role for role in api.store.all(ROLES) if asked in (None, role["pk"])]
    found: list[Any] = [
        {
            **next(each for each in permissions(api.line.name) if name_of(each) == given["permission"]),
            "id": number,
            "object_pk": given["object_pk"],
            "object_description": None,
        }
        for number, given in enumerate((one for role in roles for one in _given(role)), 1)
    ]
    block, shown = lists.page(found, dict(call.query))
    return Answer(200, lists.answer(block, list(shown)))


def assign(api: Api, call: Call) -> Answer:
    """POST …/assign/: give a role permissions on an object."""
    role, asked = _asked(api, call)
    fresh = [each for each in asked if each not in _given(role)]
    api.store.replace(ROLES, role["pk"], {**role, GIVEN: [*_given(role), *fresh]})
    return Answer(200, [{"id": f"{number}"} for number, _ in enumerate(asked, 1)])


def unassign(api: Api, call: Call) -> Answer:
    """PATCH …/unassign/: take them away again."""
    role, asked = _asked(api, call)
    api.store.replace(
        ROLES, role["pk"], {**role, GIVEN: [each for each in _given(role) if each not in asked]}
    )
    return Answer(204)


def has(store: Store, user: Data, permission: str, model: str, pk: object) -> bool:
    """Whether somebody has a permission on an object: by a role of theirs, or of a group of theirs."""
    if is_superuser(store, user):
        return True
    wanted = {"permission": permission, "model": model, "object_pk": str(pk)}
    own = {
        *(user.get("roles") or ()),
        *(role for group in groups_of(store, user) for role in group.get("roles") or ()),
    }
    return any(role["pk"] in own and wanted in _given(role) for role in store.all(ROLES))


def name_of(permission: Mapping[str, Any]) -> str:
    """A permission as it is assigned by."""
    return f"{permission['app_label']}.{permission['codename']}"


def _given(role: Data) -> list[dict[str, str]]:
    return list(role.get(GIVEN, ()))


def _asked(api: Api, call: Call) -> tuple[Data, list[dict[str, str]]]:
    """The role, and what it is to get or to lose. Raises Invalid for what there is not."""
    role, sent = api.one(call, ROLES), checked(call)
    known = {name_of(each) for each in permissions(api.line.name)}
    kinds = {kind.label.lower(): kind for kind in api.line.kinds.values()}
    kind = kinds.get(str(sent.get("model", "")))
    if kind is None or sent.get("object_pk") is None:
        raise NotEmulatedError("The bench's authentik gives permissions on single objects only.")
    if api.store.get(kind.path, sent["object_pk"]) is None:
        raise Invalid({"object_pk": ["Object does not exist"]})
    for name in sent["permissions"]:
        if name not in known:
            raise Invalid({"permissions": {"0": [f'"{name}" is not a valid choice.']}})
    pk = str(sent["object_pk"])
    return role, [{"permission": name, "model": kind.path, "object_pk": pk} for name in sent["permissions"]]

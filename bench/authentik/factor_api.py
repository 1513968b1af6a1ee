"""The API's view of second factors, and of how often somebody was wrong."""

from __future__ import annotations

from typing import Any

from bench.authentik import lists
from bench.authentik.api import Action, Api
from bench.authentik.calls import Answer, Call, NotFoundError
from bench.authentik.context import USERS
from bench.authentik.devices import MODELS, TYPES, of, path_of
from bench.authentik.reputation import SCORES
from bench.authentik.store import Data


def shown(device: str, row: Data) -> dict[str, Any]:
    """A device as the lists of all types show it."""
    model, verbose = MODELS[device]
    return {
        "verbose_name": verbose,
        "verbose_name_plural": verbose + "s",
        "meta_model_name": model.lower(),
        "pk": str(row["pk"]),
        "name": row["name"],
        "type": model,
        "confirmed": True,
        "created": row["_created"],
        "last_updated": row["_created"],
        "last_used": row["_last_used"],
        "extra_description": None,
        "external_id": row["aaguid"] if device == "webauthn" else None,
    }


def of_anybody(api: Api, call: Call) -> Answer:
    """GET /authenticators/admin/all/?user=…"""
    return Answer(200, [shown(*each) for each in of(api.store, api.store.get(USERS, call.first("user")))])


def of_caller(api: Api, call: Call) -> Answer:
    """GET /authenticators/all/"""
    return Answer(200, [shown(*each) for each in of(api.store, call.user)])


def remove_own(device: str) -> Action:
    """DELETE /authenticators/<type>/<pk>/: nothing more than the session is asked for."""

    def remove(api: Api, call: Call) -> Answer:
        row = api.store.get(path_of(device), call.arguments["id"])
        if row is None or call.user is None or row["_user"] != call.user["pk"]:
            raise NotFoundError(f"No {MODELS[device][0].partition('.')[2]} matches the given query.")
        api.store.remove(path_of(device), row["pk"])
        return Answer(204)

    return remove


def scores(api: Api, call: Call) -> Answer:
    """GET /policies/reputation/scores/?identifier=…"""
    name = call.first("identifier")
    found: list[Any] = [row for row in api.store.all(SCORES) if name in (None, row["identifier"])]
    block, rows = lists.page(found, dict(call.query))
    return Answer(200, lists.answer(block, list(rows)))


def forget_score(api: Api, call: Call) -> Answer:
    """DELETE /policies/reputation/scores/<uuid>/: the person may try again."""
    if api.store.get(SCORES, call.arguments["reputation_uuid"]) is None:
        raise NotFoundError("No Reputation matches the given query.")
    api.store.remove(SCORES, call.arguments["reputation_uuid"])
    return Answer(204)


FACTORS: dict[tuple[str, str], Action] = {
    ("GET", "/authenticators/admin/all/"): of_anybody,
    ("GET", "/authenticators/all/"): of_caller,
    **{("DELETE", f"/authenticators/{device}/{{id}}/"): remove_own(device) for device in TYPES},
    ("GET", "/policies/reputation/scores/"): scores,
    ("DELETE", "/policies/reputation/scores/{reputation_uuid}/"): forget_score,
}

"""Every kind of every line, through the API's own code: made, listed, made again, changed, deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.authentik.actions import ACTIONS
from bench.authentik.api import Api
from bench.authentik.catalog import LINES, load, version_of
from bench.authentik.defaults import Bootstrap
from bench.authentik.info import INFO
from bench.authentik.settings import Settings
from bench.authentik.store import Store
from bench.authentik.views import VIEWS
from bench.authentik.worker import Worker
from bench.tests.authentik.bodies import body, value


class Direct:
    """Calls the API without a web server."""

    def __init__(self, version: str) -> None:
        store = Store()
        settings = Settings(version=version, bootstrap=Bootstrap("p", "t", "a@b.c"))
        Worker(store, settings).run_once(everything=True)
        self.api = Api(store, settings, {**ACTIONS, **INFO, **VIEWS})

    def __call__(self, method: str, path: str, values: dict[str, Any] | None = None) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        headers = {"authorization": "Bearer t", "content-type": "application/json"}
        sent = json.dumps(values).encode() if values is not None else b""
        answer = self.api.handle(method, path, query, headers, sent, "http://localhost")
        return answer.status, answer.body


def fill(call: Direct) -> tuple[dict[str, Any], dict[str, str]]:
    """One object of each kind that can be made, and why the others can't."""
    line = call.api.line
    existing: dict[str, Any] = {}
    for path in line.kinds:
        status, listed = call("GET", f"{path}?superuser_full_list=true")
        if status == 200 and listed["results"]:
            existing[path] = listed["results"][0]
    made: dict[str, Any] = {}
    refused: dict[str, str] = {}
    todo = [kind for path, kind in line.kinds.items() if not path.startswith("/tenants/")]
    for _round in range(4):
        waiting = []
        for kind in todo:
            if "POST" not in line.paths[kind.path] or kind.facts.get("create") == "405":
                refused[kind.path] = "no POST"
                continue
            try:
                sent = body(line, kind, existing)
            except KeyError as missing:
                waiting.append(kind)
                refused[kind.path] = f"needs {missing}"
                continue
            status, answer = call("POST", kind.path, sent)
            if status == 201:
                made[kind.path] = answer
                existing[kind.path] = answer
                refused.pop(kind.path, None)
            else:
                refused[kind.path] = f"{status} {answer}"
        todo = waiting
    return made, refused


@pytest.mark.parametrize("name", LINES)
def test_every_kind_can_be_made_unless_it_needs_a_licence(name: str) -> None:
    call = Direct(version_of(name))
    made, refused = fill(call)
    licensed = {path for path, kind in call.api.line.kinds.items() if kind.facts.get("enterprise")}
    for path in licensed & refused.keys():
        assert (
            "Enterprise is required" in refused[path]
            or "needs" in refused[path]
            or "no POST" in refused[path]
        )
    others = {
        path: why
        for path, why in refused.items()
        if path not in licensed and why != "no POST" and not any(kind in why for kind in licensed)
    }
    assert not others
    assert not licensed & made.keys()


@pytest.mark.parametrize("name", LINES)
def test_answers_have_the_shape_of_the_schema(name: str) -> None:
    call = Direct(version_of(name))
    made, _ = fill(call)
    line = call.api.line
    for path, answer in made.items():
        shape = line.schemas[line.kinds[path].response]
        visible = {field for field, node in shape["properties"].items() if not node.get("writeOnly")}
        assert answer.keys() == visible, path
        settable = line.schemas[line.kinds[path].request]["properties"].keys() & visible
        for field in settable - line.kinds[path].refs.keys():
            assert answer[field] is not None or shape["properties"][field].get("nullable"), (path, field)


@pytest.mark.parametrize("name", LINES)
def test_an_object_can_be_read_changed_and_deleted_once(name: str) -> None:
    call = Direct(version_of(name))
    made, _ = fill(call)
    line = load(name)
    for path, answer in made.items():
        kind = line.kinds[path]
        one = f"{path}{answer[kind.url_field]}/"
        methods = line.paths.get(detail(line, path), {})
        if "GET" in methods:
            assert call("GET", one)[0] == 200, path
        if "PUT" in methods:
            known = line.schemas[kind.request]["properties"].keys() - set(kind.facts.get("never_send", []))
            again = {field: value for field, value in answer.items() if field in known and value is not None}
            status, found = call("PUT", one, {**secrets(line, kind), **again})
            assert status == 200, (path, found)
            assert settled(found) == settled(call("GET", one)[1]), path
            # Two defaults end in a space, which any write that repeats them loses.
            kept = {
                field: entry.strip() if isinstance(entry, str) else entry for field, entry in again.items()
            }
            if path == "/core/tokens/":  # the end of an API token is set anew at every write
                del kept["expires"]
            assert {field: found[field] for field in settled(kept)} == settled(kept), path
    for path, answer in reversed(made.items()):
        kind = line.kinds[path]
        one = f"{path}{answer[kind.url_field]}/"
        if "DELETE" in line.paths.get(detail(line, path), {}):
            status, found = call("DELETE", one)
            assert status in (204, 404), (path, found)
            assert call("DELETE", one)[0] == 404, path


VOLATILE = {"last_updated"}


def settled(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what every write changes."""
    return {field: value for field, value in answer.items() if field not in VOLATILE}


def secrets(line: Any, kind: Any) -> dict[str, Any]:
    """The required fields that are never shown: a PUT has to send them again."""
    schema = line.schemas[kind.request]
    hidden = [
        name for name in schema.get("required", []) if name not in line.schemas[kind.response]["properties"]
    ]
    return {name: value(line, kind, name, schema["properties"][name]) for name in hidden}


def detail(line: Any, path: str) -> str:
    """The template of one object of a kind."""
    return next(
        (p for p in line.paths if p.startswith(path + "{") and p.count("/") == path.count("/") + 1), ""
    )

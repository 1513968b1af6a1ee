"""Learning a release line from a server's schema."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from components import release_lines
from components.containers import releases
from components.identity import catalog
from components.identity.plan import Plan
from components.problems import Problems
from components.settings import parse
from operations.catalog import TOKEN, learn
from operations.errors import OperatorError
from tests.settings.files import NO_BOX, decrypted, good, laid_over
from tools import catalog as extracting

GROUP: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {"pk": {"type": "string", "readOnly": True}, "name": {"type": "string", "minLength": 1}},
}


def schema(version: str) -> dict[str, Any]:
    """An authentik that holds groups, and something that nobody has heard of."""
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Group"}}}}
    paths: dict[str, Any] = {}
    for path in ("/core/groups/", "/core/novelties/"):
        paths[path] = {"get": {"responses": {"200": body}}, "post": {"requestBody": body}}
        one = {"get": {"responses": {"200": body}}, "put": {"requestBody": body}, "delete": {}}
        paths[path + "{pk}/"] = one
    return {"info": {"version": version}, "paths": paths, "components": {"schemas": {"Group": GROUP}}}


class Handler(BaseHTTPRequestHandler):
    """Gives the schema to those who have the token."""

    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == "Bearer right"
        status = 404 if self.path != "/api/v3/schema/" else 200 if allowed else 403
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(schema("2031.11.1") if status == 200 else {}).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(extracting, "FOLDER", tmp_path)
    monkeypatch.setattr("components.identity.catalog.FOLDER", tmp_path)
    monkeypatch.setattr(release_lines, "CATALOGS", tmp_path)
    monkeypatch.setenv(TOKEN, "right")
    yield tmp_path
    catalog.load.cache_clear()


def test_a_line_is_learnt(server: str, folder: Path) -> None:
    path, count, unknown = learn(server, "2031.11")
    assert (path, count, unknown) == (folder / "2031.11.json", 2, ["/core/novelties/"])
    fields = json.loads(path.read_text())["kinds"]["/core/groups/"]["fields"]
    assert fields == {"name": {"type": "string", "minLength": 1, "required": True}}
    assert learn(f"{server}/api/v3/schema/", "2031.11")[1] == 2


def test_a_line_that_was_learnt_can_be_used(server: str) -> None:
    learn(server, "2031.11")
    version = {"version": "2031.11.1", "url": "https://sso.acme.example", "token": "x"}
    raw = decrypted(laid_over(good(), {**NO_BOX, "authentik": version, "apps": {}}))
    assert parse(raw).authentik.line == "2031.11"
    plan = Plan("2031.11")
    plan.add("authentik_core.group", "staff", {})
    assert plan.problems() == []
    with pytest.raises(Problems, match=r"knows the objects of authentik 2031\.11, and not how to run it"):
        releases.release("2031.11")


def test_a_file_does_too(tmp_path: Path) -> None:
    file = tmp_path / "schema.yml"
    file.write_text(json.dumps(schema("2031.11.0")))
    assert learn(str(file), "2031.11")[1] == 2


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("{server}", "next", "'next' is not a release line. A line is year and month"),
        ("{server}", "2031.12", "is authentik 2031.11.1, not a release of 2031.12. Give --line 2031.11"),
        ("{server}/nothing/", "2031.11", "answers HTTP 404. Check the address"),
        ("http://127.0.0.1:9", "2031.11", "cannot be reached (ConnectError). Check that it is running"),
        ("schema.yml", "2031.11", "cannot be read (No such file or directory). Give an address"),
        ("{here}", "2031.11", "does not give an OpenAPI schema. authentik gives it at /api/v3/schema/"),
    ],
)
def test_what_cannot_be_learnt_is_said(server: str, folder: Path, source: str, line: str, said: str) -> None:
    (folder / "note.txt").write_text("hello: [")
    with pytest.raises(OperatorError) as raised:
        learn(source.format(server=server, here=folder / "note.txt"), line)
    assert said in " ".join(str(raised.value).split())
    assert not list(folder.glob("*.json"))


def test_a_server_that_wants_a_token_says_where_to_put_it(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, "wrong-token-value")
    with pytest.raises(OperatorError, match="answers HTTP 403") as raised:
        learn(server, "2031.11")
    assert TOKEN in raised.value.remedy
    assert "wrong-token-value" not in str(raised.value)

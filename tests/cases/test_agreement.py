"""Doctor and the program (and so every preview) agree about every stack file: one says no where the other does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from pulumi.runtime import config as runtime

from bench.plain import PlainWorld
from components.client import Client
from components.problems import Problems
from components.settings import load, loading
from operations import guards
from operations.elsewhere import authentik_elsewhere
from operations.finding import Finding
from operations.stack import Stack
from tests.host import mocks
from tests.operations.client import BenchClient
from tests.settings import files

CASES = sorted((Path(__file__).parent / "files").glob("*.yaml"))
FRESH = {
    "client": "acme",
    "domain": "acme.example",
    "box": "none",
    "rootSecret": {"secure": mocks.root_secret()},
    "authentik": {
        "version": "2026.8.3",
        "url": "https://sso.acme.example",
        "token": {"secure": "the-token-of-an-admin"},
    },
}


class Written(Stack):
    """A stack that is a file alone: never up, its secrets in clear where `secure` stands."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        super().__init__("acme")
        self.file = folder / self.file.name
        self.raw = settings
        document = {"config": {f"gatehouse:{name}": value for name, value in settings.items()}}
        self.file.write_text(yaml.safe_dump(document))

    def require(self) -> Stack:
        return self

    def config(self) -> dict[str, Any]:
        decrypted: dict[str, Any] = files.decrypted(self.raw)
        return decrypted

    def deployment(self) -> dict[str, Any]:
        return {}


def refused_by_doctor(stack: Written) -> list[str]:
    """What doctor has against the file; what only the accounts say is another matter."""
    before, found = guards.Before(stack, guards.DOCTOR), []
    for guard in guards.GUARDS:
        if guard.check in (guards.stack_file, guards.remembered, guards.planned):
            found += [each for each in guards._explained(guard, before) if each.refuses]
            if found and guard.decisive:
                break
    return [each.what for each in found]


def refused_by_program(stack: Written) -> list[str]:
    """What the program has against it, given its settings as the engine hands them out."""
    texts = {
        f"gatehouse:{name}": value if isinstance(value, str) else json.dumps(value)
        for name, value in stack.config().items()
    }
    secret = [f"gatehouse:{name}" for name, value in stack.raw.items() if "'secure'" in str(value)]
    runtime.set_all_config(texts, secret)
    try:
        mocks.run(lambda: Client(load()))
    except Problems as error:
        return [each.what for each in error.problems]
    finally:
        runtime.set_all_config({}, [])
    return []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(loading, "STACKS", tmp_path)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "c" * 40)
    monkeypatch.chdir(tmp_path)  # where the program writes the client's keys
    yield tmp_path


@pytest.mark.case("20")
@pytest.mark.parametrize("path", [*files.BAD, *CASES, files.HERE / "good.yaml"], ids=lambda path: path.stem)
def test_doctor_and_the_program_agree(folder: Path, path: Path) -> None:
    given = files.read(path)
    base = FRESH if path in CASES else files.good()
    settings = files.laid_over(base, given if path in CASES else given["config"])
    if path.stem == "good":
        settings = files.good()
    stack = Written(folder, settings)
    by_doctor, by_program = refused_by_doctor(stack), refused_by_program(stack)
    assert bool(by_doctor) is bool(by_program), (by_doctor, by_program)
    assert bool(by_doctor) or path not in files.BAD


@pytest.mark.case("20")
def test_what_only_the_plan_knows_is_said_by_doctor(folder: Path) -> None:
    flow = {
        "kind": "authentik_flows.flow",
        "name": "mine",
        "fields": {"title": "Mine", "designation": "nonsense"},
    }
    stack = Written(folder, {**FRESH, "objects": [flow]})
    assert refused_by_doctor(stack) == refused_by_program(stack)
    assert refused_by_doctor(stack)


# With an authentik that somebody else runs --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainWorld]:
    folder = tmp_path_factory.mktemp("world")
    with PlainWorld(folder / "authentik", lambda _: None, memory=True).running() as running:
        yield running


def asked(url: str, token: str, version: str = "2026.8.1", *, patient: bool = False) -> list[Finding]:
    there = {"version": version, "url": url, "token": token}
    settings = mocks.settings(server=None, box="none", authentik=there)
    return list(authentik_elsewhere(settings, patient=patient))


@pytest.mark.case("20")
def test_doctor_asks_an_authentik_that_is_not_ours(world: PlainWorld) -> None:
    api = httpx.Client(base_url=f"{world.issuer}/api/v3", headers={"Authorization": f"Bearer {world.token}"})
    (fine,) = asked(world.issuer, world.token)
    assert not fine.refuses and "2026.8.3" in fine.what and "akadmin's, an administrator" in fine.what
    (older,) = asked(world.issuer, world.token, "2026.2.2")
    assert older.where == "gatehouse:authentik.version" and older.remedy == "Write 2026.8.3"
    body = {"username": "jane", "name": "Jane", "email": "jane@acme.example"}
    jane = api.post("/core/users/", json=body).raise_for_status().json()["pk"]
    token = {"identifier": "jane", "user": jane, "intent": "api", "expiring": False}
    api.post("/core/tokens/", json=token).raise_for_status()
    key = api.get("/core/tokens/jane/view_key/").raise_for_status().json()["key"]
    (common,) = asked(world.issuer, key)
    assert "the token of jane, who is no administrator" in common.what and key not in str(common)
    (refused,) = asked(world.issuer, "x" * 40)
    assert refused.where == "gatehouse:authentik.token" and "refuses it (403)" in refused.what
    assert asked(world.issuer, "x" * 40, patient=True) == []  # a young one refuses every token


@pytest.mark.case("18")
@pytest.mark.parametrize(
    ("status", "body", "what"),
    [
        (200, "<html>", "does not answer as authentik does (200 OK)"),
        (200, "[]", "does not answer as authentik does (200 OK)"),
        (302, "", "does not answer as authentik does (302 Found)"),
        (404, "{}", "does not answer as authentik does (404 Not Found)"),
        (502, "<html>", "does not answer as authentik does (502 Bad Gateway)"),
    ],
)
def test_what_is_no_authentik_is_said_to_be_none(status: int, body: str, what: str) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        (found,) = asked(url, "x" * 40)
        assert what in found.what and found.refuses
        # A run waits for one that is starting, and for no other thing.
        assert bool(asked(url, "x" * 40, patient=True)) is (status < 500)
        server.shutdown()


@pytest.mark.engine
@pytest.mark.case("20")
def test_a_preview_that_says_that_up_will_refuse_fails(
    world: PlainWorld, tmp_path_factory: pytest.TempPathFactory
) -> None:
    client = BenchClient(tmp_path_factory.mktemp("client") / "project", world, groups=["by-hand"])
    client.api.post("/api/v3/core/groups/", json={"name": "by-hand"}).raise_for_status()
    try:
        for command in (["preview", "acme", "--refresh"], ["up", "acme", "--yes"]):
            with pytest.raises(AssertionError, match=r"(?s)ended with 1:.*by-hand.*is there already"):
                client.project.gatehouse(*command)
    finally:
        client.end()

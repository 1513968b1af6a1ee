"""`doctor`, `preview`, `up` and Pulumi's own preview print the same problems of every stack file."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pulumi
import pytest
import typer
import yaml
from pulumi.automation import CommandError, EngineEvent
from pulumi.automation.events import DiagnosticEvent
from pulumi.runtime import config as runtime
from rich.console import Console

from bench.plain import PlainWorld
from components.client import Client
from components.problems import Problems
from components.settings import load, loading
from operations import run
from operations.__main__ import main
from operations.commands import doctor, runs
from operations.external_authentik import check_external_authentik
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
    """A stack that is a file alone: never up, its secrets in clear where `secure` stands, its engine `automation`."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        super().__init__("acme")
        self.file = folder / self.file.name
        self.raw = settings
        document = {"config": {f"gatehouse:{name}": value for name, value in settings.items()}}
        self.file.write_text(yaml.safe_dump(document))
        self.engine = Engine(self)
        self.automation = self.engine  # type: ignore[assignment]

    def require(self) -> Stack:
        return self

    def config(self) -> dict[str, Any]:
        decrypted: dict[str, Any] = files.decrypted(self.raw)
        return decrypted

    def deployment(self) -> dict[str, Any]:
        return {}


class Engine:
    """Runs the program as Pulumi's engine does: hands the settings out, and passes on what the program says."""

    def __init__(self, stack: Written) -> None:
        self.stack = stack
        self.workspace = SimpleNamespace(env_vars={})

    def preview(self, *, on_event: Callable[[EngineEvent], Any], **_: Any) -> Any:
        for severity, message in self.program():
            said = DiagnosticEvent(message=message, color="never", severity=severity)
            on_event(EngineEvent(sequence=0, timestamp=0, diagnostic_event=said))
            if severity == "error":
                raise CommandError(SimpleNamespace(code=255, stdout="", stderr=message))  # type: ignore[arg-type]
        return SimpleNamespace(change_summary={})

    def program(self) -> list[tuple[str, str]]:
        """What the program says, by how grave it is."""
        said: list[tuple[str, str]] = []
        texts = {
            f"gatehouse:{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in self.stack.config().items()
        }
        secret = [f"gatehouse:{name}" for name, value in self.stack.raw.items() if "'secure'" in str(value)]
        runtime.set_all_config(texts, secret)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(pulumi.log, "warn", lambda text, *_: said.append(("warning", text)))
                mocks.run(lambda: Client.from_settings(load()))
        except Problems as error:
            said.append(("error", str(error)))
        finally:
            runtime.set_all_config({}, [])
        return said


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(loading, "STACKS", tmp_path)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "c" * 40)
    monkeypatch.setenv("HCLOUD_TOKEN", "h" * 64)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse battery")
    monkeypatch.setenv("COLUMNS", "100000")  # nothing is broken into lines
    monkeypatch.setattr(doctor, "console", Console(width=100_000))
    monkeypatch.chdir(tmp_path)  # where the program writes the client's keys
    yield tmp_path


command_line = cache(typer.main.get_command)
"""typer makes the whole command line anew for each command, which takes longer than most of them."""


class Reached(Exception):
    """A command goes on: to the clouds, to authentik, to what an earlier run left."""


ROWS = re.compile(r"(?m)^(?:missing|note) +(.*)\n(.*)$")
LINES = re.compile(r"(?m)^ {2,}(\S.*[^:])$")


def letters(text: str) -> str:
    """A problem without what only its place on the screen adds to it."""
    return re.sub(r"\W", "", text)


@dataclass(frozen=True)
class Printed:
    """What commands print of one file's problems, each with its remedy."""

    doctor: frozenset[str]
    preview: frozenset[str]
    up: frozenset[str]
    plain: frozenset[str]
    """Pulumi's own preview."""


def printed(stack: Written, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    """Run all of them, up to where they would contact somebody."""

    def reached(*_: Any, **__: Any) -> Any:
        raise Reached

    def away(_: httpx.Client, request: httpx.Request, **__: Any) -> Any:
        raise httpx.ConnectError("nobody is there", request=request)

    monkeypatch.setattr(typer.main, "get_command", command_line)
    monkeypatch.setattr(run, "resume_creates", reached)
    for commands in (doctor, runs):
        monkeypatch.setattr(commands, "Stack", lambda _: stack)
    monkeypatch.setattr(doctor.doctor_checks, "machine", lambda: [])
    monkeypatch.setattr(run.backend, "clear_leftovers", lambda _: [])
    program = "\n".join(f"  {message}" for _, message in stack.engine.program())
    capsys.readouterr()

    def said(pattern: re.Pattern[str], *command: str) -> frozenset[str]:
        monkeypatch.setattr(httpx.Client, "send", away if command[0] == "doctor" else reached)
        monkeypatch.setattr("sys.argv", ["gatehouse", *command])
        text = ""
        with suppress(SystemExit):
            try:
                main()
            except Reached:  # it has nothing against the file so far, and goes on to the program
                text = program
        text += "".join(capsys.readouterr())
        every = (letters("".join(found.groups())) for found in pattern.finditer(text))
        return frozenset(each for each in every if "ConnectError" not in each)

    return Printed(
        said(ROWS, "doctor", "acme"),
        said(LINES, "preview", "acme"),
        said(LINES, "up", "acme", "--yes"),
        frozenset(letters(found[1]) for found in LINES.finditer(program)),
    )


def stack_of(path: Path, folder: Path) -> Written:
    """A stack with a file of tests/settings/bad, of the cases, or the good one."""
    given = files.read(path)
    if path in CASES:
        return Written(folder, files.laid_over(FRESH, given))
    return Written(
        folder, files.good() if path.stem == "good" else files.laid_over(files.good(), given["config"])
    )


FILES = [*files.BAD, *CASES, files.HERE / "good.yaml"]
AGREED: dict[str, bool] = {}


@pytest.mark.case("20")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_doctor_preview_and_up_print_the_same_problems(
    folder: Path, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    AGREED[path.name] = False
    found = printed(stack_of(path, folder), monkeypatch, capsys)
    assert found.doctor == found.preview == found.up == found.plain
    assert found.doctor or path not in files.BAD
    AGREED[path.name] = True


def test_the_number_of_files_about_which_they_agree(record_figure: Callable[..., None]) -> None:
    if len(AGREED) < len(FILES):
        pytest.skip("the test above was not run for all files, in this process")
    record_figure("test", problems_agree=(sum(AGREED.values()), len(FILES)))
    assert all(AGREED.values())


@pytest.mark.case("20")
def test_what_only_the_plan_knows_is_printed_by_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flow = {"name": "Mine", "title": "Mine", "designation": "nonsense", "titel": "Mine"}
    wrong = {"kind": "authentik_flows.flow", "name": "mine", "fields": flow}
    odd = {
        "kind": "authentik_core.user",
        "name": "jane",
        "fields": {"name": "Jane", "groups": ["unheard-of"]},
    }
    found = printed(Written(folder, {**FRESH, "objects": [wrong, odd]}), monkeypatch, capsys)
    assert found.doctor == found.preview == found.up == found.plain
    assert len(found.doctor) == 3


# With an authentik that somebody else runs --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainWorld]:
    folder = tmp_path_factory.mktemp("world")
    with PlainWorld(folder / "authentik", lambda _: None, memory=True).running() as running:
        yield running


def asked(url: str, token: str, version: str = "2026.8.1", *, patient: bool = False) -> list[Finding]:
    there = {"version": version, "url": url, "token": token}
    settings = mocks.settings(server=None, box="none", authentik=there)
    return list(check_external_authentik(settings, patient=patient))


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


@pytest.mark.engine
def test_plain_pulumi_prints_it_too_and_nobody_is_asked(
    world: PlainWorld, tmp_path_factory: pytest.TempPathFactory
) -> None:
    flow = {"name": "Mine", "title": "Mine", "designation": "authentication", "titel": "Mine"}
    wrong = {"kind": "authentik_flows.flow", "name": "mine", "fields": flow}
    client = BenchClient(tmp_path_factory.mktemp("wrong") / "project", world, objects=[wrong])
    client.fault("GET", "/api/v3/.*", status=500)
    try:
        for command in ("doctor", "preview", "up"):
            more = ["--yes"] if command == "up" else []
            said = client.project.gatehouse(command, "acme", *more, check=False, COLUMNS="10000")
            assert "there is no such field" in said and "Write title" in said, command
        said = client.project.pulumi("preview", "--stack", "acme", check=False)
        assert "titel: there is no such field. Write title" in said and "Traceback" not in said
        assert client.faults_left() == 1  # authentik was not asked
    finally:
        client.no_faults()
        client.end()

"""Doctor and the program (and so every preview) agree about every stack file: one says no where the other does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.runtime import config as runtime

from components.client import Client
from components.identity.specs import PlanError
from components.settings import SettingsError, load, loading
from operations import guards
from operations.stack import Stack
from tests.host import mocks
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
            found += [each for each in guards._explained(guard, before) if not each.ok]
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
    except SettingsError as error:
        return [each.what for each in error.problems]
    except PlanError as error:
        return [each.what for each in error.findings]
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

"""The walk of docs/how-to.md for a protocol, followed in a copy of the checkout: what it touches is enough."""

from __future__ import annotations

import filecmp
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("components", "docs", "operations", "stacks", "tests", "tools")
GENERATED = ("docs/settings.md", "stacks/schema.json")
REGISTRY = Path("components/settings/protocols/__init__.py")
EXAMPLES = Path("tests/cases/test_apps.py")
MODULE = '''\
"""WS-Federation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from components.problems import Problem
from components.settings.apps import AppContext, NoLogin
from components.settings.base import dotted
from components.settings.protocols.common import BY_HAND, CONSENTED, ConsentedApp

if TYPE_CHECKING:
    from components.settings.model import Settings


class WsFederationApp(ConsentedApp):
    """With `protocol: wsfed` (WS-Federation)."""

    speaks: ClassVar = "wsfed"
    words: ClassVar = "speaks wsfed"
    provider: ClassVar = "authentik_providers_ws_federation.wsfederationprovider"
    provider_settings: ClassVar = CONSENTED | {"reply_url": ("reply_url",), "wtrealm": ("realm",)}

    reply_url: str | None = None
    """Where authentik sends people to."""

    realm: str | None = None
    """What the app calls itself."""

    def problems(self, _: Settings) -> Iterator[Problem]:
        if self.reply_url is None:
            yield Problem(dotted("apps", self.key, "replyUrl"), "a wsfed app needs it", "Add it")

    def provider_fields(self, _: AppContext) -> Mapping[str, Any]:
        return {**self.flows(), "reply_url": self.reply_url, "wtrealm": self.realm}

    def connection(self, context: AppContext) -> Mapping[str, str]:
        """Where the app reads the rest."""
        return {"metadataUrl": f"{context.authentik}/application/wsfed/{self.key}/metadata/"}

    def secret_outputs(self) -> Mapping[str, str]:
        return {}

    def login(self, _: AppContext) -> NoLogin:
        return NoLogin(BY_HAND.format("WS-Federation"))
'''
ROW = "from components.settings.protocols.wsfed import WsFederationApp\n"
EXAMPLE = (
    '    "crm": {"protocol": "wsfed", "url": "https://crm.acme.example", "groups": ["staff"],\n'
    '            "replyUrl": "https://crm.acme.example/in", "realm": "crm"},\n'
)
PROGRAM = """
import json
from components.apps import outputs
from components.settings import parse
from components.settings.apps import AppContext
from components.problems import Problems
from tests.apps.test_declare import planned, settings
from tests.cases.test_apps import EVERYTHING
from tools import settings_page

found = settings(apps={"crm": EVERYTHING["crm"]})
plan = planned(found)
wrong = []
for change in ({"replyUrl": None}, {"acsUrl": "https://crm.acme.example"}, {"relm": "x"}):
    try:
        settings(apps={"crm": {name: value for name, value in {**EVERYTHING["crm"], **change}.items() if value}})
    except Problems as problems:
        wrong += [f"{each.where}: {each.what}. {each.remedy}" for each in problems.problems]
for path, text in settings_page.files().items():
    path.write_text(text)
(app,) = found.apps
print(json.dumps({
    "problems": [str(each) for each in plan.problems() if each.refuses],
    "provider": plan.objects[app.provider, "crm"]["reply_url"],
    "outputs": outputs(found, found.derived())["apps"]["crm"],
    "login": app.login(AppContext(found, found.derived())).why,
    "wrong": wrong,
}))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the checkout to which the protocol was added."""
    copy = tmp_path_factory.mktemp("protocol") / "checkout"
    for folder in FOLDERS:
        shutil.copytree(
            ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "recordings")
        )
    (copy / "bench").symlink_to(ROOT / "bench")
    (copy / REGISTRY.with_name("wsfed.py")).write_text(MODULE)
    rows = (copy / REGISTRY).read_text()
    rows = rows.replace(
        "from components.settings.typing_tools", f"{ROW}from components.settings.typing_tools"
    )
    (copy / REGISTRY).write_text(rows.replace("    SamlApp,\n", "    SamlApp,\n    WsFederationApp,\n"))
    examples = (copy / EXAMPLES).read_text()
    (copy / EXAMPLES).write_text(
        examples.replace("EVERYTHING: dict[str, Any] = {\n", "EVERYTHING: dict[str, Any] = {\n" + EXAMPLE)
    )
    yield copy
    shutil.rmtree(copy)


def run(copy: Path, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=copy, capture_output=True, text=True, check=False, timeout=120
    )


def changed(mine: Path, theirs: Path) -> Iterator[str]:
    """Files that differ between two checkouts."""
    for folder in FOLDERS:
        for path in sorted((theirs / folder).rglob("*")):
            name = path.relative_to(theirs)
            if path.is_file() and "__pycache__" not in path.parts:
                there = mine / name
                if not there.exists() or not filecmp.cmp(there, path, shallow=False):
                    yield str(name)


def test_a_protocol_is_one_module_a_row_and_an_example(
    copy: Path, record_figure: Callable[..., None]
) -> None:
    ended = run(copy, PROGRAM)
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert said == {
        "problems": [],
        "provider": "https://crm.acme.example/in",
        "outputs": {
            "url": "https://crm.acme.example",
            "metadataUrl": "https://auth.acme.example/application/wsfed/crm/metadata/",
        },
        "login": "gatehouse itself does not speak WS-Federation; log in to it by hand",
        "wrong": [
            "gatehouse:apps.crm.replyUrl: a wsfed app needs it. Add it",
            "gatehouse:apps.crm.acsUrl: this is for saml, and the app speaks wsfed. Take it out",
            "gatehouse:apps.crm.relm: there is no setting 'relm' here. Write realm",
        ],
    }
    touched = [name for name in changed(ROOT, copy) if name not in GENERATED]
    assert touched == [str(REGISTRY), str(REGISTRY.with_name("wsfed.py")), str(EXAMPLES)]
    assert "wsfed" in (copy / "docs/settings.md").read_text()
    record_figure("test", files_touched_protocol=(len(touched), 4))


def test_one_that_leaves_something_out_is_refused(copy: Path) -> None:
    module = copy / REGISTRY.with_name("wsfed.py")
    whole = module.read_text()
    try:
        module.write_text(whole[: whole.index("    def login")])
        ended = run(copy, PROGRAM)
    finally:
        module.write_text(whole)
    assert ended.returncode != 0
    assert "abstract method login" in ended.stderr

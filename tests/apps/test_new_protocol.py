"""The walk of docs/how-to.md for a protocol, followed in a copy of the checkout: what it touches is enough."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.checkout import Copy

REGISTRY, NEW = (f"components/settings/protocols/{name}.py" for name in ("__init__", "wsfed"))
EXAMPLES = "tests/cases/test_apps.py"
IMPORT = "from components.settings.typing_tools"
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
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of the checkout to which the protocol was added."""
    copy = Copy(tmp_path_factory.mktemp("protocol") / "checkout")
    (copy.path / NEW).write_text(MODULE)
    copy.edit(REGISTRY, IMPORT, ROW + IMPORT)
    copy.edit(REGISTRY, "    SamlApp,\n", "    SamlApp,\n    WsFederationApp,\n")
    table = "EVERYTHING: dict[str, Any] = {\n"
    copy.edit(EXAMPLES, table, table + EXAMPLE)
    return copy


def test_a_protocol_is_one_module_a_row_and_an_example(
    copy: Copy, record_figure: Callable[..., None]
) -> None:
    ended = copy.run("-c", PROGRAM)
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
    touched = copy.touched()
    assert touched == [REGISTRY, NEW, EXAMPLES]
    assert "wsfed" in (copy.path / "docs/settings.md").read_text()
    record_figure("test", files_touched_protocol=(len(touched), 4))


def test_one_that_leaves_something_out_is_refused(copy: Copy) -> None:
    module = copy.path / NEW
    whole = module.read_text()
    try:
        module.write_text(whole[: whole.index("    def login")])
        ended = copy.run("-c", PROGRAM)
    finally:
        module.write_text(whole)
    assert ended.returncode != 0
    assert "abstract method login" in ended.stderr

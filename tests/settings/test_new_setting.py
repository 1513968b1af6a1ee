"""The list of docs/how-to.md for a setting, followed in a copy of the checkout: what it touches is enough."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.checkout import Copy

SETTING, USER, SCRIPT = "components/settings/host.py", "components/host/host.py", "components/host/harden.sh"
FIELD = "    ban_after: Annotated[int, Field(ge=3, le=100)] = 10\n"
WORDS = '    """After how many failed logins an address is shut out for ten minutes."""\n\n'
BEFORE = "    ipv6: bool = True\n"
PROGRAM = """
import json
from components.problems import Problems
from tests.host import test_host
from tests.host.mocks import settings
from tools import settings_page

def told(**more):
    return json.loads(test_host.declare(**more)["Command hardening"].inputs["stdin"])["hardening"]

try:
    settings(network={"banAfter": 1})
except Problems as problems:
    (wrong,) = problems.problems
for path, text in settings_page.files().items():
    path.write_text(text)
print(json.dumps([told(), told(network={"banAfter": 5}), f"{wrong.where}: {wrong.what}. {wrong.remedy}"]))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of the checkout to which a setting of the hardening was added."""
    copy = Copy(tmp_path_factory.mktemp("setting") / "checkout")
    copy.edit(SETTING, BEFORE, FIELD + WORDS + BEFORE)
    copy.edit(
        USER,
        '            "--open": [',
        '            "--ban-after": [str(network.ban_after)] if network.ban_after != 10 else [],\n'
        '            "--open": [',
    )
    copy.edit(SCRIPT, "SSH_PORT=22\n", "SSH_PORT=22\nBAN_AFTER=10\n")
    copy.edit(
        SCRIPT,
        "    --trusted)",
        "    --ban-after) BAN_AFTER=${2:?--ban-after needs a number}; shift 2 ;;\n    --trusted)",
    )
    copy.edit(SCRIPT, "maxretry = 10\n", "maxretry = $BAN_AFTER\n")
    return copy  # fmt: skip


def test_a_setting_is_a_field_and_who_does_what_it_says(
    copy: Copy, record_figure: Callable[..., None]
) -> None:
    ended = copy.run("-c", PROGRAM)
    assert ended.returncode == 0, ended.stderr
    usual, changed, wrong = json.loads(ended.stdout)
    assert (usual, changed) == ([], ["--ban-after", "5"])
    assert wrong.startswith("gatehouse:network.banAfter: ")
    assert "After how many failed logins" in (copy.path / "docs/settings.md").read_text()
    touched = copy.touched()
    assert touched == sorted([SETTING, USER, SCRIPT])
    record_figure("test", files_touched_setting=(len(touched), 3))


def test_one_without_words_is_named(copy: Copy) -> None:
    copy.edit(SETTING, WORDS, "")
    try:
        ended = copy.run("-c", "from tools import settings_page; settings_page.page()")
    finally:
        copy.edit(SETTING, FIELD, FIELD + WORDS)
    assert ended.returncode != 0
    assert "NetworkOptions.banAfter has no words" in ended.stderr

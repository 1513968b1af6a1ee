"""A stack file is changed where it was asked to be, and nowhere else."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from components.problems import Problems
from operations.errors import OperatorError
from operations.stack_file import StackFile

FLOW = """\
# the client's own words
encryptionsalt: v1:abc
config:
  gatehouse:client: acme   # who it is
  gatehouse:people:
    # the boss
    - { username: jane, name: "Jane Doe", email: jane@acme.example, groups: [staff, engineering] } # since 2019
    - {username: max, name: Max Röe, email: max@acme.example}

    # leaves in June
  gatehouse:apps:
    wiki: {url: https://wiki.acme.example, users: [jane, max]}
  pulumi:tags: {a: b}
"""
BLOCK = """\
config:
  gatehouse:people:
  - username: jane
    name: Jane Doe     # as she writes it
    email: jane@acme.example
    groups:  # all that she needs
      - staff
      # and by accident:
      - engineering

  # the others
  - name: Max
    username: max
    email: max@acme.example
    active: true  # for now
  gatehouse:apps:
    wiki:
      users:
      - jane   # she wrote it
      - max
"""


def changed(tmp_path: Path, text: str, change: Callable[[StackFile], None]) -> str:
    """What differs afterwards, as removed and added lines."""
    file = tmp_path / "Pulumi.acme.yaml"
    file.write_text(text, encoding="utf-8")
    stack = StackFile(file)
    change(stack)
    stack.save()
    now = file.read_text(encoding="utf-8")
    found = difflib.ndiff(text.splitlines(), now.splitlines())
    return "\n".join(line for line in found if line[0] in "-+")


def leave(stack: StackFile) -> None:
    stack.set(("people", 0, "groups"), [])
    stack.set(("people", 0, "active"), False)


def test_a_person_in_one_line_is_locked_out(tmp_path: Path) -> None:
    assert changed(tmp_path, FLOW, leave) == (
        '-     - { username: jane, name: "Jane Doe", email: jane@acme.example, '
        "groups: [staff, engineering] } # since 2019\n"
        '+     - { username: jane, name: "Jane Doe", email: jane@acme.example, groups: [], active: false } # since 2019'
    )


def test_a_person_of_several_lines_is_locked_out(tmp_path: Path) -> None:
    assert changed(tmp_path, BLOCK, leave) == (
        "-     groups:  # all that she needs\n"
        "+     groups: []  # all that she needs\n"
        "+     active: false\n"
        "-       - staff\n-       # and by accident:\n-       - engineering"
    )


def test_a_value_that_stands_there_is_replaced(tmp_path: Path) -> None:
    after = changed(tmp_path, BLOCK, lambda stack: stack.set(("people", 1, "active"), False))
    assert after == "-     active: true  # for now\n+     active: false  # for now"


WIKI = "-     wiki: {url: https://wiki.acme.example, users: [jane, max]}"


@pytest.mark.parametrize(
    ("text", "index", "after"),
    [
        (FLOW, 0, f"{WIKI}\n+     wiki: {{url: https://wiki.acme.example, users: [max]}}"),
        (FLOW, 1, f"{WIKI}\n+     wiki: {{url: https://wiki.acme.example, users: [jane]}}"),
        (BLOCK, 0, "-       - jane   # she wrote it"),
        (BLOCK, 1, "-       - max"),
    ],
)  # fmt: skip
def test_an_entry_of_a_list_goes(tmp_path: Path, text: str, index: int, after: str) -> None:
    assert changed(tmp_path, text, lambda stack: stack.remove(("apps", "wiki", "users", index))) == after


def test_the_only_entry_of_a_list_leaves_an_empty_one(tmp_path: Path) -> None:
    text = BLOCK.replace("      - max\n", "")
    after = changed(tmp_path, text, lambda stack: stack.remove(("apps", "wiki", "users", 0)))
    assert after == "-       users:\n+       users: []\n-       - jane   # she wrote it"


NEW = [{"username": "zoë", "name": "Zoë: the 1st", "email": "zoe@acme.example", "groups": ["staff"]}]
LINE = "- {username: zoë, name: 'Zoë: the 1st', email: zoe@acme.example, groups: [staff]}"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (FLOW, f"+     {LINE}"),
        (BLOCK, f"+   {LINE}"),
        ("config:\n  gatehouse:people: []  # nobody yet\n  gatehouse:apps: {}\n",
         f"-   gatehouse:people: []  # nobody yet\n+   gatehouse:people: # nobody yet\n+     {LINE}"),
        ("config:\n  gatehouse:client: acme\n", f"+   gatehouse:people:\n+     {LINE}"),
        ("config:\n  gatehouse:people:\n  gatehouse:client: acme\n", f"+     {LINE}"),
    ],
)  # fmt: skip
def test_people_come_at_the_end(tmp_path: Path, text: str, after: str) -> None:
    assert changed(tmp_path, text, lambda stack: stack.append("people", NEW)) == after
    assert (
        yaml.safe_load((tmp_path / "Pulumi.acme.yaml").read_text())["config"]["gatehouse:people"][-1]
        == NEW[0]
    )


def test_what_is_shared_by_an_anchor_is_not_touched(tmp_path: Path) -> None:
    """The edit would say more than was asked for: both people have the list."""
    people = "  - {username: jane, groups: &all [staff]}\n  - {username: max, groups: *all}\n"
    text = f"config:\n  gatehouse:people:\n{people}"
    file = tmp_path / "Pulumi.acme.yaml"
    file.write_text(text)
    with pytest.raises(OperatorError, match="cannot be changed here"):
        StackFile(file).set(("people", 0, "groups"), [])
    assert file.read_text() == text


def test_settings_that_would_be_wrong_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.acme.yaml"
    file.write_text(FLOW, encoding="utf-8")
    stack = StackFile(file)
    stack.append("people", [{"username": "a b", "name": "A", "email": "no address"}])
    with pytest.raises(Problems):
        stack.check()


def test_line_ends_and_rights_stay(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.acme.yaml"
    file.write_bytes(FLOW.replace("\n", "\r\n").encode())
    file.chmod(0o600)
    stack = StackFile(file)
    leave(stack)
    stack.save()
    assert file.read_bytes().count(b"\r\n") == FLOW.count("\n")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["Pulumi.acme.yaml"]

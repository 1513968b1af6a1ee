"""People out of spreadsheets, as they are exported and as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from components.secrets import new_root_secret
from components.settings import Settings, parse
from operations import stack
from operations.cli import app
from operations.errors import OperatorError
from operations.people_import import Imported, read_people

GOOGLE = """\
First Name [Required],Last Name [Required],Email Address [Required],Password [Required],Org Unit Path [Required],\
Status [READ ONLY],Last Sign In [READ ONLY],Recovery Email,Department
Jane,Doe,jane@acme.example,****,/Sales,Active,2026/11/01 09:00:00,jd@home.example,Sales
Jürgen,Müller,juergen.mueller@acme.example,****,/,Active,Never logged in,,Engineering
Old,Hand,old@acme.example,****,/,Suspended,2019/01/01 09:00:00,,
"""
ENTRA = """\
version:v1.0
userPrincipalName,displayName,surname,mail,givenName,id,userType,jobTitle,department,accountEnabled,usageLocation
max@acme.example,Max Roe,Roe,max.roe@acme.example,Max,1,Member,,Sales,True,DE
noa@acme.example,Noa,,,Noa,2,Member,,,True,
guest_other.example#EXT#@acme.onmicrosoft.com,Guest,,guest@other.example,,3,Guest,,,True,
gone@acme.example,Gone,,gone@acme.example,,4,Member,,,False,
"""


def settings(*people: dict[str, object]) -> Settings:
    return parse(
        {
            "client": "acme", "domain": "acme.example", "box": "none", "rootSecret": new_root_secret(),
            "groups": ["staff"], "people": list(people),
            "authentik": {"version": "2026.8.3", "url": "https://sso.acme.example", "token": "t" * 40},
        }
    )  # fmt: skip


def imported(tmp_path: Path, data: str | bytes, *known: dict[str, object], **how: object) -> Imported:
    file = tmp_path / "people.csv"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_people(file, settings(*known), **how)  # type: ignore[arg-type]


def test_what_google_workspace_exports(tmp_path: Path) -> None:
    found = imported(tmp_path, GOOGLE, group_column="department")
    assert found.people == [
        {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "groups": ["Sales"]},
        {"username": "juergen.mueller", "name": "Jürgen Müller", "email": "juergen.mueller@acme.example",
         "groups": ["Engineering"]},
    ]  # fmt: skip
    assert found.groups == ["Sales", "Engineering"]
    assert found.left_out == ["line 4: old@acme.example: their account is closed there (Suspended)"]


def test_what_entra_exports(tmp_path: Path) -> None:
    found = imported(tmp_path, ENTRA)
    assert [(each["username"], each["name"], each["email"]) for each in found.people] == [
        ("max.roe", "Max Roe", "max.roe@acme.example"), ("noa", "Noa", "noa@acme.example"),
    ]  # fmt: skip
    assert [line.partition(": ")[2] for line in found.left_out] == [
        "guest@other.example: a guest; --guests takes them too",
        "gone@acme.example: their account is closed there (False)",
    ]
    assert len(imported(tmp_path, ENTRA, guests=True).people) == 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_spreadsheets_write_in_many_ways(tmp_path: Path, encoding: str) -> None:
    text = "Name;E-Mail\nBjörn Größe;bjoern@acme.example\nZoë;ZOE@acme.example\n"
    found = imported(tmp_path, text.encode(encoding))
    assert [each["name"] for each in found.people] == ["Björn Größe", "Zoë"]
    assert [each["username"] for each in found.people] == ["bjoern", "zoe"]


def test_names_that_are_taken_get_a_number(tmp_path: Path) -> None:
    text = "email\njane@a.example\njane@b.example\nJané@c.example\n"
    known = {"username": "jane", "name": "Jane", "email": "jane@acme.example"}
    found = imported(tmp_path, text, known)
    assert [each["username"] for each in found.people] == ["jane2", "jane3"]
    assert len(found.wrong) == 1  # an address with an accent


def test_what_is_wrong_is_said_by_its_line(tmp_path: Path) -> None:
    text = (
        "username,name,email,groups\n"
        "ann,Ann,ann@acme.example,staff;ops\n"
        "ann2,Ann,ANN@acme.example,\n"
        "bob,Bob,no address,\n"
        "ann,Other,other@acme.example,\n"
        "a b,Cee,cee@acme.example,\n"
        ",,,\n"
        'dee,"Doe, Dee","Dee Doe <dee@acme.example>",staff\n'
    )
    found = imported(tmp_path, text)
    assert [each["username"] for each in found.people] == ["ann", "dee"]
    assert found.people[1] == {
        "username": "dee",
        "name": "Doe, Dee",
        "email": "dee@acme.example",
        "groups": ["staff"],
    }
    assert found.groups == ["ops"]
    assert found.left_out == ["line 3: ANN@acme.example is there more than once"]
    assert [line.partition(":")[0] for line in found.wrong] == ["line 4", "line 5", "line 6"]
    assert "somebody else is called ann already" in found.wrong[1]


def test_a_file_without_addresses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no column with addresses"):
        imported(tmp_path, "Vorname;Nachname\nJane;Doe\n")
    with pytest.raises(OperatorError, match="has no column Team") as refused:
        imported(tmp_path, "name,email\n", group_column="Team")
    assert refused.value.remedy == "Its columns: name, email"


FILE = """\
# acme, by hand
config:
  gatehouse:client: acme
  gatehouse:domain: acme.example
  gatehouse:box: none
  gatehouse:rootSecret: {secure: v1:x}
  gatehouse:authentik: {version: 2026.8.3, url: "https://sso.acme.example", token: {secure: v1:x}}
  gatehouse:groups: [staff] # more to come
  gatehouse:people:
    # the boss
    - {username: ada, name: Ada, email: ada@acme.example, groups: [staff]}
  gatehouse:apps: {}
"""


def test_they_are_added_once_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "STACKS", tmp_path)
    file, sheet = tmp_path / "Pulumi.acme.yaml", tmp_path / "people.csv"
    file.write_text(FILE)
    sheet.write_text("name,email,groups\nJane Doe,jane@acme.example,staff;ops\nAda,Ada@acme.example,staff\n")

    def run(*args: str, given: str | None = None) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["people", "import", "acme", str(sheet), *args], input=given)
        return done.exit_code, f"{done.output}{done.exception or ''}"

    code, said = run("--yes")
    assert code
    assert "does not have the groups ops" in said
    code, said = run("--add-groups", given="n\n")
    assert code
    assert "Nothing was written" in said
    assert file.read_text() == FILE
    code, said = run("--add-groups", "--yes")
    assert code == 0, said
    assert "the address up to the @" in said
    now = file.read_text()
    assert [line for line in now.splitlines() if line not in FILE.splitlines()] == [
        "  gatehouse:groups: [staff, ops] # more to come",
        "    - {username: jane, name: Jane Doe, email: jane@acme.example, groups: [staff, ops]}",
    ]
    assert len(yaml.safe_load(now)["config"]["gatehouse:people"]) == 2
    code, said = run("--yes")
    assert code == 0
    assert "Nothing to add" in said
    assert file.read_text() == now
    sheet.write_text("name,email\nX,nowhere\nY,y@acme.example\n")
    code, said = run("--yes")
    assert code
    assert "1 of people.csv's rows cannot be taken" in said
    code, said = run("--yes", "--skip-wrong")
    assert code == 0
    assert "y@acme.example" in file.read_text()

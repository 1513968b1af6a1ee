"""People out of a spreadsheet: a CSV of one's own, or what Google Workspace and Microsoft Entra export.

Google: Admin console, Users, Download users (columns "First Name [Required]", "Email Address [Required]", "Status [READ
ONLY]", …). Entra: admin center, Users, All users, Download users (userPrincipalName, displayName, mail, accountEnabled,
userType, …). Columns are known by their names, in any order; what is in brackets does not count.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.settings import Person, Settings
from operations.errors import OperatorError

COLUMNS = {
    "username": ("username", "user name", "login"),
    "name": ("name", "display name", "displayname", "full name"),
    "first": ("first name", "firstname", "given name", "givenname"),
    "last": ("last name", "lastname", "surname", "family name"),
    "email": ("email", "e-mail", "mail", "email address", "e-mail address", "primary email", "userprincipalname",
              "user principal name"),
    "groups": ("groups", "group"),
    "status": ("status", "accountenabled", "account enabled"),
    "type": ("usertype", "user type"),
}  # fmt: skip
"""What columns are called, in small letters; of several that are there, the first one with a value counts."""
CLOSED = {"suspended", "archived", "false", "disabled", "inactive"}
SPELLED_OUT = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "ł": "l", "đ": "d"}
)
RULE = (
    "User names that the file does not give are the address up to the @, in small letters, umlauts spelled out, "
    "with a number where somebody else has that name."
)


@dataclass
class Imported:
    """What a file comes to."""

    people: list[dict[str, Any]] = field(default_factory=list)
    """Those to be added, as the stack file writes them."""
    groups: list[str] = field(default_factory=list)
    """Groups of theirs that the stack file does not have."""
    known: list[str] = field(default_factory=list)
    """Addresses that the stack file has already."""
    left_out: list[str] = field(default_factory=list)
    """Rows that are nobody to add, with the reason."""
    wrong: list[str] = field(default_factory=list)
    """Rows that cannot be taken, with the reason."""


def read_people(
    file: Path,
    settings: Settings,
    *,
    groups: Sequence[str] = (),
    group_column: str | None = None,
    guests: bool = False,
) -> Imported:
    """What of a file is to be added. `groups`: for everybody; `group_column`: one that names a group each.

    Raises:
        OperatorError: the file cannot be read, or has no column with addresses.
    """
    rows, columns = _rows(file)
    if group_column is not None:
        found = next((name for name in rows.fieldnames or () if _plain(name) == _plain(group_column)), None)
        if found is None:
            raise OperatorError(
                f"{file} has no column {group_column}.", f"Its columns: {', '.join(rows.fieldnames or ())}"
            )
        columns["groups"] = [found]
    imported = Imported()
    addresses = {person.email.lower() for person in settings.people}
    names = {person.username.lower() for person in settings.people}
    declared = {group.name for group in settings.groups}
    for row in rows:
        where = f"line {rows.line_num}"
        values = {what: _first(row, found) for what, found in columns.items()}
        if not any(values.values()):
            continue
        email = _address(values.get("email", ""))
        if reason := _left_out(values, guests=guests):
            imported.left_out.append(f"{where}: {email or values.get('name')}: {reason}")
            continue
        if email.lower() in addresses:
            (imported.known if email.lower() in _of(settings) else imported.left_out).append(
                email if email.lower() in _of(settings) else f"{where}: {email} is there more than once"
            )
            continue
        own = list(dict.fromkeys([*groups, *_groups(values.get("groups", ""))]))
        person: dict[str, Any] = {
            "username": values.get("username") or _user_name(email, names),
            "name": _name(values, email),
            "email": email,
            **({"groups": own} if own else {}),
        }
        if problem := _problem(person, names):
            imported.wrong.append(f"{where}: {email or 'no address'}: {problem}")
            continue
        addresses.add(email.lower())
        names.add(str(person["username"]).lower())
        imported.groups += [group for group in own if group not in declared and group not in imported.groups]
        imported.people.append(person)
    return imported


def _rows(file: Path) -> tuple[csv.DictReader[str], dict[str, list[str]]]:
    try:
        text = _decoded(file.read_bytes())
    except OSError as error:
        raise OperatorError(f"{file} cannot be read ({error.strerror}).", "Give a CSV file.") from None
    lines = text.splitlines(keepends=True)
    # Entra's templates begin with a line "version:v1.0".
    lines = lines[1:] if lines and lines[0].lower().startswith("version:") else lines
    head = lines[0] if lines else ""
    delimiter = max(",;\t", key=head.count)
    rows = csv.DictReader(io.StringIO("".join(lines)), delimiter=delimiter, skipinitialspace=True)
    columns: dict[str, list[str]] = {}
    for what, known in COLUMNS.items():
        plain = {_plain(name): name for name in rows.fieldnames or ()}
        columns[what] = [plain[name] for name in known if name in plain]
    if not columns["email"]:
        raise OperatorError(
            f"{file} has no column with addresses.",
            "Its first line has to name the columns: username, name, email, groups; or take the file as it was "
            "exported by Google Workspace or Entra.",
        )
    return rows, columns


def _decoded(data: bytes) -> str:
    """Excel writes CSV with a mark in front, in UTF-16, or in the Windows code page of Western Europe."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _plain(column: str) -> str:
    """A column's name without what is in brackets, in small letters."""
    return re.sub(r"\s*\[.*?\]\s*", " ", column).strip().lower()


def _first(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    return next((str(row[name]).strip() for name in columns if str(row.get(name) or "").strip()), "")


def _left_out(values: Mapping[str, str], *, guests: bool) -> str:
    if values.get("status", "").lower() in CLOSED:
        return f"their account is closed there ({values['status']})"
    if values.get("type", "").lower() == "guest" and not guests:
        return "a guest; --guests takes them too"
    return ""


def _address(text: str) -> str:
    """An address; of `Jane Doe <jane@…>` what is in the brackets."""
    inside = re.search(r"<([^<>]+)>", text)
    return (inside[1] if inside else text).strip().removeprefix("mailto:")


def _of(settings: Settings) -> set[str]:
    return {person.email.lower() for person in settings.people}


def _groups(text: str) -> Iterator[str]:
    yield from filter(None, (part.strip().strip("/") for part in re.split(r"[;,|]", text)))


def _name(values: Mapping[str, str], email: str) -> str:
    whole = " ".join(filter(None, (values.get("first", ""), values.get("last", ""))))
    return values.get("name") or whole or email.partition("@")[0]


def _user_name(email: str, taken: set[str]) -> str:
    local = unicodedata.normalize("NFC", email.partition("@")[0].lower()).translate(SPELLED_OUT)
    plain = unicodedata.normalize("NFKD", local).encode("ascii", "ignore").decode()
    wanted = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-.") or "person"
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}{number}"
    return name


def _problem(person: Mapping[str, Any], names: set[str]) -> str:
    if str(person["username"]).lower() in names:
        return f"somebody else is called {person['username']} already"
    try:
        Person.model_validate(dict(person))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{place}: {first.get('ctx', {}).get('what') or first['msg']}"
    return ""

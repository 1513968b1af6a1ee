"""`gatehouse offboard`: somebody leaves one client or several, and it is tried whether they still get in anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import yaml

from components.identity.dialect import Authentik
from components.problems import Problems
from components.settings import Settings
from operations import backend
from operations.asking import answered, opened
from operations.errors import OperatorError
from operations.leaver import Leaver, NobodyError, carry_out, leaver
from operations.output import Output
from operations.proof import Tried, still_open, ways
from operations.stack import PROJECT, Stack, clients


@dataclass
class Departure:
    """Somebody who leaves one client: what was found, and how it ended."""

    client: str
    person: Leaver | None = None
    settings: Settings | None = None
    server: Authentik | None = None
    steps: list[str] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    still_open: list[str] = field(default_factory=list)
    error: str = ""
    unknown: NobodyError | None = None
    """Where the client does not know them."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is open any more."""
        return not (self.error or self.still_open or any(each.after for each in self.tried))

    def shown(self) -> dict[str, Any]:
        """As the document has it."""
        about = ("username", "name", "email", "handed", "left_behind")
        person = {name: getattr(self.person, name) for name in about} if self.person else {}
        return {
            "client": self.client, **person, "steps": self.steps, "tried": [asdict(each) for each in self.tried],
            "still_open": self.still_open, "error": self.error or None,
        }  # fmt: skip


def look_up(name: str, who: str, to: str | None = None) -> Departure:
    """What is to be done at one client. With several, one that cannot be asked keeps nobody from the others."""
    departure = Departure(name)
    with _kept(departure):
        stack = Stack(name)
        settings, server = opened(stack)
        with answered(server):
            departure.person = leaver(stack, settings, server, who, to)
        departure.settings, departure.server = settings, server
        departure.steps = list(departure.person.steps())
    return departure


def announce(departure: Departure, out: Output) -> None:
    person = departure.person
    assert person is not None
    out.head(f"{person.called} leaves {departure.client}:")
    for step in departure.steps or ["nothing is left to be done"]:
        out.print(f"  {step}")
    for left in person.left_behind:
        out.print(f"  left behind: {left}", "yellow")


def carry_out_and_try(departure: Departure, out: Output) -> None:
    person, settings, server = departure.person, departure.settings, departure.server
    assert person is not None
    assert settings is not None
    assert server is not None
    with _kept(departure), answered(server):
        for note in backend.clear_leftovers(
            Stack(departure.client)
        ):  # no run is under way that would let them in again
            out.say(note)
        tries = [(way, person.is_active and way.works()) for way in ways(person, settings, server)]
        carry_out(person, server)
        out.head(f"{person.username} at {departure.client}, tried again:")
        for way, before in tries:
            tried = Tried(way.what, before, way.works())
            departure.tried.append(tried)
            verdict = {True: "STILL WORKS", False: "refused", None: "cannot be tried from here"}[tried.after]
            note = ", which did not work before either" if before is tried.after is False else ""
            out.print(f"  {verdict}: {way.what}{note}", "bold red" if tried.after else "")
        departure.still_open = list(still_open(person, server))
        for left in departure.still_open:
            out.print(f"  STILL THERE: {left}", "bold red")
        if not departure.still_open:
            out.print("  none left: sessions, codes, tokens, app passwords, consents, second factors, groups")


@contextmanager
def _kept(departure: Departure) -> Iterator[None]:
    """Keep why one client could not be done, so that the others are."""
    try:
        yield
    except NobodyError as nobody:
        departure.unknown = nobody
    except (OperatorError, Problems) as error:
        departure.error = str(error)


def operated_by(who: str, found: list[Departure]) -> list[str]:
    """The clients of which somebody is an operator too."""
    addresses = {who.lower()} | {each.person.email.lower() for each in found if each.person}

    def is_among(name: str) -> bool:
        config = (yaml.safe_load(Stack(name).file.read_text()) or {}).get("config") or {}
        operators = config.get(f"{PROJECT}:operators") or []
        return any(
            str(each.get("email", "")).lower() in addresses for each in operators if isinstance(each, dict)
        )

    return [name for name in clients() if is_among(name)]

"""`gatehouse recover`: a client whose state is lost is taken in again, from what there is of it outside.

What the stack file wants says what to look for, and by which name. It goes in rounds, since the server's address is
known only once its address is found, and what is on the box only once the server is. What is found is put into the
state as if it had just been made, and a refresh then reads how it really is; what it does not find it drops. Nothing
outside is changed. The operator sees the whole as a table before the new state is kept.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from components.objects.reconcile import UNKNOWN_PK
from components.objects.state import META
from components.settings import Elsewhere, Settings
from components.ssh import ssh_command
from components.ssh_errors import last_line
from operations import backend, copies
from operations.clouds import HETZNER, HETZNER_LISTS, checked
from operations.errors import OperatorError
from operations.guards import RECOVER, refuse
from operations.interrupted_creates import FINDERS, Finder, outputs
from operations.output import Output
from operations.planned_resources import PROVIDER, SIGNATURE, PlannedResource, new_id, plan_resources
from operations.resource_labels import TYPES
from operations.screen import Screen
from operations.stack import Stack, translate_errors, without

OBJECT = "pulumi-python:dynamic/"
"""Objects of authentik's and Nginx Proxy Manager's, which the refresh finds by their names."""
APPLICATION = f"{OBJECT}authentik_core:application"
COMMAND = "command:local:Command"
ON_BOX = {
    "Container": ("container", "{id}"),
    "Network": ("network", "{id}"),
    "RemoteImage": ("image", "{id}{name}"),
}
"""Kinds of Docker's: what `docker … inspect` calls them, and what the plugin makes of their id."""
PLACES = {
    "hcloud:": "Hetzner",
    "cloudflare:": "Cloudflare",
    f"{OBJECT}npm:": "Nginx Proxy Manager",
    OBJECT: "authentik",
    "": "the box",
}

MADE_NEXT = "the next `up` makes it"


class Outcome(StrEnum):
    """What became of one thing that was looked for."""

    FOUND = "found"
    MISSING = "missing"
    TAKEN_OVER_NEXT = "taken over next"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True)
class Row:
    """One thing that was looked for, or that was there beside it."""

    what: str
    where: str
    outcome: Outcome
    id: str = ""
    note: str = ""


Agree = Callable[[list[Row]], bool]


def recover(stack: Stack, out: Output, agree: Agree) -> list[Row]:
    """Make the state of a client from what there is of it; what was looked for. `agree` is asked before it is kept.

    Raises:
        OperatorError: something stands in the way, or the operator does not agree. The state is as it was.
    """
    for note in backend.clear_leftovers(stack.require()):
        out.say(note)
    looked = refuse(stack, RECOVER, out)
    settings, before = looked.settings, looked.deployment
    if before.get("pending_operations"):
        raise OperatorError(
            f"The state of {stack.name} is there, with what a killed run began.",
            f"Nothing has to be recovered: ./gatehouse up {stack.name} settles it.",
        )
    kept = sorted(filter(copies.is_whole, copies.folder(stack).glob("*.json")))
    if kept and not before.get("resources"):
        out.say(
            f"There is a copy of the state: {kept[-1]}. Copied to {copies.state_file(stack)} first, "
            "it brings back what cannot be found as well: what adopted objects held before."
        )
    search = _Search(stack, settings, out)
    try:
        rows = search.run()
        if not any(row.outcome == Outcome.FOUND for row in rows):
            raise OperatorError(
                f"Nothing of {stack.name} was found that its state does not have.",
                f"./gatehouse up {stack.name} makes what is missing.",
            )
        if not agree(rows):
            raise OperatorError("Nothing was kept; the state is as it was.", "")
    except BaseException:
        stack.put(before)
        raise
    search.finish()
    return rows


class _Search:
    """Looks for everything that the program declares and the state does not have."""

    def __init__(self, stack: Stack, settings: Settings, out: Output) -> None:
        self._stack = stack
        self._settings = settings
        self._out = out
        self._rows: dict[str, Row] = {}
        self._wanted: dict[str, PlannedResource] = {}
        self._boxes: dict[str, str] = {}
        """The box's address as Docker's providers have it, by their URN."""

    def run(self) -> list[Row]:
        """All rounds; what came of each thing."""
        while True:
            self._wanted = plan_resources(self._stack, self._out)
            if not self._round():
                break
        for urn, one in self._wanted.items():
            if urn not in self._rows and _is_thing(one):
                self._rows[urn] = self._left_over(one)
        return [*self._rows.values(), *self._strays()]

    def finish(self) -> None:
        """Do once more what is a deed rather than a thing, and give stack and components their outputs."""
        targets = [each["urn"] for each in self._stack.deployment()["resources"] if not each["custom"]]
        targets += [one.urn for one in self._wanted.values() if one.type == COMMAND]
        with translate_errors(), Screen(self._out, silent=True) as screen:
            self._stack.automation.up(target=targets, on_output=screen.read, on_event=screen.listen)

    def _round(self) -> bool:
        """Take in what can be found now; whether there was anything, so that another round may find more."""
        deployment = self._stack.deployment()
        resources = deployment.setdefault("resources", [])
        held = {each["urn"]: str(each.get("id", "")) for each in resources}
        fresh = []
        for urn, one in self._wanted.items():
            id_ = None if urn in self._rows else self._id_of(one, held)
            if id_ is not None:
                held[urn] = id_
                resources.append(one.entry(id_, outputs({"type": one.type, "inputs": one.inputs}), held))
                fresh += [one] if one.custom else []
        if not fresh:
            return False
        self._out.say(f"Looking at {len(fresh)} things that may be there…")
        self._stack.put(deployment)
        with translate_errors(), Screen(self._out, silent=True) as screen:
            self._stack.automation.refresh(on_output=screen.read, on_event=screen.listen)
        self._judge([one for one in fresh if _is_thing(one)])
        return True

    def _id_of(self, one: PlannedResource, held: Mapping[str, str]) -> str | None:
        """The id under which it may be put into the state; None if it is not there, or cannot be looked for yet."""
        if not one.custom:
            return ""
        if one.type == COMMAND or one.adopts or not one.is_known(held):
            return None
        if one.provider and one.provider not in held:
            return None
        if one.type.startswith(PROVIDER):
            if one.type == f"{PROVIDER}docker":
                self._boxes[one.urn] = self._reached(str(one.inputs["host"]))
            return new_id()
        return UNKNOWN_PK if one.type.startswith(OBJECT) else self._found(one)

    def _found(self, one: PlannedResource) -> str | None:
        try:
            found = self._finder(one)(one.inputs, self._settings)
        except OperatorError as error:
            self._note(one, Outcome.DOUBTFUL, note=f"{error.what} {error.remedy}")
            return None
        if found is None:
            self._note(one, Outcome.MISSING, note=MADE_NEXT)
        return found

    def _finder(self, one: PlannedResource) -> Finder:
        """How to look for it. Raises OperatorError for a type that nothing is known of."""
        if one.type in FINDERS:
            return FINDERS[one.type]
        if one.type == "hcloud:index/rdns:Rdns":  # every address has one; the refresh reads which
            return lambda inputs, _: f"p-{int(inputs['primaryIpId'])}-{inputs['ipAddress']}"
        kind = one.type.rpartition(":")[2]
        if kind in ON_BOX and one.provider in self._boxes:
            return lambda inputs, _: self._on_box(self._boxes[one.provider], kind, str(inputs["name"]))
        raise OperatorError(f"It is not known here how a {kind} is found.", "Look for it by hand.")

    def _reached(self, box: str) -> str:
        """The box's address, once it has shown that it has this client's host key and lets its deploy key in."""
        done = self._ssh(box, "docker", "info", "--format", "{{.ID}}")
        if done.returncode:
            raise OperatorError(
                f"The box at {urlsplit(box).hostname} cannot be looked at: {last_line(done.stderr)}.",
                "Its host key and the client's deploy key follow from the root secret: see that this is the client's "
                "box, that it runs, and that this machine may reach it.",
            )
        return box

    def _on_box(self, box: str, kind: str, name: str) -> str | None:
        what, form = ON_BOX[kind]
        done = self._ssh(box, "docker", what, "inspect", "--format", "'{{.Id}}'", name)
        return form.format(id=done.stdout.strip(), name=name) if done.returncode == 0 else None

    def _ssh(self, box: str, *command: str) -> subprocess.CompletedProcess[str]:
        url = urlsplit(box)
        ssh = [*ssh_command(self._settings.client), "-p", str(url.port or 22), str(url.hostname)]
        return subprocess.run([*ssh, *command], capture_output=True, text=True, timeout=120, check=False)

    # What came of it -----------------------------------------------------------------------------------------------

    def _judge(self, fresh: list[PlannedResource]) -> None:
        """Note what the refresh made of what was put into the state, and take out again what is another's."""
        deployment = self._stack.deployment()
        there = {each["urn"]: each for each in deployment["resources"]}
        found = [one for one in fresh if one.urn in there]
        anothers = _reaching({one.urn for one in found if self._is_foreign(one, there[one.urn])}, found)
        # What makes an app and its provider one is of both: another's provider has another's app.
        apps = {urn for one in found if one.urn in anothers for urn in one.needs if f"{APPLICATION}::" in urn}
        anothers = _reaching(anothers | apps, found)
        for one in fresh:
            if one.urn not in there:
                self._note(one, Outcome.MISSING, note=MADE_NEXT)
            elif one.urn in anothers:
                own = self._is_foreign(one, there[one.urn])
                note = f"{'has' if own else 'leads to one with'} another client id than this client's: left alone"
                self._note(one, Outcome.DOUBTFUL, str(there[one.urn]["id"]), note)
            else:
                entry = there[one.urn]
                self._note(one, Outcome.FOUND, str(entry["id"]), "; ".join(self._remarks(one, entry)))
        if anothers:
            deployment["resources"] = [
                without(each, anothers) for each in deployment["resources"] if each["urn"] not in anothers
            ]
            self._stack.put(deployment)

    def _is_foreign(self, one: PlannedResource, entry: Mapping[str, Any]) -> bool:
        """Whether an object of a shared authentik is of somebody else. The one on the client's own box is not."""
        ours = one.inputs.get("client_id")
        return (
            isinstance(self._settings.box, Elsewhere)
            and ours is not None
            and entry["outputs"].get("client_id") != ours
        )

    def _remarks(self, one: PlannedResource, entry: Mapping[str, Any]) -> Iterator[str]:
        if not one.type.startswith(OBJECT):
            return
        if isinstance(self._settings.box, Elsewhere):
            yield "has this client's client id" if "client_id" in one.inputs else "known by its name alone"
        plain = {name: value for name, value in one.inputs.items() if not _is_own(name, value)}
        differing = [name for name, value in plain.items() if not _same(value, entry["outputs"].get(name))]
        if differing:
            yield f"not as the stack file says: {', '.join(sorted(differing))}"

    def _left_over(self, one: PlannedResource) -> Row:
        """What was not looked for, since what it needs is not there."""
        if one.type == COMMAND:
            return self._row(one, Outcome.MISSING, note="is run once more; what is right already stays")
        if one.adopts:
            note = "`adopt` is set: the next `up` takes over what is there"
            return self._row(one, Outcome.TAKEN_OVER_NEXT, note=note)
        if one.provider in self._boxes and (id_ := self._finder(one)(one.inputs, self._settings)):
            note = f"is there, and what it needs is not: after the next `up`, run recover {self._stack.name} again"
            return self._row(one, Outcome.DOUBTFUL, id_, note)
        return self._row(one, Outcome.MISSING, note=f"and so is what it needs; {MADE_NEXT}")

    def _strays(self) -> Iterator[Row]:
        """What bears the client's label at Hetzner beside what the stack file wants."""
        if self._settings.server is None:
            return
        known = {(each["type"], str(each.get("id"))) for each in self._stack.deployment()["resources"]}
        with HETZNER.client(self._settings) as api:
            for type_, kind in HETZNER_LISTS.items():
                answer = api.get(kind, params={"label_selector": f"gatehouse={self._settings.client}"})
                for each in checked(answer)[kind]:
                    if (type_, str(each["id"])) not in known:
                        what = f"{TYPES[type_][1]} {each['name']}"
                        note = "bears the client's label, and the stack file does not want it: left alone"
                        yield Row(what, "Hetzner", Outcome.DOUBTFUL, str(each["id"]), note)

    def _note(self, one: PlannedResource, outcome: Outcome, id_: str = "", note: str = "") -> None:
        self._rows[one.urn] = self._row(one, outcome, id_, note)

    @staticmethod
    def _row(one: PlannedResource, outcome: Outcome, id_: str = "", note: str = "") -> Row:
        place = next(place for prefix, place in PLACES.items() if one.type.startswith(prefix))
        return Row(one.label, place, outcome, id_, note)


def _is_thing(one: PlannedResource) -> bool:
    return one.custom and not one.type.startswith(PROVIDER)


def _reaching(urns: set[str], found: list[PlannedResource]) -> set[str]:
    """These, and whatever leads to one of them; `found` has each after what it leads to."""
    reached = set(urns)
    for one in found:
        if reached & {*one.needs}:
            reached.add(one.urn)
    return reached


def _is_own(name: str, value: Any) -> bool:
    """Whether an input is the engine's or our own, or secret, so that it says nothing about the object."""
    return name == META or name.startswith("__") or (isinstance(value, dict) and SIGNATURE in value)


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, list) and isinstance(found, list):
        return sorted(map(str, wanted)) == sorted(map(str, found))
    return bool(wanted == found)

"""The project's state, its ids and its actions, which take time and do their work on the machines."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from hcloud.helpers.labels import LabelValidator

from bench.clouds.hetzner.errors import ApiError, invalid, missing
from bench.clouds.machines import MachineError, Machines
from bench.clouds.store import Record, Store
from bench.clouds.watch import Faults

log = logging.getLogger(__name__)

# The number from which each kind's ids count: far apart, so that one taken for another is noticed.
FIRST = {
    "ssh_keys": 1001,
    "servers": 2001,
    "firewalls": 3001,
    "volumes": 4001,
    "primary_ips": 5001,
    "actions": 9001,
}
NOUNS = {
    "ssh_keys": "SSH key",
    "servers": "server",
    "firewalls": "firewall",
    "volumes": "volume",
    "primary_ips": "primary ip",
    "actions": "action",
}
Work = tuple[str, list[Any]]
_ACTIONS_KEPT = 500


def now() -> str:
    """The time as the API writes it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


class Project:
    """One Hetzner project. Every method runs on the event loop; only calls to machines leave it."""

    def __init__(self, store: Store, machines: Machines, faults: Faults, seconds: float) -> None:
        self.store, self.machines, self.faults, self.seconds = store, machines, faults, seconds
        self.data = store.data.setdefault("hetzner", {"next": dict(FIRST), "addresses": 0})
        self._queues: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()

    # --- objects

    def all(self, kind: str) -> dict[str, Record]:
        """Every object of a kind, by its id in text form."""
        table: dict[str, Record] = self.data.setdefault(kind, {})
        return table

    def get(self, kind: str, number: object) -> Record:
        """One object, or the API's 404."""
        try:
            return self.all(kind)[str(number)]
        except KeyError:
            raise missing(NOUNS[kind], number) from None

    def add(self, kind: str, record: Record) -> Record:
        """Store a new object under the next id."""
        number = self.data["next"][kind]
        self.data["next"][kind] = number + 1
        record = {"id": number, "created": now(), **record}
        self.all(kind)[str(number)] = record
        return record

    def remove(self, kind: str, number: int) -> None:
        """Forget an object."""
        self.all(kind).pop(str(number), None)

    def unique_name(self, kind: str, name: str, besides: int | None = None) -> None:
        """Refuse a name that another object of the kind has."""
        if any(r["name"] == name and r["id"] != besides for r in self.all(kind).values()):
            fields = {"fields": [{"name": "name", "messages": [f"{NOUNS[kind]} name is already used"]}]}
            raise ApiError("uniqueness_error", f"{NOUNS[kind]} name is already used", fields)

    def rename(self, kind: str, record: Record, body: Record) -> None:
        """What every PUT can change: the name and the labels."""
        if body.get("name") is not None:
            self.unique_name(kind, body["name"], record["id"])
        if body.get("labels") is not None:
            record["labels"] = labels(body)
        if body.get("name") is not None:
            record["name"] = body["name"]

    # --- actions

    def act(
        self,
        command: str,
        *resources: tuple[str, int],
        work: list[Work] | None = None,
        queue: int | None = None,
        exclusive: bool = False,
    ) -> Record:
        """Begin an action: it runs for some time, does `work`, and ends in success or an error.

        `work` is a list of (name of a step, arguments): data, so that it can go on after a restart. Actions
        of one `queue` (a server's or volume's id) come one after another. An `exclusive` one locks its first
        resource meanwhile, as the API does.
        """
        fault = self.faults.take_action(command)
        error = None
        if fault is not None:
            message = fault.message or "the action failed because the bench was asked for it"
            error = {"code": fault.code or "action_failed", "message": message}
        action = self.add(
            "actions",
            {
                "command": command,
                "status": "running",
                "progress": 0,
                "started": now(),
                "finished": None,
                "resources": [{"id": number, "type": kind} for kind, number in resources],
                "error": None,
                "pending": {"work": work or [], "queue": queue, "exclusive": exclusive, "error": error},
            },
        )
        self._forget_old_actions()
        self._start(action)
        return action

    def _forget_old_actions(self) -> None:
        actions = self.all("actions")
        for number in list(actions)[:-_ACTIONS_KEPT]:
            if actions[number]["status"] != "running":
                del actions[number]

    def resume(self) -> None:
        """Go on with what an earlier process left undone."""
        for action in self.all("actions").values():
            if action["status"] == "running":
                self._start(action)

    async def settle(self) -> None:
        """Wait until no action runs."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def locked(self, kind: str, number: int) -> bool:
        """Whether an exclusive action on the object is running."""
        return any(
            a["status"] == "running"
            and a["pending"]["exclusive"]
            and a["resources"][0] == {"id": number, "type": kind}
            for a in self.all("actions").values()
        )

    def _start(self, action: Record) -> None:
        task = asyncio.create_task(self._run(action))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, action: Record) -> None:
        pending = action["pending"]
        queue = pending["queue"]
        async with self._queues[queue] if queue is not None else contextlib.nullcontext():
            error = pending["error"]
            least = asyncio.create_task(asyncio.sleep(self.seconds))
            if error is None:
                try:
                    for name, arguments in pending["work"]:
                        await STEPS[name](self, *arguments)
                except MachineError as trouble:
                    log.error("%s of %s: %s", action["command"], action["resources"], trouble)
                    error = {"code": "action_failed", "message": str(trouble)}
                except Exception:
                    log.exception("%s of %s", action["command"], action["resources"])
                    error = {"code": "action_failed", "message": "unexpected error of the bench, see its log"}
            await least
            finished = {"status": "error" if error else "success", "progress": 100, "finished": now()}
            action.update(finished, error=error)
            action["pending"] = {"work": [], "queue": None, "exclusive": False, "error": None}
            self.store.save()


class _Steps(dict[str, Callable[..., Any]]):
    """The steps that an action's work consists of, by name."""

    def step(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Make a coroutine function `name(project, *arguments)` known."""
        self[function.__name__] = function
        return function


STEPS = _Steps()


@STEPS.step
async def machine(project: Project, call: str, *arguments: Any) -> None:
    """Call a method of the machines, in a thread."""
    await asyncio.to_thread(getattr(project.machines, call), *arguments)


@STEPS.step
async def mark(project: Project, kind: str, number: int, changes: Record) -> None:
    """Change fields of an object, if it still is."""
    record = project.all(kind).get(str(number))
    if record is not None:
        record.update(changes)


def labels(body: Record) -> dict[str, str]:
    """The labels of a request."""
    given: dict[str, str] = body.get("labels") or {}
    ok, message = LabelValidator.validate_verbose(given)
    if not ok:
        raise invalid("labels", message)
    return dict(given)


def text(body: Record, field: str, most: int = 64) -> str:
    """A required text of a request."""
    value = body.get(field)
    if not isinstance(value, str) or not value.strip():
        raise invalid(field, "must not be empty")
    if len(value) > most:
        raise invalid(field, f"must be at most {most} characters long")
    return value

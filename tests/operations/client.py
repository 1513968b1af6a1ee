"""A client without a box on an authentik of its own, and the ways to break a run of its."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from bench.authentik.passwords import matches
from bench.plain import PlainWorld
from bench.project import Project
from components.secrets import Secrets, new_root_secret

PATIENCE = 60.0
MARK = "GATEHOUSE_TEST_RUN"
HELD = 300.0  # seconds that a held request is kept waiting: longer than any test
MANY = 10_000
LISTS = {
    "group": "core/groups",
    "user": "core/users",
    "provider": "providers/oauth2",
    "application": "core/applications",
    "binding": "policies/bindings",
}
BUILT_IN = {"group": {"authentik Admins", "authentik Read-only"}, "user": {"akadmin"}}


class BenchClient:
    """A stack named acme, and the authentik that it is brought up on."""

    def __init__(self, folder: Path, world: PlainWorld, *, root: str | None = None, **settings: Any) -> None:
        """`root`: the root secret, where two clients shall have the same derived ones."""
        self.world = world
        self.root = root or new_root_secret()
        self.secrets = Secrets(self.root)
        self.mark = uuid.uuid4().hex
        self.project = Project(folder, {MARK: self.mark})
        self.settings: dict[str, Any] = {
            "client": "acme", "domain": "acme.example", "box": "none",
            "authentik": {"version": world.version, "url": world.issuer}, **settings,
        }  # fmt: skip
        secret = {"rootSecret": self.root, "authentik.token": world.token}
        self._ciphers: dict[str, str] = {}
        self.project.stack("acme", self.settings, secret)
        self.project.edit("acme", self._sealed(settings))
        self.api = httpx.Client(
            base_url=world.issuer, headers={"Authorization": f"Bearer {world.token}"}, timeout=30
        )

    def edit(self, **settings: Any) -> None:
        """Lay settings over the stack file. Encrypted is what stands there as {seal: text}."""
        self.settings |= settings
        self.project.edit("acme", self._sealed(settings))

    def _sealed(self, value: Any) -> Any:
        if isinstance(value, dict):
            return (
                {"secure": self._cipher(value["seal"])}
                if set(value) == {"seal"}
                else {name: self._sealed(each) for name, each in value.items()}
            )
        return [self._sealed(each) for each in value] if isinstance(value, list) else value

    def _cipher(self, text: str) -> str:
        """What Pulumi makes of a secret of this stack, as it stands in the stack file."""
        if text not in self._ciphers:
            file = self.project.folder / "stacks" / "Pulumi.acme.yaml"
            before = file.read_text()
            self.project.pulumi("config", "set", "--stack", "acme", "--secret", "gatehouse:seal", given=text)
            self._ciphers[text] = yaml.safe_load(file.read_text())["config"]["gatehouse:seal"]["secure"]
            file.write_text(before)
        return self._ciphers[text]

    def up(self, *, check: bool = True, **environment: str) -> str:
        """`gatehouse up`; what it said."""
        return self.project.gatehouse("up", "acme", "--yes", check=check, **environment)

    def pulumi(self, command: str, *args: str, check: bool = True, **environment: str) -> str:
        """One of Pulumi's own commands on the stack, without questions."""
        yes = ["--yes", "--skip-preview"] if command in ("up", "destroy", "refresh") else []
        return self.project.pulumi(command, *yes, "--stack", "acme", *args, check=check, **environment)

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start Pulumi itself, to be killed."""
        return subprocess.Popen(
            ["pulumi", "--non-interactive", *args, "--stack", "acme"], cwd=self.project.folder,
            env=self.project.environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    # What the server holds -----------------------------------------------------------------------------------------

    def list(self, path: str) -> list[dict[str, Any]]:
        """The first hundred objects of a list of the API."""
        params = {"superuser_full_list": "true", "page_size": 100}
        answer = self.api.get(f"/api/v3/{path}/", params=params).raise_for_status()
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind, without those that are there from the start."""
        found = self.list(LISTS[kind])
        if kind == "binding":
            return [each for each in found if each["group"]]  # others are authentik's own flows'
        name = {"user": "username", "application": "slug"}.get(kind, "name")
        return [
            each
            for each in found
            if each[name] not in BUILT_IN.get(kind, set()) and each.get("type") != "internal_service_account"
        ]

    def names(self, kind: str) -> list[str]:
        """Their natural keys, sorted."""
        field = {"user": "username", "application": "slug"}.get(kind, "name")
        return sorted(each[field] for each in self.all(kind))

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """The one object of that name."""
        field = {"user": "username", "application": "slug"}.get(kind, "name")
        (found,) = [each for each in self.all(kind) if each[field] == name]
        return found

    def can_log_in(self, username: str, generation: int = 1) -> bool:
        """Whether the person's derived first password, of this generation, is the one that authentik holds."""
        name = f"person/{username}/password"
        (user,) = [each for each in self.stored_users() if each["username"] == username]
        return matches(Secrets(self.root, {name: generation}).value(name), user["_password"])

    def stored_users(self) -> list[dict[str, Any]]:
        """Users with their hidden fields."""
        return list(self.api.get("/_bench/state").raise_for_status().json()["/core/users/"].values())

    # Faults --------------------------------------------------------------------------------------------------------

    def fault(self, method: str, path: str, **what: Any) -> None:
        """Order a fault; see bench.control.Fault."""
        self.api.post("/_bench/faults", json={"method": method, "path": path, **what}).raise_for_status()

    def hold(self, method: str, path: str, *, carried_out: bool = False) -> None:
        """Keep the next such request waiting for its answer; it is never carried out, unless it is to be."""
        self.fault(method, path, delay=HELD, cut="after" if carried_out else "before")

    def freeze(
        self, method: str, path: str, after: int = 0, held: int = 1, *, carried_out: bool = False
    ) -> None:
        """Let the first `after` such requests through, and keep all others waiting for their answers for ever.

        They are never carried out, unless they are to be. It is frozen once `held` of them wait.
        """
        waiting = {"delay": HELD, "cut": "after" if carried_out else "before"}
        faults: list[dict[str, Any]] = [
            {"method": method, "path": path, "times": after},
            {"method": method, "path": path, "times": held, **waiting},
            {"method": method, "path": path, "times": MANY, **waiting},
        ]
        self.api.post("/_bench/faults", json=faults).raise_for_status()

    def frozen(self) -> bool:
        """Whether as many requests wait as `freeze` was told."""
        return self.faults_left() == 1

    def faults_left(self) -> int:
        """How many of the faults that were ordered are still to come."""
        return len(self.api.get("/_bench/faults").raise_for_status().json())

    def faults_met(self) -> bool:
        """Whether all faults that were ordered have happened, or are happening."""
        return self.faults_left() == 0

    def no_faults(self) -> None:
        """Call off the faults that are still to come."""
        self.api.delete("/_bench/faults")

    def processes(self) -> list[psutil.Process]:
        """Everything alive that a run of this client started."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def kill(self, run: subprocess.Popen[str]) -> None:
        """SIGKILL to everything that this run started, also what has lost its parent meanwhile."""
        kill(run, self.processes())
        wait_for(lambda: not self.processes(), "everything to be dead")

    def kill_engine(self, run: subprocess.Popen[str]) -> None:
        """SIGKILL to the command and the engine alone; what they started has to notice."""
        for process in [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                if process.name() == "pulumi" or process.pid == run.pid:
                    process.send_signal(signal.SIGKILL)
        run.stdout and run.stdout.close()
        run.wait(PATIENCE)
        wait_for(lambda: not self.processes(), "what the engine had started to end by itself")

    def end(self) -> None:
        """End what a failed test left."""
        self.api.close()
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    # The state -----------------------------------------------------------------------------------------------------

    @property
    def stored(self) -> Path:
        """The state's file."""
        return self.project.folder / ".gatehouse/state/.pulumi/stacks/gatehouse/acme.json"

    def locks(self) -> list[Path]:
        """The locks of the backend."""
        return sorted((self.project.folder / ".gatehouse/state/.pulumi/locks").rglob("*.json"))

    def pending(self) -> list[str]:
        """The logical names of the operations that the state says are under way."""
        operations = self.latest().get("pending_operations") or []
        return sorted(each["resource"]["urn"].rpartition("::")[2] for each in operations)

    def latest(self) -> dict[str, Any]:
        """The state as it is on disk, whoever holds its lock."""
        found: dict[str, Any] = json.loads(self.stored.read_text())["checkpoint"]["latest"]
        return found

    def rest(self) -> None:
        """Wait until nobody writes the state."""
        before = None
        while before != (before := self.stored.stat().st_mtime_ns if self.stored.exists() else 0):
            time.sleep(0.3)


def kill(run: subprocess.Popen[str], more: Iterable[psutil.Process] = ()) -> None:
    """SIGKILL to a process and all its descendants at once."""
    with suppress(psutil.NoSuchProcess):
        more = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True), *more]
    for process in more:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    run.communicate(timeout=PATIENCE)


def wait_for(what: Callable[[], bool], words: str, patience: float = PATIENCE) -> None:
    """Wait until it is so. Raises AssertionError when it takes longer than `patience` seconds."""
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, f"waited {patience:.0f} s for {words}"
        time.sleep(0.02)

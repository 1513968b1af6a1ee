"""A client that is changed again and again, by runs that end badly, and what it is to be like afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.identity.holdings import differences, holdings
from tests.operations.client import MANY, PATIENCE, BenchClient, wait_for

ALL = "^/api/v3/|^/-/health"
"""Everything that authentik is asked."""
AWAY = {"method": ".*", "path": ALL, "times": MANY, "status": 502}
MOMENT = 2.0
"""Seconds that a request is kept waiting, so that something else can happen meanwhile."""
IMPATIENT = {"GATEHOUSE_PATIENCE": "3"}
OWN_SECRETS = {"client_id", "client_secret"}
"""What is derived from an app's name, which differs from one change to the next."""
JANE = {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "groups": ["staff"]}


def declared(number: int) -> dict[str, Any]:
    """Settings of which each number makes, changes and deletes objects of all sorts."""
    mark, team = f"w{number:02}", f"team-w{number:02}"
    person = {"username": f"kim-{mark}", "name": "Kim", "email": f"{mark}@acme.example", "groups": [team]}
    return {
        "groups": ["staff", team],
        "people": [{**JANE, "groups": ["staff", team]}, person],
        "apps": {
            "wiki": {
                "preset": "grafana",
                "url": "https://wiki.acme.example",
                "name": mark,
                "groups": ["staff"],
            },
            f"app-{mark}": {"preset": "grafana", "url": f"https://{mark}.acme.example", "groups": [team]},
        },
        "objects": [
            {
                "kind": "authentik_policies_expression.expressionpolicy",
                "name": f"rule-{mark}",
                "fields": {"expression": "return True"},
            }
        ],
    }


def held(client: BenchClient) -> dict[str, list[dict[str, Any]]]:
    """What the client's authentik holds, without what is derived from names."""
    found = holdings(client.api.get("/_bench/state").raise_for_status().json())
    return {
        name: [{field: value for field, value in each.items() if field not in OWN_SECRETS} for each in items]
        for name, items in found.items()
    }


@dataclass
class Healing:
    """One client, and the number of the change that it is at."""

    client: BenchClient
    undisturbed: dict[str, list[dict[str, Any]]]
    """What a client holds whose runs all ended well, after change 1."""
    log: Path
    number: int = 0
    ordered: int = 0
    """How many faults the present run is to meet."""

    def change(self) -> None:
        """Edit the stack file, so that the next run has something of everything to do."""
        self.number += 1
        self.client.edit(**declared(self.number))

    def heals(self) -> str:
        """One `gatehouse up`, after which all is as if nothing had happened; what it said."""
        client, mark = self.client, f"w{self.number:02}"
        client.no_faults()
        said = client.up()
        expected = json.loads(json.dumps(self.undisturbed).replace("w01", mark))
        assert differences(held(client), expected) == []
        assert client.can_log_in(f"kim-{mark}")
        provider = client.one("provider", f"app-{mark}")
        assert provider["client_id"] == client.secrets.value(f"app/app-{mark}/client-id")
        assert client.pending() == []
        assert client.locks() == []
        assert list((client.project.folder / ".gatehouse" / "creating").glob("*")) == []
        wait_for(lambda: not client.processes(), "the run's processes to end")
        client.pulumi("preview", "--refresh", "--expect-no-changes")
        return said

    # Ways to end a run badly ---------------------------------------------------------------------------------------

    def fails(self, *faults: dict[str, Any], then: dict[str, Any] | None = None, **environment: str) -> str:
        """A run that meets these faults and fails; what it said. `then` comes once the first one has been met."""
        run = self.begun(*faults, **environment)
        if then is not None:
            wait_for(self.met, "the first fault")
            self.client.fault(**then)
        run.wait(PATIENCE * 3)
        said = self.log.read_text()
        assert run.returncode == 1, said
        assert "Traceback" not in said
        return said

    def begun(self, *faults: dict[str, Any], **environment: str) -> subprocess.Popen[str]:
        """A run that is under way, and will meet these faults."""
        for fault in faults:
            self.client.fault(**fault)
        self.ordered = len(faults)
        return self.client.project.start("up", "acme", "--yes", log=self.log, **environment)

    def met(self) -> bool:
        """Whether the first fault has been met: its request waits for its delay."""
        return self.client.faults_left() < self.ordered

    def ended(
        self,
        end: Callable[[subprocess.Popen[str]], None],
        method: str,
        path: str,
        *,
        carried_out: bool = False,
    ) -> str:
        """A run that `end` ends while such a request is under way; what it said.

        It is never carried out, unless it is to be: then it is, and not answered.
        """
        self.client.hold(method, path, carried_out=carried_out)
        run = self.client.project.start("up", "acme", "--yes", log=self.log)
        wait_for(lambda: self.client.faults_met() or run.poll() is not None, f"{method} {path}")
        assert run.poll() is None, self.log.read_text()
        self.client.rest()
        end(run)
        run.wait(PATIENCE)
        wait_for(lambda: not self.client.processes(), "everything to have ended")
        self.client.no_faults()
        return self.log.read_text()

    def part(self, *words: str) -> psutil.Process:
        """The process of the run whose command line holds one of these."""
        (found,) = [
            each
            for each in self.client.processes()
            if any(word in part for part in each.cmdline()[:4] for word in words)
        ]
        return found

    def clear(self) -> None:
        """End what is left of a run, so that what comes next is not disturbed by it."""
        for each in self.client.processes():
            with suppress(psutil.NoSuchProcess):
                each.kill()
        self.client.no_faults()


def everything(healing: Healing) -> Callable[[subprocess.Popen[str]], None]:
    """SIGKILL to all, as when the machine goes down."""
    return healing.client.kill


def signalled(*signals: signal.Signals) -> Callable[[subprocess.Popen[str]], None]:
    """Signals to the run's whole group, as a terminal sends them; a second apart."""

    def end(run: subprocess.Popen[str]) -> None:
        for each in signals:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, each)
            time.sleep(1.0)

    return end

"""`make demo`: the main job of gatehouse, from nothing to a login and back to nothing, on the bench.

It runs the operator's own commands against whatever stands in for the outside world (`bench.world`, or
`bench.plain` where no box can be made), and looks at their results from outside: at what the emulators hold.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import yaml

from bench.engine import ensure
from bench.figures import record
from bench.paths import CACHE, ROOT
from components.secrets import Secrets  # the one look into the product: the operator has this token too

CLIENT = "demo"
STATE = CACHE / "bench" / "demo-state"
DOMAIN = "demo.example"
STACK_FILE = ROOT / "stacks" / f"Pulumi.{CLIENT}.yaml"
SAMPLE = Path(__file__).with_name("sample.yaml")
PYTHON = str(ROOT / ".venv" / "bin" / "python")
GATEHOUSE = (PYTHON, "-m", "operations")
PULUMI = ("pulumi", "--non-interactive", "--stack", CLIENT)


class World(Protocol):
    """What the demo needs of a bench."""

    @property
    def figure(self) -> str:
        """What the demo's time is called among the figures."""

    @property
    def title(self) -> str:
        """What stands in for the outside world, in a line."""

    @property
    def new_options(self) -> tuple[str, ...]:
        """Options of `gatehouse new` for a client on this bench."""

    @property
    def issuer(self) -> str:
        """Where authentik answers."""

    @property
    def sealed(self) -> Mapping[str, str]:
        """Secret settings that a client needs on this bench, by their path in the stack file."""

    @property
    def enter(self) -> str:
        """What to type before a command so that it runs where the operator sits; with a space behind it."""

    @property
    def exported(self) -> tuple[str, ...]:
        """Variables of `env` that a command needs beside that."""

    def start(self) -> None:
        """Bring everything up."""

    def stop(self) -> None:
        """Take everything down."""

    def env(self) -> dict[str, str]:
        """The operator's environment."""

    def command(self, argv: list[str]) -> list[str]:
        """What to run so that `argv` runs where the operator sits."""

    def leftovers(self) -> list[str]:
        """What is still there, in any emulator, of what a client is made of."""


class DemoError(Exception):
    """A step of the demo did not do what it should."""


class Demo:
    """One run of the demo on one world."""

    def __init__(self, world: World, state: Path) -> None:
        self.world = world
        self.state = state

    def run(self) -> None:
        """All steps, in the order in which an operator would meet them."""
        with phase("Whose tools run"):
            say("".join(f"  {line}\n" for line in ensure().told(os.environ)).rstrip())
        with phase("The outside world: " + self.world.title):
            self.world.start()
        with phase("A stack file for the client, with a fresh root secret"):
            self.new_client()
        with phase("Is anything missing?"):
            self.gatehouse("doctor", CLIENT)
        with phase("What would be made"):
            self.gatehouse("preview", CLIENT)
        with phase("Bring the client up, from nothing"):
            self.gatehouse("up", CLIENT, "--yes")
        with phase("What the apps' owners have to enter"):
            self.gatehouse("outputs", CLIENT)
        with phase("Log in: a person in the app's group, and one outside"):
            self.gatehouse("login-check", CLIENT)
        with phase("Once more: nothing may change"):
            self.gatehouse("preview", CLIENT, "--expect-no-changes")
            expect(self.gatehouse("up", CLIENT, "--yes"), r"No change\.")
        with phase("An edit of the stack file shows as exactly that edit"):
            self.edit()
        with phase("A change made by hand in authentik is seen, and repaired"):
            self.drift()

    def destroy(self) -> None:
        """Take the client down; nothing may be left."""
        with phase("Take the client down"):
            self.gatehouse("destroy", CLIENT, "--confirm", CLIENT)
            left = self.world.leftovers()
            if left:
                raise DemoError("still there after destroy: " + ", ".join(left))
            say("Nothing is left in any emulator.")

    def new_client(self) -> None:
        """`gatehouse new`, then the groups, people and apps of the sample."""
        STACK_FILE.unlink(missing_ok=True)
        identity = ["--domain", DOMAIN, "--operator", "sam", "--email", "sam@agency.example"]
        self.gatehouse("new", CLIENT, *identity, *self.world.new_options)
        document = yaml.safe_load(STACK_FILE.read_text())
        document["config"] |= yaml.safe_load(SAMPLE.read_text())
        write(document)
        for path, value in self.world.sealed.items():
            self.quiet([*PULUMI, "config", "set", "--secret", "--path", path], given=value)

    def edit(self) -> None:
        """Give an app another launch URL: one update of one object."""
        document = yaml.safe_load(STACK_FILE.read_text())
        document["config"]["gatehouse:apps"]["grafana"]["launchUrl"] = (
            "https://grafana.demo.example/dashboards"
        )
        write(document)
        seen = self.gatehouse("preview", CLIENT)
        expect(seen, r"(?m)^\s*1 to change\s*$")
        self.gatehouse("up", CLIENT, "--yes", "--no-refresh")

    def drift(self) -> None:
        """Change the app's name in authentik by hand."""
        before = self.application()["name"]
        self.application({"name": "changed by hand"})
        seen = self.gatehouse("preview", CLIENT, "--refresh")
        expect(seen, r"changed by hand")
        self.gatehouse("up", CLIENT, "--yes")
        after = self.application()["name"]
        if after != before:
            raise DemoError(f"the application is called {after!r} after the repair, not {before!r}")

    def application(self, change: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The app's application in authentik, after a change by hand if one is given."""
        asked = {
            "issuer": self.world.issuer,
            "slug": "grafana",
            "token": self.admin_token(),
            "change": change,
        }
        answer: dict[str, Any] = json.loads(
            self.quiet([PYTHON, "-m", "bench.demo.by_hand"], given=json.dumps(asked))
        )
        return answer

    def admin_token(self) -> str:
        """The administrator's token: given on this bench, or derived like everything else."""
        if given := self.world.sealed.get("gatehouse:authentik.token"):
            return given
        stored = json.loads(self.quiet([*PULUMI, "config", "--show-secrets", "--json"]))
        return Secrets(stored["gatehouse:rootSecret"]["value"]).value("authentik/bootstrap-token")

    def look_around(self) -> str:
        """How to look around in what is left running."""
        told = json.loads(self.quiet([*GATEHOUSE, "outputs", CLIENT, "--json"]))
        own = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_BACKEND_URL", *self.world.exported)
        lines = [f"export {name}={shlex.quote(self.environment()[name])}" for name in own]
        enter = self.world.enter
        lines += [
            f"{enter}./gatehouse outputs {CLIENT} --show-secrets",
            f"{enter}pulumi stack --stack {CLIENT}",
        ]
        if address := told.get("address"):
            lines += [f"{enter}ssh -F .gatehouse/{CLIENT}/ssh_config {address} docker ps", f"{enter}bash"]
        end = [f"{enter}./gatehouse destroy {CLIENT}", "make clean"]
        return "\n".join(
            ["", f"Left running; authentik answers at {told['adminUrl']}. Look around, from this folder, with:",
             *(f"  {line}" for line in lines), "Take it down with:", *(f"  {line}" for line in end)]
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        """The operator's environment: the world's, with a passphrase and a state of the demo's own."""
        return {
            **self.world.env(),
            "PULUMI_CONFIG_PASSPHRASE": "only for the demo",
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PYTHONPATH": str(ROOT),
        }

    def gatehouse(self, *args: str) -> str:
        """Run one of the operator's commands, its words going to the screen as they come."""
        say(f"$ ./gatehouse {' '.join(args)}")
        process = subprocess.Popen(
            self.world.command([*GATEHOUSE, *args]),
            env=self.environment(), cwd=ROOT, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            say(f"  {line.rstrip()}")
        if process.wait():
            raise DemoError(f"`gatehouse {args[0]}` ended with exit code {process.returncode}")
        return "".join(lines)

    def quiet(self, argv: list[str], given: str | None = None) -> str:
        """What a command prints that the operator need not see."""
        done = subprocess.run(
            self.world.command(argv),
            env=self.environment(), cwd=ROOT, text=True, input=given, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise DemoError(f"`{' '.join(argv[:4])}`: {done.stderr.strip()}")
        return done.stdout


def expect(text: str, pattern: str) -> None:
    """Stop unless the pattern is in the text."""
    if not re.search(pattern, plain(text)):
        raise DemoError(f"{pattern!r} should be in the output above")


def plain(text: str) -> str:
    """Text without the terminal's colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def write(document: Any) -> None:
    """Write the demo's stack file."""
    STACK_FILE.write_text(yaml.safe_dump(document, sort_keys=False, width=120))


def say(text: str) -> None:
    """A line on the screen, at once."""
    print(text, flush=True)


@contextmanager
def phase(title: str) -> Iterator[None]:
    """A phase of the demo: its title before, how long it took after."""
    say(f"\n=== {title}")
    began = time.monotonic()
    yield
    say(f"--- {time.monotonic() - began:.1f} s")


def forget() -> None:
    """Remove what a demo keeps of its client on the operator's side. Raises DemoError where that is somebody else's."""
    if STACK_FILE.exists() and f"gatehouse:domain: {DOMAIN}" not in STACK_FILE.read_text():
        raise DemoError(
            f"{STACK_FILE.relative_to(ROOT)} is not the demo's, whose domain is {DOMAIN}: "
            f"the demo cannot run in a checkout with a client of that name"
        )
    STACK_FILE.unlink(missing_ok=True)
    for folder in (STATE, ROOT / ".gatehouse" / CLIENT):
        shutil.rmtree(folder, ignore_errors=True)


def demo(world: World, *, keep: bool, cold: bool) -> int:
    """Run the demo on a world; the exit code. `cold` says whether the caches were empty when it began."""
    began = time.monotonic()
    run = Demo(world, STATE)
    try:
        forget()  # a demo that was killed, or kept, is not gone on with
    except DemoError as error:
        say(f"\nThe demo failed: {error}")
        return 1
    done = False
    try:
        run.run()
        if keep:
            say(run.look_around())
        else:
            run.destroy()
        done = True
    except DemoError as error:
        say(f"\nThe demo failed: {error}")
        return 1
    finally:
        if not (keep and done):
            world.stop()
            forget()
    seconds = time.monotonic() - began
    say(f"\nThe whole demo took {seconds:.0f} s, with {'empty' if cold else 'warm'} caches.")
    caches, goal = ("cold", 600) if cold else ("warm", 180)
    if not keep:  # then it was not the whole
        record("demo", **{f"{world.figure}_{caches}": (round(seconds, 1), goal)})
    return 0

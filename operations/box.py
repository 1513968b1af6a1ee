"""The box before a run that has to do with it: a server that is gone or off, no way in, containers that are stopped.

The engine would ask a plugin for each thing on it, one after the other, and wait for servers that cannot answer.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx
import tenacity

from components import ssh
from components.containers.networks import LOOPBACK
from components.containers.spec import ContainerSpec, loopback_ports
from components.containers.specs import all_specs
from components.objects.provider import UNREACHABLE
from components.problems import Problem, Problems
from components.settings import Settings
from components.ssh import AccessError
from components.ssh_errors import last_line
from operations import doctor
from operations.clouds import HETZNER, checked
from operations.errors import OperatorError
from operations.interrupted_creates import SERVER
from operations.stack import Stack, without

VOLUME = "hcloud:index/volume:Volume"
CONTAINER = "docker:index/container:Container"
PROVIDER = "pulumi:providers:docker"
ON_SERVER = ("docker:", "command:")
"""Types of what goes with a server."""
ON_VOLUME = ("pulumi-python:dynamic/",)
"""Types of what goes with the volume: objects in the databases on it."""
REACHED = 180.0
"""Seconds that a box may take until it can be reached: one that restarts, or was switched on."""
HEALTHY = 180.0
"""Seconds that a container that was stopped may take until it is healthy."""
Say = Callable[[str], None]


@dataclass
class Box:
    """The box that the state speaks of. What it is like is asked when it is first needed, and once."""

    stack: Stack
    say: Say

    @cached_property
    def deployment(self) -> dict[str, Any]:
        """The state."""
        return self.stack.deployment()

    def _all(self, *types: str) -> Iterator[dict[str, Any]]:
        """What the state has of these types, but for what a run was about to replace."""
        for each in self.deployment.get("resources", []):
            if str(each["type"]).startswith(types) and not (
                each.get("delete") or each.get("pendingReplacement")
            ):
                yield each

    @cached_property
    def settings(self) -> Settings:
        """The client's, decrypted."""
        return self.stack.settings()

    @property
    def expected(self) -> bool:
        """Whether the state has containers on a box, and no run was about to make that anew."""
        servers = [each for each in self.deployment.get("resources", []) if each["type"] == SERVER]
        return any(self._all("docker:")) and (not servers or any(self._all(SERVER)))

    # At Hetzner ----------------------------------------------------------------------------------------------------

    def _at_hetzner(self, type_: str, path: str) -> Mapping[str, Any] | None:
        """What Hetzner says of the one resource of a type; None if it is gone. Empty if the state has none."""
        resource = next(self._all(type_), None)
        if resource is None:
            return {}
        with HETZNER.client(self.settings) as api:
            answer = api.get(f"{path}/{resource['id']}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            seen = doctor.seen_at_hetzner(self.settings, self.deployment.get("resources", []))
            if isinstance(seen, Problem):  # then it is not gone: the token sees another project
                raise Problems([seen], "Nothing was touched:")
            return None
        found: Mapping[str, Any] = checked(answer)[path.removesuffix("s")]
        return found

    @cached_property
    def server(self) -> Mapping[str, Any] | None:
        """What Hetzner says of the server; None if it is gone, empty for a box that is not Hetzner's."""
        return self._at_hetzner(SERVER, "servers")

    @cached_property
    def volume(self) -> Mapping[str, Any] | None:
        """The same of the volume."""
        return self._at_hetzner(VOLUME, "volumes")

    def switch_on(self) -> None:
        """Have Hetzner start a server that is off."""
        assert self.server
        self.say(f"The server {self.server['name']} is off: it is switched on.")
        with HETZNER.client(self.settings) as api:
            checked(api.post(f"servers/{self.server['id']}/actions/poweron"))

    # On the box ----------------------------------------------------------------------------------------------------

    @property
    def _place(self) -> SplitResult:
        return urlsplit(str(next(self._all(PROVIDER))["inputs"]["host"]))

    def run(self, *command: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command on it. Raises an AccessError when there is no way in."""
        settings = self.settings
        ssh.write_files(settings.client, settings.derived())
        place = self._place
        return ssh.run_on_box(settings.client, str(place.hostname), place.port or 22, command, seconds)

    def follow(self, *command: str, heard: Say, given: bytes = b"") -> tuple[int, str]:
        """Run a command on it that takes long, and hand on what it prints; how it ended, and its last words.

        Raises an AccessError when there is no way in.
        """
        return ssh.follow(self.settings.client, self.command(*command), heard, given)

    def command(self, *command: str) -> list[str]:
        """The local command line that runs a command on it."""
        settings = self.settings
        ssh.write_files(settings.client, settings.derived())
        place = self._place
        return ssh.command(settings.client, str(place.hostname), place.port or 22, command)

    def reach(self, seconds: float) -> None:
        """Wait until there is a way in. Raises an AccessError when there is none for so long."""

        def tell(state: tenacity.RetryCallState) -> None:
            if state.attempt_number == 1:
                self.say(f"The box cannot be reached over ssh yet; it is waited for, up to {seconds:.0f} s.")

        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(ssh.UnreachableError),
            stop=tenacity.stop_after_delay(seconds),
            wait=tenacity.wait_fixed(3),
            before_sleep=tell,
            reraise=True,
        )
        again(self.run, "true")

    def stopped_containers(self) -> tuple[list[str], list[str]]:
        """The names of our containers that are there and do not run, and of those that are not there."""
        ours = sorted(str(each["inputs"]["name"]) for each in self._all(CONTAINER))
        done = self.run("docker", "ps", "--all", "--format", "'{{.Names}} {{.State}}'")
        states = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
        if done.returncode:
            raise OperatorError(
                f"Docker on the box does not answer: {last_line(done.stderr)}",
                "See `systemctl status docker` there, then run the same command again.",
            )
        stopped = [name for name in ours if states.get(name, "running") not in ("running", "restarting")]
        return stopped, [name for name in ours if name not in states]

    def start(self, names: list[str]) -> list[str]:
        """Start containers, and wait until they are healthy; those that are not."""
        self.say(f"Stopped on the box, and started again: {', '.join(names)}.")
        known = [spec.hostname for spec in self._specs]  # each after what it needs
        self.run(
            "docker", "start", *sorted(names, key=lambda name: known.index(name) if name in known else -1)
        )
        format_ = "'{{.State.Status}}{{with .State.Health}} {{.Status}}{{end}}'"

        def bad() -> list[str]:
            return [
                name
                for name in names
                if self.run("docker", "inspect", "--format", format_, name).stdout.strip()
                not in ("running", "running healthy")
            ]

        again = tenacity.Retrying(
            retry=tenacity.retry_if_result(bool),
            stop=tenacity.stop_after_delay(HEALTHY),
            wait=tenacity.wait_fixed(2),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
        )
        left: list[str] = again(bad)
        return left

    @cached_property
    def _specs(self) -> list[ContainerSpec]:
        return all_specs(self.settings, self.settings.derived())

    def environment_without(self, names: list[str]) -> dict[str, str]:
        """What the run is told, so that it does not wait for what these containers serve."""
        ends = {
            f"/{LOOPBACK}:{port}"
            for spec in self._specs
            if spec.hostname in names
            for port in loopback_ports(self._specs)[spec.name]
        }
        return {UNREACHABLE: json.dumps(sorted(ends))} if ends else {}

    # The state -----------------------------------------------------------------------------------------------------

    def forget(self, types: tuple[str, ...]) -> None:
        """Take resources of these types out of the state: what they stand for is gone, or goes with what it is on."""
        deployment = self.deployment
        gone = {each["urn"] for each in deployment["resources"] if str(each["type"]).startswith(types)}
        kept = [without(each, gone) for each in deployment["resources"] if each["urn"] not in gone]
        self.stack.put({**deployment, "resources": kept})
        del self.__dict__["deployment"]


def before_preview(stack: Stack, say: Say) -> tuple[bool, dict[str, str]]:
    """Whether the box can be looked at, and what the preview is told. Changes nothing."""
    box = Box(stack, say)
    if not box.expected:
        return True, {}
    unseen = "What is behind it is shown as it was last seen."
    if box.server is None or box.server.get("status") == "off":
        what = "gone" if box.server is None else "off; `up` switches it on"
        say(f"The server at Hetzner is {what}. {unseen}")
        return False, {}
    try:
        stopped, missing = box.stopped_containers()
    except AccessError as error:
        say(f"{error}\n{unseen}")
        return False, {}
    for names, words in ((stopped, "Stopped on the box"), (missing, "Gone from the box")):
        if names:
            say(f"{words}: {', '.join(names)}; `up` brings it back. {unseen}")
    return True, box.environment_without(stopped + missing)


def before_up(stack: Stack, say: Say) -> tuple[bool, dict[str, str]]:
    """Make the box ready for a run; whether it can be looked at, and what the run is told.

    Raises:
        OperatorError: there is no way in, to a box that is there.
    """
    box = Box(stack, say)
    if not box.expected:
        return True, {}
    if box.server is None:
        forget_lost(box)
        return False, {}
    try:
        if box.server.get("status") == "off":
            box.switch_on()
        box.reach(REACHED)
        stopped, missing = box.stopped_containers()
        left = box.start(stopped) if stopped else []
    except ssh.UnreachableError as error:
        raise OperatorError(
            f"Nothing was touched: {error}.",
            f"If the stack file has just been changed to let this machine in: ./gatehouse up {stack.name} --no-refresh",
        ) from None
    except AccessError:  # a server that is still to get its key, which the run sees to, or says what is wrong
        return True, {}
    if left:
        say(f"Started, and not healthy after {HEALTHY:.0f} s: {', '.join(left)}. See: docker logs {left[0]}")
    return True, box.environment_without(left + missing)


def forget_lost(box: Box) -> None:
    """Forget what went with the server, and with the volume."""
    if box.volume is None:
        box.say("Server and volume are gone at Hetzner, and all data with them: the client is made anew.")
        box.forget(ON_SERVER + ON_VOLUME)
    else:
        box.say(
            "The server is gone at Hetzner: it is made anew, with the addresses and the volume that are there. "
            "What is in authentik and Nginx Proxy Manager is looked at in the next run."
        )
        box.forget(ON_SERVER)


def before_destroy(stack: Stack, say: Say) -> dict[str, str]:
    """Make sure that a destroy need not wait for a box that is gone, or cannot be reached; what it is told.

    Raises:
        OperatorError: there is no way in to a box that is not deleted, but has to be cleared.
    """
    box = Box(stack, say)
    if not box.expected:
        return {}
    why = "is gone" if box.server is None else "is off" if box.server.get("status") == "off" else ""
    try:
        if not why:
            stopped, missing = box.stopped_containers()
            return box.environment_without(missing + (box.start(stopped) if stopped else []))
    except AccessError as error:
        if not box.server:
            raise OperatorError(f"Nothing was touched: {error}.", "") from None
        why = f"cannot be reached ({error})"
    say(f"The server {why}: what is on it goes with it and its volume, without being asked.")
    box.forget(ON_SERVER + ON_VOLUME)
    return {}

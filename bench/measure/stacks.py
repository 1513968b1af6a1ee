"""The stacks that are measured: a client of some size, and the naive programs beside it."""

from __future__ import annotations

import compileall
import json
import os
import shutil
from pathlib import Path
from typing import Any

from bench.demo import World
from bench.paths import ROOT
from bench.project import COPIED, Project

STACK = "acme"
DOMAIN = "acme.example"
CHANGED = "app1"
APART = "-naive"
"""What the naive program puts behind names, so that its objects can be there at the same time."""
GROUPS = ("staff", "engineering", "board")


class Client(Project):
    """gatehouse itself, with a client of so many apps in some world of the bench."""

    def __init__(self, folder: Path, world: World, apps: int) -> None:
        super().__init__(folder, world.env(), world.command)
        _prepare(self)
        operator = ("--operator", "sam", "--email", "sam@agency.example")
        self.gatehouse("new", STACK, "--domain", DOMAIN, *operator, *world.new_options)
        for path, value in world.sealed.items():
            self.pulumi("config", "set", "--stack", STACK, "--secret", "--path", path, given=value)
        self.settings = settings(apps)
        self.edit(STACK, self.settings)

    def change(self, number: int) -> None:
        """Give one app another address to start at."""
        self.settings["apps"][CHANGED]["launchUrl"] = launch_url(number)
        self.edit(STACK, self.settings)


class Naive(Project):
    """A naive program of `bench.measure.naive`, in a folder of its own beside the client's.

    It has the client's own Pulumi.yaml and stack file, so URNs and what the engine reads are the same.
    """

    def __init__(self, folder: Path, program: str, like: Client) -> None:
        self.folder, self.through = folder, like.through
        for part in ("stacks", ".gatehouse/state"):
            (folder / part).mkdir(parents=True)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        shutil.copy(like.folder / "Pulumi.yaml", folder)
        shutil.copy(like.folder / "stacks" / f"Pulumi.{STACK}.yaml", folder / "stacks")
        shutil.copy(ROOT / "bench" / "measure" / "naive" / f"{program}.py", folder / "__main__.py")
        self.environment = {
            **like.environment,
            "PULUMI_BACKEND_URL": f"file://{folder}/.gatehouse/state",
            "PYTHONPATH": str(ROOT),
        }
        _prepare(self)
        self.pulumi("stack", "init", STACK)

    def change(self, number: int) -> None:
        """As `Client.change`."""
        path = self.folder / "requests.json"
        document = json.loads(path.read_text())
        [item] = [item for item in document["objects"] if item["body"].get("slug") == f"{CHANGED}{APART}"]
        item["body"]["meta_launch_url"] = launch_url(number)
        path.write_text(json.dumps(document))


def launch_url(number: int) -> str:
    """Where the app that is changed starts, one for each number."""
    return f"https://{CHANGED}.{DOMAIN}/{number}"


def settings(apps: int) -> dict[str, Any]:
    """What a client with so many apps has beside what `gatehouse new` writes: a few groups and people."""
    return {
        "groups": list(GROUPS),
        "people": [_person(name) for name in ("jane", "mallory", "omar", "wei")],
        "protect": False,
        "apps": {f"app{number}": _app(number) for number in range(1, apps + 1)},
    }


def _app(number: int) -> dict[str, Any]:
    url = f"https://app{number}.{DOMAIN}"
    group = [GROUPS[number % len(GROUPS)]]
    if number % 4 == 1:
        return {"preset": "grafana", "url": url, "groups": group}
    if number % 4 == 2:
        return {"preset": "nextcloud", "url": url, "groups": group}
    return {"protocol": "oidc", "url": url, "redirectUris": [f"{url}/callback"], "groups": group}


def _person(name: str) -> dict[str, Any]:
    return {"username": name, "name": name.title(), "email": f"{name}@{DOMAIN}", "groups": ["staff"]}


def _prepare(project: Project) -> None:
    project.environment.pop("PYTHONPROFILEIMPORTTIME", None)
    for name in (*COPIED, "__main__.py"):
        if (project.folder / name).is_dir():
            compileall.compile_dir(project.folder / name, quiet=2)
    os.chmod(project.folder, 0o700)  # noqa: PTH101 - its files hold a throw-away client's secrets

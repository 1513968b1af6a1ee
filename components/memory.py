"""What the state remembers of a client, and what it therefore refuses before anything is touched.

A stack file says what is wanted now. What must not change by an edit of it (the root secret, a retired password, the
name that every app knows, a server with all data on its volume) is compared with what the last run left in the state:
by the program, so that plain `pulumi preview` and `pulumi up` refuse as well, and by gatehouse's own commands first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from components.problems import Problem, Weight, warning
from components.secrets import Secrets
from components.settings import Elsewhere, Settings
from components.settings.base import dotted

CLIENT = "gatehouse:client:Client"
"""The type of the component whose outputs hold the memory."""
OUTPUT = "memory"
"""The name of that output. Frozen, as are the names inside: they lie in states."""
PERSON = "pulumi-python:dynamic/authentik_core:user"
READS = 20
"""How often the state is read: a read fails while the engine writes, since a backend of files writes what it notes
beside each file (`.attrs`) in place, and for a moment that is empty."""
CONFIRM = "GATEHOUSE_CONFIRM"
"""Set to the client's name, it agrees to what is refused until it is confirmed."""
# What gatehouse protects, by type and name in the state: the setting that asks for it, and whether it does.
KEPT: Mapping[tuple[str, str], tuple[str, Callable[[Settings], bool]]] = {
    ("hcloud:index/server:Server", "server"): ("server", lambda settings: settings.server is not None),
    ("hcloud:index/volume:Volume", "data"): ("server", lambda settings: settings.server is not None),
    ("hcloud:index/primaryIp:PrimaryIp", "ipv4"): ("server", lambda settings: settings.server is not None),
    ("hcloud:index/primaryIp:PrimaryIp", "ipv6"): (
        "network.ipv6",
        lambda settings: settings.server is not None and settings.network.ipv6,
    ),
}


@dataclass(frozen=True)
class Memory:
    """What is known of a client from its state; empty for one that was never up."""

    client: str | None = None
    root: str | None = None
    """The fingerprint of the root secret."""
    issuer: str | None = None
    """Where authentik answers, as apps know it."""
    identity: str | None = None
    """Who logs in to Nginx Proxy Manager: set at its first start, whatever the domain has become since."""
    generations: Mapping[str, int] = field(default_factory=dict)
    """Every derived secret that was ever in use: its highest generation."""
    retired: frozenset[str] = frozenset()
    """Those of them whose highest generation is not in use any more."""
    protected: frozenset[tuple[str, str]] = frozenset()
    """What refuses to be destroyed, by type and name."""
    people: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name and e-mail address of everybody who has an account, by what they go by in the state."""

    @classmethod
    def from_resources(cls, resources: Iterable[Mapping[str, Any]]) -> Memory:
        """The memory in the resources of a state: each with `urn`, `type`, `outputs`, and `protect` if it is known.

        A run that came to nothing (a wrong token, a domain with a typo) leaves nothing that binds the next one.
        """
        resources = list(resources)
        if all(each["type"].startswith(("pulumi:", "gatehouse:")) for each in resources):
            return cls()
        known: dict[str, Any] = {}
        before: dict[str, Any] = {}  # what a state from before there was a memory says in other places
        protected, people = set(), {}
        for each in resources:
            outputs, name = each.get("outputs") or {}, str(each["urn"]).rpartition("::")[2]
            if each["type"] == CLIENT:
                known = {**(outputs.get(OUTPUT) or {}), "client": name}
            elif each["type"] == "pulumi:pulumi:Stack" and outputs.get("adminUrl"):
                before["issuer"] = str(outputs["adminUrl"]).removesuffix("/if/admin/")
            elif each["type"] == "pulumi:providers:pulumi-python" and name == "npm":
                before["identity"] = outputs.get("gatehouse:identity")
            elif each["type"] == PERSON:
                people[name] = (str(outputs.get("name")), str(outputs.get("email")))
            if (each["type"], name) in KEPT and (each.get("protect") or outputs.get("deleteProtection")):
                protected.add((each["type"], name))
        known = {**before, **known}
        return cls(
            client=known.get("client"),
            root=known.get("root"),
            issuer=known.get("issuer"),
            identity=known.get("identity"),
            generations={name: int(generation) for name, generation in known.get("generations", {}).items()},
            retired=frozenset(known.get("retired", ())),
            protected=frozenset(protected),
            people=people,
        )

    def for_next_run(self, settings: Settings, secrets: Secrets, identity: str | None) -> dict[str, Any]:
        """What is to be remembered once the client is as these settings say. No secret is in it.

        `identity`: who logs in to Nginx Proxy Manager, where there is one.
        """
        used = secrets.used
        highest = {
            name: max(used.get(name, 0), self.generations.get(name, 0)) for name in {*used, *self.generations}
        }
        here = {f"app/{app.id}" for app in settings.apps} | {
            f"person/{person.id}" for person in settings.people
        }
        gone = {name for name in highest if _owner(name) and _owner(name) not in here}
        replaced = set(settings.overrides) & set(highest)
        return {
            "root": secrets.fingerprint,
            "issuer": settings.issuer_base,
            **({"identity": identity} if identity else {}),
            "generations": dict(sorted(highest.items())),
            "retired": sorted((self.retired | gone | replaced) - set(used)),
        }

    def problems(self, settings: Settings, secrets: Secrets, *, confirmed: bool) -> Iterator[Problem]:
        """What must not be done to this client, and what may not be meant. `secrets` were asked for all that the plan
        needs; `confirmed`: what has to be confirmed was, or will be asked about.
        """
        if self.client not in (None, settings.client):
            yield Problem(
                dotted("client"),
                f"this state is that of client {self.client}, whose server and data bear that name",
                f"Write {self.client} again, also in the stack's and the file's name: a client cannot be renamed. "
                f"./gatehouse new makes a new one",
            )
        if self.root not in (None, secrets.fingerprint):
            yield Problem(
                dotted("rootSecret"),
                f"this is not the root secret that {settings.client} was brought up with: every password, token and "
                f"key would be another one, and the box would not let gatehouse in",
                "Put the former one back, from a copy of the stack file (or its history)",
            )
            return  # what is derived from another secret says nothing
        yield from self._abandoned_resources(settings)
        yield from self._retired_secrets(secrets)
        yield from self._changed_people(settings)
        if self.changes_issuer(settings):
            moved = self.issuer_warning(settings)
            yield replace(moved, weight=Weight.WARNING) if confirmed else moved

    def _abandoned_resources(self, settings: Settings) -> Iterator[Problem]:
        for kind, name in sorted(self.protected):
            setting, wanted = KEPT[kind, name]
            if not wanted(settings):
                what = {"server": "server", "data": "volume with all data"}.get(name, f"{name} address")
                yield Problem(
                    dotted(*setting.split(".")),
                    f"{settings.client} has a protected {what}, which this file does not want any more",
                    f"Put the setting back as it was. With it, ./gatehouse destroy {settings.client} takes the "
                    f"whole client down",
                )

    def _retired_secrets(self, secrets: Secrets) -> Iterator[Problem]:
        used = secrets.used
        for name, highest in self.generations.items():
            generation = used.get(name, secrets.generation(name) if not _owner(name) else None)
            # A client id is no secret: an app that comes back may have its own again.
            least = highest + (name in self.retired and not name.endswith("/client-id"))
            if generation is not None and generation < least:
                yield Problem(
                    dotted("secrets", "generations", name),
                    f"generation {generation} of this secret was in use before and is retired: whoever knew it then "
                    f"would get in with it again",
                    f"Write, below gatehouse:secrets: generations: {{{name}: {least}}}",
                )

    def _changed_people(self, settings: Settings) -> Iterator[Problem]:
        """What an operator may not have meant: a line of the file that is another person's now."""
        for index, person in enumerate(settings.people):
            before = self.people.get(person.id, (person.name, person.email))
            if before[0] != person.name and before[1] != person.email:
                yield warning(
                    dotted("people", index),
                    f"{person.username} was {before[0]} ({before[1]}) and would be {person.name} ({person.email}), "
                    f"with the same account: password, devices and sessions of the former stay",
                    "If this is somebody else, take the former one out first and run `up`, then add the new one",
                )

    def changes_issuer(self, settings: Settings) -> bool:
        """Whether authentik would answer elsewhere than it has."""
        return self.issuer not in (None, settings.issuer_base)

    def issuer_warning(self, settings: Settings) -> Problem:
        """What a changed issuer means."""
        ours = not isinstance(settings.box, Elsewhere)
        names = (
            " All names get new DNS records and certificates (the Cloudflare token has to cover both zones)."
            if ours
            else ""
        )
        return Problem(
            dotted("domain") if ours else dotted("authentik", "url"),
            f"authentik has answered at {self.issuer}, and would answer at {settings.issuer_base}: every issuer "
            f"changes, so that nobody can log in to an app by OpenID Connect before its new issuer is entered there; "
            f"passkeys and sessions of the old address end.{names}",
            f"Write what was there before; or, if all of this is meant: ./gatehouse up {settings.client} --confirm "
            f"{settings.client} (for Pulumi alone: {CONFIRM}={settings.client} in the environment)",
        )


def recall(client: str) -> Memory:
    """The memory of a client of the stack that the engine runs this program for, from its state."""
    import pulumi  # noqa: PLC0415  (the commands read the state without the SDK's runtime)

    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    for read in range(READS):
        try:
            # The engine's own function, which stack references are made of; a stack may ask for itself.
            answer = pulumi.runtime.invoke(
                "pulumi:pulumi:readStackResourceOutputs", {"stackName": stack}
            ).value
            break
        except Exception:
            if read == READS - 1:
                raise
            time.sleep(0.1)
    resources = [{"urn": urn, **each} for urn, each in answer.get("outputs", {}).items()]
    return Memory.from_resources(_resources_of(client, resources))


def _resources_of(client: str, resources: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What a state has of one client, by its bare names; a program may compose several."""
    from components.logical_names import bare_name  # noqa: PLC0415

    clients = {_name(each) for each in resources if each["type"] == CLIENT}
    for each in resources:
        name = bare_name(client, _name(each))
        if each["type"] == CLIENT:
            # Of a client that was renamed, the stack's own has another's name.
            if _name(each) == client or (client not in clients and name is not None):
                yield each
        elif name is not None:
            yield {**each, "urn": each["urn"].removesuffix(_name(each)) + name}


def _name(resource: Mapping[str, Any]) -> str:
    return str(resource["urn"]).rpartition("::")[2]


def is_confirmed(settings: Settings) -> bool:
    """Whether the client's name was given for what has to be confirmed."""
    return os.environ.get(CONFIRM) == settings.client


def _owner(name: str) -> str:
    """Whose secret it is, such as person/jane; empty for those of the box, which last as long as it does."""
    owner, _, _ = name.rpartition("/")
    return owner if "/" in owner else ""

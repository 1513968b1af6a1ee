"""What is looked at before a run touches anything: one row a check, and which commands it goes before.

`gatehouse doctor` shows all of it. What the state remembers is checked by the program too (`components.memory`), so
that plain Pulumi refuses it as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
from pulumi.automation import CommandError

from components import problems
from components.memory import Memory
from components.objects.state import META
from components.plan import ClientPlan, plan
from components.problems import Problem, Problems, Weight
from components.settings import Elsewhere, NewServer, Settings, check_file
from components.settings.base import dotted
from operations import backups, doctor, lockout
from operations.dns import ForeignRecords, find_foreign_records
from operations.errors import OperatorError
from operations.external_authentik import check_external_authentik
from operations.finding import Finding, Right, errors
from operations.interrupted_creates import SERVER
from operations.output import Output
from operations.passphrase import passphrase
from operations.shared_settings import renamed_client, shared_domain, shared_root_secret
from operations.stack import Stack

PREVIEW, LOOKING, UP, DESTROY = "preview", "preview --refresh", "up", "destroy"
LOGIN, DOCTOR, RECOVER = "login-check", "doctor", "recover"


# As Pulumi writes it for `pulumi stack init --secrets-provider`.
_SERVICE = re.compile(rb"^secretsprovider:\s*(?!passphrase|default)\S", re.MULTILINE)


class RunContext:
    """A client before a run. Everything is read when the first check asks for it, and once."""

    def __init__(self, stack: Stack, command: str) -> None:
        self.stack = stack
        self.command = command

    @cached_property
    def written(self) -> Settings:
        """The stack file as it lies there, without a passphrase."""
        return check_file(self.stack.require().file)

    @cached_property
    def settings(self) -> Settings:
        """The same, decrypted."""
        return self.stack.settings()

    @cached_property
    def deployment(self) -> dict[str, Any]:
        """The state."""
        return self.stack.deployment()

    @property
    def resources(self) -> list[dict[str, Any]]:
        """What the state has."""
        found: list[dict[str, Any]] = self.deployment.get("resources") or []
        return found

    @cached_property
    def memory(self) -> Memory:
        """What the state remembers."""
        return Memory.from_resources(self.resources)

    @cached_property
    def foreign(self) -> list[ForeignRecords]:
        """Records in the zone that are in the way."""
        if isinstance(self.written.box, Elsewhere):
            return []
        return list(find_foreign_records(self.settings, self.deployment))

    @property
    def taken_over(self) -> dict[str, str]:
        """Those of them that the run is to take over: see `components.host.dns.adopted`."""
        meant = [each for each in self.foreign if each.leads_here or self.written.dns.adopt]
        return {name: place for each in meant for name, place in (each.adoptable() or {}).items()}

    @cached_property
    def plan(self) -> ClientPlan:
        """What the program is to declare. What has to be confirmed is asked about later, and no reason to refuse."""
        return plan(self.settings, self.settings.derived(), self.memory, confirmed=True)

    def is_there(self, server_type: str) -> bool:
        """Whether the state has a server of this type: it stays, even if Hetzner offers that no more."""
        servers = [each.get("outputs") or {} for each in self.resources if each["type"] == SERVER]
        return any(each.get("serverType") == server_type for each in servers)

    @property
    def adopts_more(self) -> bool:
        """Whether the stack file asks for something to be taken over that the state does not have yet."""
        wanted = {(spec.kind, spec.logical) for spec in self.plan.objects.specs if spec.adopt and spec.origin}
        metas = [each.get("inputs", {}).get(META) or {} for each in self.resources]
        return bool(wanted - {(meta.get("kind"), meta.get("logical")) for meta in metas})


def encryption(before: RunContext) -> Iterator[Finding]:
    """Whether the passphrase is one, where the stack file's secrets are encrypted with one and not by a service."""
    if not _SERVICE.search(before.stack.require().file.read_bytes()):
        yield from passphrase()


def stack_file(before: RunContext) -> Iterator[Finding]:
    """Whether the stack file is valid. A preview leaves it to the program to decrypt one that looks valid."""
    try:
        _ = before.written
    except Problems as error:
        raise Problems(sorted({*error.problems, *_of_secrets(before)})) from None
    if before.command not in (PREVIEW, LOOKING):
        _ = before.settings
    yield Right(f"stacks/{before.stack.file.name}", "valid")


def _of_secrets(before: RunContext) -> list[Problem]:
    """What shows only once the file is decrypted, if it can be."""
    try:
        _ = before.settings
    except Problems as error:
        return error.problems
    except (OperatorError, CommandError):
        pass
    return []


def state_conflicts(before: RunContext) -> Iterator[Finding]:
    """What the state alone says must not be done."""
    for problem in before.memory.problems(before.settings, before.plan.secrets, confirmed=True):
        if problem.refuses and (before.command != LOGIN or problem.where == "gatehouse:rootSecret"):
            yield problem


def plan_problems(before: RunContext) -> Iterator[Finding]:
    """What the program would say, which makes the same plan: of a run that goes on, it says the warnings itself."""
    found = before.plan.problems
    if before.command == DOCTOR or errors(found):
        yield from found


def protocols(before: RunContext) -> Iterator[Finding]:
    """Which protocol a preset has chosen where there are several, and why."""
    for app in before.written.apps:
        if (preset := app.well_known) and app.protocol is None and len(preset.protocols) > 1:
            others = ", ".join(name for name in preset.protocols if name != app.speaks)
            why = preset.protocols[app.speaks].why
            yield Right(dotted("apps", app.key), f"speaks {app.speaks} rather than {others}: {why}")


def accounts(before: RunContext) -> Iterator[Finding]:
    """Whether the clouds take the tokens, and have what is wanted."""
    settings = before.settings
    if isinstance(settings.box, NewServer):
        yield doctor.run_check(doctor.token_at_hetzner, settings)
        yield doctor.run_check(doctor.seen_at_hetzner, settings, before.resources)
        if not before.is_there(settings.server.type if settings.server else ""):
            yield doctor.run_check(doctor.server_type, settings)
    if not isinstance(settings.box, Elsewhere):
        yield (zone := doctor.run_check(doctor.zone, settings))
        if not errors([zone]) and before.command == DOCTOR:
            yield doctor.run_check(doctor.zones_of_token, settings)


def missing_state(before: RunContext) -> Iterator[Finding]:
    """Whether a client without a state has a server all the same."""
    if before.written.server is None or before.resources or before.deployment.get("pending_operations"):
        return
    client, servers = before.written.client, doctor.servers(before.settings)
    if servers:
        yield Problem(
            "state",
            f"there is none of {client} here, and Hetzner has its server {servers[0]}",
            f"If the state was lost: ./gatehouse recover {client}. If the client is another operator's to run, take "
            "their state; if the server is left over, delete it at Hetzner.",
        )


def records(before: RunContext) -> Iterator[Finding]:
    """Whether names that the box is to serve lead elsewhere."""
    for each in before.foreign:
        if not each.adoptable() or not (each.leads_here or before.written.dns.adopt):
            yield each.finding()
        elif before.command == DOCTOR:
            yield Right(
                "DNS", f"{each.host} is taken over by the next `up`, and leads to the box from then on"
            )


def external_authentik(before: RunContext) -> Iterator[Finding]:
    """Whether an authentik that is not ours is what the file says, and lets us in."""
    if isinstance(before.settings.box, Elsewhere):
        yield from check_external_authentik(before.settings, patient=before.command == UP)


def backed_up(before: RunContext) -> Iterator[Finding]:
    """Whether the box has backed itself up lately."""
    yield from backups.findings(before.stack, before.settings, before.resources)


def line(before: RunContext) -> Iterator[Finding]:
    """Whether the line of authentik is one that its database can be brought to."""
    if not isinstance(before.settings.box, Elsewhere):
        yield from doctor.line_in_order(before.settings, before.resources)


def rights(before: RunContext) -> Iterator[Finding]:
    """Whether it would lock somebody out of authentik."""
    specs = () if before.command == DESTROY else before.plan.objects.specs
    yield from lockout.lockout_finding(before.stack, before.settings, before.resources, specs)


@dataclass(frozen=True)
class Guard:
    """One check. `decisive`: where it fails, what comes after it cannot be looked at, or must not be."""

    check: Callable[[RunContext], Iterator[Finding]]
    commands: frozenset[str]
    decisive: bool = False


def _before(*commands: str) -> frozenset[str]:
    return frozenset({*commands, DOCTOR, *([LOOKING] if PREVIEW in commands else [])})


GUARDS = (
    Guard(encryption, frozenset({PREVIEW, LOOKING, UP, DESTROY, LOGIN, RECOVER}), decisive=True),
    Guard(stack_file, _before(PREVIEW, UP, DESTROY, LOGIN, RECOVER), decisive=True),
    Guard(lambda before: shared_domain(before.stack, before.written), _before(PREVIEW, UP)),
    Guard(lambda before: shared_root_secret(before.stack), _before(UP)),
    Guard(lambda before: renamed_client(before.stack, before.settings), _before(UP), decisive=True),
    Guard(state_conflicts, frozenset({DESTROY, LOGIN}), decisive=True),
    Guard(plan_problems, _before(LOOKING, UP, RECOVER), decisive=True),
    Guard(protocols, _before()),
    Guard(line, _before(UP)),
    Guard(accounts, _before(UP, RECOVER), decisive=True),
    Guard(missing_state, _before(PREVIEW, UP), decisive=True),
    Guard(records, _before(PREVIEW, UP)),
    Guard(external_authentik, _before(UP, RECOVER)),
    Guard(rights, _before(LOOKING, UP, DESTROY)),
    Guard(backed_up, _before()),
)


def findings(stack: Stack, command: str) -> Iterator[Finding]:
    """Everything that is found before a command, in the order of the table."""
    return _findings(RunContext(stack, command))


def _findings(before: RunContext) -> Iterator[Finding]:
    for guard in GUARDS:
        if before.command not in guard.commands:
            continue
        found = list(_explained(guard, before))
        yield from found
        if guard.decisive and errors(found):
            return


def _explained(guard: Guard, before: RunContext) -> Iterator[Finding]:
    """The check's findings; what keeps it from looking is one as well."""
    try:
        yield from guard.check(before)
    except Problems as error:
        yield from error.problems
    except OperatorError as error:
        yield Problem(f"stacks/{before.stack.file.name}", error.what, error.remedy)
    except httpx.HTTPError as error:
        what = f"{type(error).__name__} at {error.request.url.host}"
        yield Problem(
            "network", what, "Check that it can be reached from here, then run the same command again."
        )


def refuse(stack: Stack, command: str, out: Output) -> RunContext:
    """Say what is advised against, and stop where something has to be put right first; what was read meanwhile.

    Raises:
        Problems: with everything that was found.
    """
    before = RunContext(stack, command)
    found = list(_findings(before))
    problems.refuse((each for each in found if isinstance(each, Problem)), "Nothing was touched:")
    for each in found:
        if isinstance(each, Problem) and each.weight is Weight.WARNING:
            out.warn(str(each))
    return before

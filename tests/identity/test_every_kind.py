"""Every declarable kind of every line, through its whole life, against an emulator with authentik's own schemas.

Each is created, read back without a difference, changed field by field, changed by hand and repaired, taken back to
the least, deleted, adopted and given back: through a real provider process, gRPC and HTTP. What was sent on the way is
held against the models of authentik's own Python client.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from bench.authentik import writes
from bench.authentik.catalog import LINES, version_of
from bench.authentik.testing import Running, serve
from bench.clients import VERSIONS as CLIENTS
from components.identity.kinds import ReleaseLine
from components.identity.provider import AuthentikProvider
from tests.identity.client_models import verdicts
from tests.identity.conftest import TOKEN
from tests.identity.life import Life
from tests.identity.samples import NEVER_CHANGED, Samples
from tests.identity.traffic import ByHand, Traffic, Write
from tests.objects.plugin import Plugin, plugin
from tools.kinds import READ

pytestmark = pytest.mark.engine

VERSIONS = {line: version_of(line) for line in LINES}
EMPTY_REFERENCE = re.compile(r"\w+_obj: .* not None")
DECLARABLE = {"2025.8": 83, "2025.10": 85, "2025.12": 89, "2026.2": 92, "2026.5": 94, "2026.8": 99}


@dataclass
class Lived:
    """What became of the declarable kinds of a line, and what was written on their way."""

    line: ReleaseLine
    failed: dict[str, str]
    writes: list[Write]


@pytest.fixture(
    scope="module",
    params=[pytest.param(line, marks=[] if line in READ else [pytest.mark.nightly]) for line in VERSIONS],
)
def lived(request: pytest.FixtureRequest) -> Lived:
    """One provider process takes all declarable kinds of a line through their lives, against one server."""
    line = ReleaseLine(request.param)
    failed: dict[str, str] = {}
    with serve(version=VERSIONS[line.line]) as server, pytest.MonkeyPatch.context() as patch:
        licensed(server, patch)
        traffic = Traffic(server)
        hand = ByHand(server, line, traffic)
        with plugin(AuthentikProvider(), config(server, line)) as running:
            samples = Samples(line, lambda label, fields: make(running, label, fields))
            for label in line.declarable():
                try:
                    Life(line, samples, running, traffic, hand, label).run()
                except Exception as error:
                    failed[label] = f"{type(error).__name__}: {str(error)[:700]}"
    return Lived(line, failed, traffic.all)


def test_every_kind_of_the_line(lived: Lived, record_figure: Callable[..., None]) -> None:
    name, declarable = lived.line.line, len(lived.line.declarable())
    passed = declarable - len(lived.failed)
    print(f"authentik {name}: {passed} of {declarable} declarable kinds pass")
    record_figure("kinds", **{f"kinds_{name.replace('.', '_')}": (passed, DECLARABLE[name])})
    if name == "2026.8":
        record_figure("kinds", kinds_2026_8_share=(passed / declarable, 1.0))
    assert not lived.failed, "\n".join(f"{label}: {text}" for label, text in lived.failed.items())
    assert declarable == DECLARABLE[name]


def test_what_is_sent_is_what_authentiks_own_client_would_send(lived: Lived) -> None:
    without_body = ("/apply/",)
    sent = [e for e in lived.writes if e.method != "DELETE" and not e.path.endswith(without_body)]
    version = VERSIONS[lived.line.line]
    found = verdicts(version, [(each.model, each.body) for each in sent])
    wrong = [
        f"{each.method} {each.path} ({each.model or 'no model'}): {verdict}"
        for each, verdict in zip(sent, found, strict=True)
        if verdict != []
    ]
    print(f"authentik-client {version}: {len(sent) - len(wrong)} of {len(sent)} payloads are good")
    assert not wrong, "\n".join(wrong)
    for label in lived.line.declarable():
        path = lived.line.path(label)
        assert {each.method for each in sent if each.path.startswith(path)} == {"POST", "PATCH"}, label


def test_what_is_answered_is_what_authentiks_own_client_reads(lived: Lived) -> None:
    """Of the emulator, that is. The object of an empty reference is null, although the schema does not say so."""
    answered = [each for each in lived.writes if each.status < 300 and each.answer is not None]
    version = VERSIONS[lived.line.line]
    found = verdicts(version, [(each.answer_model, each.answer) for each in answered])
    wrong = {
        f"{each.answer_model or each.path}: {fault}"
        for each, verdict in zip(answered, found, strict=True)
        for fault in (["there is no such model"] if verdict is None else verdict)
        if not EMPTY_REFERENCE.fullmatch(fault)
    }
    assert not wrong, "\n".join(sorted(wrong))
    assert len(answered) > 10 * len(lived.line.declarable())


@pytest.mark.parametrize("version", CLIENTS)
def test_the_client_finds_what_is_wrong(version: str) -> None:
    good: dict[str, Any] = {"target": "00000000-0000-4000-8000-000000000001", "order": 0}
    binding = [good, {"order": 0}, good | {"order": "0"}, good | {"colour": "red"}, good | {"target": "x"}]
    found = verdicts(version, [*(("PolicyBindingRequest", each) for each in binding), ("NoSuchModel", good)])
    assert found[0] == []
    for field, verdict in zip(("target", "order", "colour", "target"), found[1:5], strict=True):
        assert verdict is not None
        assert [each.partition(":")[0] for each in verdict] == [field]
    assert found[5] is None


def test_every_field_is_changed_or_has_a_reason_not_to_be() -> None:
    same = set()
    for line in map(ReleaseLine, VERSIONS):
        samples = Samples(line, lambda label, fields: None)
        for label in line.declarable():
            one, other = (samples.fields(label, variant) for variant in (0, 1))
            same |= {f"{label}.{name}" for name in line.fields(label) if one.get(name) == other.get(name)}
    assert same == {*NEVER_CHANGED}


def test_a_binding_turns_from_one_to_another() -> None:
    """A group, then a policy, then a user: what was named before is cleared, which sending the new one does not do."""
    line = ReleaseLine("2026.8")
    label = "authentik_policies.policybinding"
    bound = {"target": "authentik_flows.flow:default-source-enrollment", "order": 7}
    bound["gatehouse"] = {"kind": label, "logical": "binding"}
    subjects = {"group": "authentik Admins", "policy": "default-oobe-password-usable", "user": "akadmin"}
    with serve(version=VERSIONS["2026.8"]) as server:
        hand = ByHand(server, line, Traffic(server))
        with plugin(AuthentikProvider(), config(server, line)) as run:
            id_, outs = run.create(run.check({**bound, "group": subjects["group"]}))
            for name in ("policy", "user", "group"):
                wanted = run.check({**bound, name: subjects[name]}, outs)
                assert run.diff(id_, outs, wanted) == (True, [])
                outs = run.update(id_, outs, wanted)
                assert outs == wanted
                [item] = [each for each in hand.list_objects(line.kind(label)) if each["pk"] == id_]
                assert [each for each in subjects if item[each] is not None] == [name]


def test_there_is_a_client_for_every_server() -> None:
    assert tuple(VERSIONS.values()) == CLIENTS


def test_a_later_run_knows_nothing_of_an_earlier_one() -> None:
    """Or it would prove nothing that the lives above are led by one process."""
    line = ReleaseLine("2026.8")
    label = "authentik_core.group"
    with serve(version=VERSIONS["2026.8"]) as server:
        hand = ByHand(server, line, Traffic(server))
        with plugin(AuthentikProvider(), config(server, line)) as run:
            props = run.check({"name": "staff", "gatehouse": {"kind": label, "logical": "staff"}})
            id_, outs = run.create(props)
            hand.request("DELETE", f"{line.path(label)}{id_}/")
            assert run.read(id_, outs)[0] == id_
            assert run.later().read(id_, outs)[0] == ""


def test_without_a_licence_enterprise_kinds_say_so() -> None:
    line = ReleaseLine("2026.8")
    label = "authentik_stages_mtls.mutualtlsstage"
    assert line.needs_enterprise(label)
    with (
        serve(version=VERSIONS["2026.8"]) as server,
        plugin(AuthentikProvider(), config(server, line)) as running,
    ):
        samples = Samples(line, lambda label, fields: make(running, label, fields))
        with pytest.raises(grpc.RpcError, match="need an enterprise licence"):
            make(running, label, samples.fields(label, 0))


def config(server: Running, line: ReleaseLine) -> dict[str, str]:
    """The explicit provider resource's values."""
    return {"address": server.url, "token": TOKEN, "bootstrap": server.token, "line": line.line}


def licensed(server: Running, patch: pytest.MonkeyPatch) -> None:
    """As if there were a licence; without one, see above."""
    for kind in server.server.api.line.kinds.values():
        patch.delitem(kind.facts, "enterprise", raising=False)
    patch.setattr(writes, "enterprise_field", lambda request, rule: False)


def make(running: Plugin, label: str, fields: dict[str, Any]) -> None:
    """What a sample refers to."""
    run = running.later()
    run.create(run.check({**fields, "gatehouse": {"kind": label, "logical": "target"}}))

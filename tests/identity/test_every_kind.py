"""Every declarable kind of every line, through its whole life, against an emulator with authentik's own schemas.

Each is created, read back without a difference, changed field by field, changed by hand and repaired, taken back to
the least, deleted, adopted and given back: through a real provider process, gRPC and HTTP.
"""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from bench.authentik import writes
from bench.authentik.testing import Running, serve
from bench.figures import record
from components.identity.kinds import Line
from components.identity.provider import AuthentikProvider
from tests.identity.conftest import TOKEN
from tests.identity.life import Life
from tests.identity.samples import Samples
from tests.identity.traffic import ByHand, Traffic
from tests.objects.plugin import Plugin, plugin

pytestmark = pytest.mark.engine

VERSIONS = {"2025.8": "2025.8.6", "2026.2": "2026.2.2", "2026.8": "2026.8.3"}
DECLARABLE = {"2025.8": 83, "2026.2": 92, "2026.8": 99}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_of_the_line(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(version)
    failed: dict[str, str] = {}
    with serve(version=VERSIONS[version]) as server:
        licensed(server, monkeypatch)
        traffic = Traffic(server)
        hand = ByHand(server, line, traffic)
        config = {"address": server.url, "token": TOKEN, "bootstrap": server.token, "line": version}
        with plugin(AuthentikProvider(), config) as running:
            samples = Samples(line, lambda label, fields: make(running, label, fields))
            for label in line.declarable():
                try:
                    Life(line, samples, running, traffic, hand, label).run()
                except Exception as error:
                    failed[label] = f"{type(error).__name__}: {str(error)[:700]}"
    passed = len(line.declarable()) - len(failed)
    print(f"authentik {version}: {passed} of {len(line.declarable())} declarable kinds pass")
    record("kinds", **{f"kinds_{version.replace('.', '_')}": (passed, DECLARABLE[version])})
    if version == "2026.8":
        record("kinds", kinds_2026_8_share=(passed / len(line.declarable()), 1.0))
    assert not failed, "\n".join(f"{label}: {text}" for label, text in failed.items())
    assert len(line.declarable()) == DECLARABLE[version]


def licensed(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were a licence; without one, see below."""
    for kind in server.server.api.line.kinds.values():
        monkeypatch.delitem(kind.facts, "enterprise", raising=False)
    monkeypatch.setattr(writes, "enterprise_field", lambda request, rule: False)


def make(running: Plugin, label: str, fields: dict[str, Any]) -> None:
    """What a sample refers to."""
    run = running.later()
    run.create(run.check({**fields, "gatehouse": {"kind": label, "logical": "target"}}))


def test_without_a_licence_enterprise_kinds_say_so() -> None:
    line = Line("2026.8")
    label = "authentik_stages_mtls.mutualtlsstage"
    assert line.enterprise(label)
    with serve(version=VERSIONS["2026.8"]) as server:
        config = {"address": server.url, "token": TOKEN, "bootstrap": server.token, "line": "2026.8"}
        with plugin(AuthentikProvider(), config) as running:
            samples = Samples(line, lambda label, fields: make(running, label, fields))
            with pytest.raises(grpc.RpcError, match="need an enterprise licence"):
                make(running, label, samples.fields(label, 0))

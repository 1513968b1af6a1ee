"""Every declarable kind of every line, through its whole life, against an emulator with authentik's own schemas.

Each is created, read back without a difference, changed in every field, changed by hand and repaired, taken back to
the least, deleted, adopted and given back.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from bench.authentik.testing import Running, serve
from bench.figures import record
from components.identity.dialect import Authentik
from components.identity.kinds import Line
from components.objects.dialect import Config, Dialect, Kind
from components.objects.http import Refused
from components.objects.provider import ObjectProvider
from components.objects.reconcile import Declared, Reconciler
from tests.identity.samples import Samples
from tests.objects.plugin import wire

VERSIONS = {"2025.8": "2025.8.6", "2026.2": "2026.2.2", "2026.8": "2026.8.3"}
DECLARABLE = {"2025.8": 83, "2026.2": 92, "2026.8": 99}


class Life:
    """One kind's way through everything that can happen to an object."""

    def __init__(self, line: Line, samples: Samples, dialect: Recorded, label: str) -> None:
        self.dialect = dialect
        self.kind = line.kind(label)
        self.label = label
        self.samples = samples
        self.line = line

    def provider(self) -> Provider:
        """A provider of a process of its own: it knows of nothing but what is on the server."""
        provider = Provider()
        provider.use(self.dialect)
        return provider

    def run(self) -> None:
        first, second = (
            self.props(self.samples.fields(self.label, variant, "subject-")) for variant in (0, 1)
        )
        provider = self.provider()
        inputs = wire(provider.check({}, wire(first)).inputs)
        made = provider.create(inputs)
        outs = wire(made.outs)
        assert outs == inputs
        self.unchanged(made.id, outs, inputs)
        self.each_field(made.id, outs, inputs, second)

        inputs = wire(provider.check(inputs, wire(second)).inputs)
        outs = wire(self.provider().update(made.id, outs, inputs).outs)
        assert outs == inputs
        self.unchanged(made.id, outs, inputs)
        self.drift(made.id, outs, inputs)

        key = {name for part in self.kind.key for name in part.split("|")}
        least = self.samples.fields(self.label, 1, "subject-", least=True)
        fields = {
            name: value
            for name, value in second.items()
            if name in least or name in key or name == "gatehouse"
        }
        inputs = wire(provider.check(inputs, wire(fields)).inputs)
        outs = wire(self.provider().update(made.id, outs, inputs).outs)
        self.unchanged(made.id, outs, inputs)
        self.provider().delete(made.id, outs)
        assert self.provider().read(made.id, outs).id is None

        self.adopted(
            wire(provider.check({}, wire(first)).inputs), wire(provider.check({}, wire(second)).inputs)
        )

    def props(self, fields: dict[str, Any], **meta: Any) -> dict[str, Any]:
        return {**fields, "gatehouse": {"kind": self.label, "logical": "subject", **meta}}

    def unchanged(self, id_: str, outs: dict[str, Any], inputs: dict[str, Any]) -> None:
        """Read by another process: no difference, and an update writes nothing."""
        provider = self.provider()
        read = provider.read(id_, outs)
        assert wire(read.outs) == outs
        assert wire(read.inputs) == inputs
        assert provider.diff(id_, wire(read.outs), inputs).changes is False
        self.dialect.writes.clear()
        provider.update(id_, outs, inputs)
        assert self.dialect.writes == []

    def each_field(
        self, id_: str, outs: dict[str, Any], inputs: dict[str, Any], other: dict[str, Any]
    ) -> None:
        """A change of any single field is seen at preview."""
        provider = self.provider()
        for name, value in inputs.items():
            if name != "gatehouse" and value != wire(other).get(name):
                edited = wire(provider.check(inputs, {**inputs, name: wire(other)[name]}).inputs)
                assert provider.diff(id_, outs, edited).changes is True, name

    def drift(self, id_: str, outs: dict[str, Any], inputs: dict[str, Any]) -> None:
        """A field changed by hand shows as itself and is repaired."""
        hidden = self.kind.secret | self.kind.write_only | set(self.kind.key) | set(self.kind.setters)
        facts = self.line.fields(self.label)
        texts = [
            name
            for name, value in inputs.items()
            if name not in hidden
            and isinstance(value, bool | str)
            and "enum" not in facts.get(name, {"enum": 1})
        ]
        plain = [name for name in texts if name not in self.kind.references and name not in self.kind.repeat]
        flags = [
            name for name in plain if isinstance(inputs[name], bool) and name not in {"check_ip", "default"}
        ]
        name = next(
            iter([*flags, *(each for each in plain if each in {"description", "title", "label"})]), None
        )
        if name is None:
            return
        item = self.find(id_)
        value = not inputs[name] if isinstance(inputs[name], bool) else "by hand"
        least = self.samples.fields(self.label, 1, least=True)
        repeated = {each: item[each] for each in (*self.kind.repeat, *least) if each in item}
        self.dialect.request(
            "PATCH", f"{self.kind.path}{item[self.kind.url]}/", body={**repeated, name: value}
        )
        provider = self.provider()
        read = wire(provider.read(id_, outs).outs)
        assert {each for each in outs if read.get(each) != outs[each]} == {name}
        assert provider.diff(id_, read, inputs).changes
        provider.update(id_, read, inputs)
        assert self.find(id_)[name] == inputs[name]

    def find(self, id_: str | None) -> dict[str, Any]:
        """The object as it is on the server."""
        [item] = [item for item in self.dialect.listed(self.kind) if str(item[self.kind.pk]) == id_]
        return dict(item)

    def adopted(self, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
        """An object that somebody made by hand: refused, then adopted, then given back as it was."""
        id_ = self.provider().create(theirs).id
        twin = {**theirs, "gatehouse": {"kind": self.label, "logical": "twin"}}
        with pytest.raises(Exception, match="there already"):
            self.provider().create(twin)
        before = self.find(id_)
        secret = self.kind.secret | self.kind.write_only | set(self.kind.setters)
        names = {name for part in self.kind.key for name in part.split("|")}
        wanted = {name: value for name, value in ours.items() if name not in secret} | {
            name: theirs[name] for name in names if name in theirs
        }
        wanted["gatehouse"] = {"kind": self.label, "logical": "twin", "adopt": True}
        again = self.provider()
        made = again.create(wire(again.check({}, wanted).inputs))
        assert made.id == id_
        outs = wire(made.outs)
        assert again.delete(id_, theirs) is None  # the old logical name's turn, in the same process
        assert self.find(id_)
        assert self.provider().diff(id_, wire(self.provider().read(id_, outs).outs), wanted).changes is False
        self.provider().delete(id_, outs)
        after = self.find(id_)
        changing = {"last_updated", "date_joined", "password_change_date", "expires"}
        assert {name for name in before if before[name] != after[name]} <= changing
        self.provider().delete(id_, theirs)


class Recorded(Authentik):
    """An authentik in this very process (no HTTP between: there are thousands of calls), whose writes are listed."""

    def __init__(self, server: Running, line: str) -> None:
        super().__init__(server.url, server.token, None, Line(line))
        self.writes: list[tuple[str, str]] = []
        self._api = server.server.api
        self._headers = {"authorization": f"Bearer {server.token}", "content-type": "application/json"}

    def request(self, method: str, path: str, *, params: Any = None, body: object = None) -> Any:
        if method != "GET":
            self.writes.append((method, path))
        data = b"" if body is None else json.dumps(body).encode()
        answer = self._api.handle(
            method, path, urlencode(params or {}), self._headers, data, "http://localhost"
        )
        payload = json.loads(answer.payload() or b"null")
        if answer.status >= 400:
            raise Refused(answer.status, payload)
        return payload


class Provider(ObjectProvider):
    """A provider without a process."""

    def use(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._reconciler = Reconciler(dialect)

    def dialect(self, config: Config) -> Dialect:
        return self._dialect


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_of_the_line(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(version)
    failed: dict[str, str] = {}
    with serve(version=VERSIONS[version]) as server:
        for kind in server.server.api.line.kinds.values():
            monkeypatch.delitem(
                kind.facts, "enterprise", raising=False
            )  # as if there were a licence; without one, see below
        dialect = Recorded(server, version)
        samples = Samples(line, lambda label, fields: make(dialect, line.kind(label), fields))
        for label in line.declarable():
            try:
                Life(line, samples, dialect, label).run()
            except Exception as error:
                failed[label] = f"{type(error).__name__}: {str(error)[:700]}"
    passed = len(line.declarable()) - len(failed)
    print(f"authentik {version}: {passed} of {len(line.declarable())} declarable kinds pass")
    record("kinds", **{f"kinds_{version.replace('.', '_')}": (passed, DECLARABLE[version])})
    assert not failed, "\n".join(f"{label}: {text}" for label, text in failed.items())
    assert len(line.declarable()) == DECLARABLE[version]


def make(dialect: Authentik, kind: Kind, fields: dict[str, Any]) -> None:
    """What a sample refers to."""
    Reconciler(dialect).create(Declared(kind.name, "target", fields))


def test_without_a_licence_enterprise_kinds_say_so() -> None:
    line = Line("2026.8")
    with serve(version=VERSIONS["2026.8"]) as server:
        dialect = Authentik(server.url, server.token, None, Line("2026.8"))
        samples = Samples(line, lambda label, fields: make(dialect, line.kind(label), fields))
        label = "authentik_stages_mtls.mutualtlsstage"
        assert line.enterprise(label)
        with pytest.raises(Exception, match="need an enterprise licence"):
            Reconciler(dialect).create(Declared(label, "x", samples.fields(label, 0)))

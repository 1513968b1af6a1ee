"""What every stand-in for an official Pulumi plugin shares: the engine's provider protocol, as plain JSON.

How to write one:

    class Thing(Resource):
        def check(self, call): return dict(call.news)      # the inputs; raise CheckFailed for what is wrong
        def diff(self, call): return Diff(...)             # call.olds (outputs), call.old_inputs, call.news
        def create(self, call): return "id", {...}         # call.preview: no id, and UNKNOWN values
        def read(self, call): return Found(call.id, outputs, inputs)   # or None: it is gone
        def update(self, call): return {...}               # all outputs; call.preview as in create
        def delete(self, call): ...

    class Things(Provider):                                # in bench/plugins/things.py; started by
        name, version = "things", "1.0.0"                  # `python -m bench.plugins things ADDRESS`
        resources = {"things:index/thing:Thing": Thing}    # a Resource finds its Provider in self.provider
        functions = {"things:index/getThing:getThing": get_thing}   # (provider, arguments, preview) -> result
        def configure(self, config): self.client = ...     # plain values; raise Failed
    PROVIDER = Things                                      # how the launcher finds it

Values are JSON (`values.py`): unknowns are the string UNKNOWN, whole numbers are ints, and secrets arrive
wrapped only where `configured` says acceptSecrets. Calls run in threads, so blocking clients are fine. A
failure is `Failed(text)`; with `id` and `properties` the object exists all the same and the engine keeps it.
`Provider.call(method, request)` answers one call in the form in which calls of the official plugins are
recorded, so that tests can replay those.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from bench.plugins.schema import schema
from bench.plugins.values import Values, plain

MODULE = "(.*)(?:/[^/]*)"  # in hcloud:index/server:Server, the module is what comes before the slash


class Failed(Exception):  # noqa: N818 - reads as what happened
    """A call failed. With `id`, the object exists all the same and `properties` are what is known of it."""

    def __init__(
        self,
        message: str,
        *,
        id: str = "",
        properties: Values | None = None,
        reasons: Sequence[str] = (),
        code: str = "UNKNOWN",
    ) -> None:
        super().__init__(message)
        self.message, self.id, self.properties, self.code = message, id, properties or {}, code
        self.reasons = list(reasons) or [message]


class CheckFailed(Exception):  # noqa: N818 - as above
    """Inputs that cannot be right: (property or "", reason) pairs, and the inputs as they were read."""

    def __init__(self, *failures: tuple[str, str], inputs: Values | None = None) -> None:
        super().__init__("; ".join(reason for _, reason in failures))
        self.failures, self.inputs = failures, inputs


@dataclass(frozen=True)
class Call:
    """One call of the engine for one resource; what a call doesn't carry is empty."""

    urn: str
    id: str
    olds: Values
    news: Values  # Check, Diff, Update: the new inputs; Create: the inputs
    old_inputs: Values  # Diff, Update, Delete; Read: the inputs
    ignore: Sequence[str]
    preview: bool
    timeout: float  # seconds; 0: the resource's own
    autonaming: Values

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass
class Diff:
    """What changes. `detailed` maps a property path to ADD, DELETE, UPDATE, or these with _REPLACE."""

    diffs: list[str] = field(default_factory=list)
    replaces: list[str] = field(default_factory=list)
    stables: list[str] = field(default_factory=list)
    detailed: dict[str, str] | None = None
    delete_before_replace: bool = False

    def reply(self) -> Values:
        reply: Values = {"changes": "DIFF_SOME" if self.diffs else "DIFF_NONE"}
        reply |= {key: value for key in ("diffs", "replaces", "stables") if (value := getattr(self, key))}
        if self.delete_before_replace:
            reply["deleteBeforeReplace"] = True
        if self.detailed is not None:
            reply["hasDetailedDiff"] = True
            if self.detailed:
                reply["detailedDiff"] = {path: {"kind": kind} for path, kind in self.detailed.items()}
        return reply


@dataclass(frozen=True)
class Found:
    """What Read found."""

    id: str
    properties: Values
    inputs: Values


class Resource:
    """One type of resource; one instance a provider."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider

    def check(self, call: Call) -> Values:
        return dict(call.news)

    def diff(self, call: Call) -> Diff:
        raise NotImplementedError

    def create(self, call: Call) -> tuple[str, Values]:
        raise NotImplementedError

    def read(self, call: Call) -> Found | None:
        raise NotImplementedError

    def update(self, call: Call) -> Values:
        raise NotImplementedError

    def delete(self, call: Call) -> None:
        raise NotImplementedError


class Provider:
    """One plugin."""

    name: ClassVar[str]
    version: ClassVar[str]
    resources: ClassVar[Mapping[str, type[Resource]]]
    functions: ClassVar[Mapping[str, Callable[[Any, Values, bool], Values]]] = {}
    configured: ClassVar[Values] = {"supportsPreview": True, "supportsAutonamingConfiguration": True}

    def __init__(self) -> None:
        self._resources = {token: make(self) for token, make in self.resources.items()}

    def log(self, severity: str, message: str, urn: str = "", *, ephemeral: bool = False) -> None:
        """Show a line to the user (DEBUG, INFO, WARNING, ERROR); serving connects this to the engine."""

    def check_config(self, news: Values) -> Values:
        """The provider's inputs, checked."""
        return news

    def diff_config(self, call: Call) -> Diff:
        """What a change of the provider's inputs means: by default an update in place of it alone."""
        changed = [k for k in sorted({*call.olds, *call.news}) if call.olds.get(k) != call.news.get(k)]
        return Diff(diffs=changed, detailed={key: _kind(call.olds, call.news, key) for key in changed})

    def configure(self, config: Values) -> None:
        """Take the provider's settings: plain values, JSON strings already read."""

    def cancel(self) -> None:
        """End what still runs: the user gave up, or the engine is gone."""

    def handshake(self) -> Values:
        """What the plugin says before it is configured; most official ones don't know this call."""
        raise Failed("method Handshake not implemented", code="UNIMPLEMENTED")

    def call(self, method: str, request: Values) -> Values:
        """Answer one call, request and reply in the protocol's JSON form; raises Failed."""
        answer: Callable[[Values], Values] | None = getattr(self, f"_on_{method.lower()}", None)
        if answer is None:
            raise Failed(f"{method} is not implemented", code="UNIMPLEMENTED")
        return answer(request)

    def _on_handshake(self, _: Values) -> Values:
        return self.handshake()

    def _on_getplugininfo(self, _: Values) -> Values:
        return {"version": self.version}

    def _on_getschema(self, _: Values) -> Values:
        package = {"name": self.name, "version": self.version, "meta": {"moduleFormat": MODULE}}
        return {"schema": json.dumps({**schema(self.name), **package})}

    def _on_cancel(self, _: Values) -> Values:
        self.cancel()
        return {}

    def _on_checkconfig(self, request: Values) -> Values:
        return _checked(lambda: self.check_config(request.get("news", {})))

    def _on_diffconfig(self, request: Values) -> Values:
        found = self.diff_config(_call(request))
        if not found.diffs:
            return {}  # so the official plugins: the engine then looks for itself, and finds none
        reply = found.reply()
        for change in reply.get("detailedDiff", {}).values():
            change["inputDiff"] = True
        return reply

    def _on_configure(self, request: Values) -> Values:
        self.configure({key: _read(value) for key, value in plain(request.get("args", {})).items()})
        return dict(self.configured)

    def _on_invoke(self, request: Values) -> Values:
        function = self.functions.get(request["tok"])
        if function is None:
            raise Failed(f"the stand-in for {self.name} knows no function {request['tok']}")
        try:
            return {"return": function(self, request.get("args", {}), bool(request.get("preview")))}
        except CheckFailed as error:
            return {"failures": _failures(error)}

    def _resource(self, request: Values) -> Resource:
        token = request["urn"].split("::")[2].rsplit("$", 1)[-1]
        if token not in self._resources:
            raise Failed(f"the stand-in for {self.name} knows no resource {token}; use the official plugin")
        return self._resources[token]

    def _on_check(self, request: Values) -> Values:
        resource = self._resource(request)
        return _checked(lambda: resource.check(_call(request)))

    def _on_diff(self, request: Values) -> Values:
        return self._resource(request).diff(_call(request)).reply()

    def _on_create(self, request: Values) -> Values:
        id, properties = self._resource(request).create(_call(request))
        return {"id": id, "properties": properties} if id else {"properties": properties}

    def _on_read(self, request: Values) -> Values:
        found = self._resource(request).read(_call(request))
        if found is None:
            return {}
        return {"id": found.id, "properties": found.properties, "inputs": found.inputs}

    def _on_update(self, request: Values) -> Values:
        return {"properties": self._resource(request).update(_call(request))}

    def _on_delete(self, request: Values) -> Values:
        self._resource(request).delete(_call(request))
        return {}


def _call(request: Values) -> Call:
    return Call(
        urn=request.get("urn", ""),
        id=request.get("id", ""),
        olds=request.get("olds", {}) or (request.get("properties", {}) if "id" in request else {}),
        news=request.get("news", {}) or (request.get("properties", {}) if "id" not in request else {}),
        old_inputs=request.get("oldInputs") or request.get("inputs") or {},
        ignore=request.get("ignoreChanges", []),
        preview=bool(request.get("preview")),
        timeout=float(request.get("timeout", 0)),
        autonaming=request.get("autonaming", {}),
    )


def _kind(olds: Values, news: Values, key: str) -> str:
    return "ADD" if key not in olds else "DELETE" if key not in news else "UPDATE"


def _read(value: Any) -> Any:
    """Settings that are not strings arrive as JSON text."""
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _failures(error: CheckFailed) -> list[Values]:
    return [{"property": where, "reason": why} if where else {"reason": why} for where, why in error.failures]


def _checked(check: Callable[[], Values]) -> Values:
    try:
        return {"inputs": check()}
    except CheckFailed as error:
        inputs = {} if error.inputs is None else {"inputs": error.inputs}
        return {**inputs, "failures": _failures(error)}

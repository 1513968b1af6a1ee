"""The dynamic provider that every REST object is declared with.

State holds, for each resource, a pickle of its provider that names a module and a class, so those names are a
contract: each room derives one class from `ObjectProvider` in a module that never moves. Instances hold nothing
when they are pickled; what they need later comes from the explicit provider resource's values, in `configure`.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from components.objects import field_values, state
from components.objects.dialect import Config, Dialect, Kind
from components.objects.engine import Engine
from components.objects.name_transfers import NameTransfers
from components.objects.object_errors import ObjectErrors, object_title
from components.objects.outage import say
from components.objects.parent_watch import exit_with_parent
from components.objects.preflight import ALREADY_SHOWN, ENVIRONMENT, Preflight
from components.objects.reconcile import DesiredObject, Reconciler
from components.objects.state import BEFORE, META
from components.objects.values import canonical, is_unknown

UNREACHABLE = "GATEHOUSE_AWAY"
"""Environment: JSON list of ends of addresses that cannot be reached now: what is there counts as it was last seen."""
PENDING = "GATEHOUSE_PENDING_CREATES"
"""Environment: JSON list of the URNs whose creation an interrupted run began."""


class ObjectProvider(ResourceProvider):
    """Reconciles objects of one server. Derive, implement `dialect`, and never move the derived class."""

    serialize_as_secret_always = False
    _may_query = False
    _preflight_mode = ""
    _unreachable = False

    def dialect(self, config: Config) -> Dialect:
        """The server to talk to, from the explicit provider's values. Must not contact anything yet."""
        raise NotImplementedError

    def engine(self, kind: Kind, general: Reconciler) -> Engine:
        """What brings objects of this kind to what is declared: the general engine, or one for what is no object."""
        del kind
        return general

    def configure(self, req: ConfigureRequest) -> None:
        """Called once a process, before anything else."""
        if _in_plugin_process():
            sys.tracebacklimit = 0  # errors are for operators; a library's stack helps nobody
            # All that is loaded by now stays for good; to look it through for garbage again and again costs a preview
            # 15 ms.
            gc.freeze()
            gc.set_threshold(50_000, 20, 100)
            exit_with_parent()
        self._dialect = self.dialect(req.config.get)
        self._reconciler = Reconciler(self._dialect, pending_creates(os.environ.get(PENDING, "")))
        self._transfers = NameTransfers()
        self._preflight: Preflight | None = None
        self._preflight_lock = threading.Lock()
        ends = tuple(json.loads(os.environ.get(UNREACHABLE) or "[]"))
        self._unreachable = str(req.config.get("address")).endswith(ends) if ends else False
        self._preflight_mode = os.environ.get(ENVIRONMENT, "")
        self._may_query = self._preflight_mode not in ("", ALREADY_SHOWN) and not self._unreachable

    def _open_preflight(self) -> Preflight | None:
        """What looks at the server; None where nobody asked for that, or where the server does not answer."""
        if not self._may_query:
            return None
        with self._preflight_lock:
            if self._may_query and self._preflight is None:
                if self.is_reachable():
                    self._preflight = Preflight(self._dialect, self._reconciler)
                else:
                    self._may_query = False
                    unseen = "names, and what is to be taken over, are not looked up"
                    say(f"{self._dialect.where} does not answer, so {unseen}")
            return self._preflight

    def is_reachable(self) -> bool:
        """Whether the server can be asked now: one look, without waiting. Never, where looking makes no sense."""
        return False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Put the inputs into canonical form and object to what cannot be.

        Pure, so that previews make no call; unless this one was asked to look at the server.
        """
        kind = self._kind(news)
        inputs = field_values.normalize(self._dialect, kind, state.fields(news))
        meta = canonical(news[META])
        had = (
            field_values.normalize(self._dialect, self._kind(_olds), state.fields(_olds))
            if META in _olds
            else {}
        )
        if state.is_adopted(_olds):
            inputs = field_values.explicit_fields(kind, inputs, state.defaulted_fields(news), had)
            meta["adopted"] = True
        props = {**inputs, META: meta}
        if not kind.path:
            return CheckResult(props, [])
        desired = state.desired_object(kind, props)
        objections = list(self.failures(desired))
        handed = self._transfers.conflict(kind, desired.logical, had, inputs)
        if handed:
            objections.append((kind.key.parts[-1].fields[0], handed))
        look = self._open_preflight()
        new = META not in _olds and not self._reconciler.is_create_pending(desired)
        if look is not None and not objections:
            objections = look.failures(desired, new=new)
        foretelling = new and desired.adopt and not objections and self._preflight_mode != ALREADY_SHOWN
        if foretelling and (outlook := self._describe_adoption(look, kind, desired)):
            say(f"{desired.logical}: {outlook}")
        return CheckResult(props, [CheckFailure(field, text) for field, text in objections])

    @staticmethod
    def _describe_adoption(look: Preflight | None, kind: Kind, desired: DesiredObject) -> str:
        """What taking over an object would change. The engine shows that as any other creation.

        Of what ties others together (bindings), which is made beside them, only what is there is spoken of.
        """
        if look:
            return look.describe_adoption(desired)
        if kind.key.is_composed:
            return ""
        return f"takes over {object_title(kind, desired.fields)}, if it is there (--refresh shows what that changes)"

    def failures(self, _desired: DesiredObject) -> Iterable[tuple[str, str]]:
        """What is wrong with an object, as (field, text); pure, and for resources that are declared one by one."""
        return ()

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare what is wanted with what was last seen. Pure: previews make no call."""
        kind, before = self._kind(_news), self._kind(_olds)
        self._reconciler.record_state(
            before, str(_olds[META]["logical"]), state.object_state(before, _id, _olds)
        )
        if before.name != kind.name:
            # By an alias the resource becomes an object of another kind, in whose name space the old one is.
            if state.is_adopted(_olds):
                raise ObjectErrors(self._dialect).adopted_in_the_way(
                    before, str(_olds[META]["logical"]), state.fields(_olds), kind
                )
            self._reconciler.run.record_deletion(before, state.fields(_olds))
            return DiffResult(changes=True, replaces=[META], delete_before_replace=True)
        olds, news = (
            field_values.normalize(self._dialect, kind, state.fields(props)) for props in (_olds, _news)
        )
        if state.is_adopted(_olds):
            news = field_values.explicit_fields(kind, news, state.defaulted_fields(_news), olds)
        changed = [
            name
            for name in sorted({*olds, *news})
            if is_unknown(news.get(name))
            or not field_values.is_same(kind, name, olds.get(name), news.get(name))
        ]
        replaces = [
            name
            for name in changed
            if is_unknown(news.get(name)) and name in kind.references and kind.references[name].cascade
        ]
        moved = sorted(state.fields_elsewhere(_news).intersection(changed) - news.keys())
        if moved:
            is_or_are = "is" if len(moved) == 1 else "are"
            say(
                f"{_olds[META]['logical']}: {', '.join(moved)} {is_or_are} managed by another resource from now on"
            )
        hidden = [name for name in changed if name in kind.secret | kind.sealed]
        if hidden:  # the engine shows that something changes, and not what
            say(f"{_olds[META]['logical']}: {', '.join(hidden)} changes; the value is secret")
        resealed = kind.sealed != state.sealed_fields(
            _olds
        )  # the state has to be written anew, by another rule
        changes = bool(changed) or resealed or self._reconciler.run.refers_to_deleted(kind, news)
        return DiffResult(changes=changes, replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the object or take it over."""
        kind = self._kind(props)
        created = self.engine(kind, self._reconciler).create(state.desired_object(kind, props))
        if created.note:
            say(f"{props[META]['logical']}: {created.note}")
        return CreateResult(created.pk, state.outputs(props, created))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The object as it is: outputs and inputs, so that drift is shown and repaired; nothing when it is gone."""
        kind = self._kind(props)
        prior = state.object_state(kind, id_, props)
        current = prior if self._unreachable else self.engine(kind, self._reconciler).read(kind, prior)
        if current is None:
            return ReadResult(None, {})
        self._reconciler.record_state(kind, str(props[META]["logical"]), current)
        outputs = state.outputs(props, current)
        inputs = {name: value for name, value in outputs.items() if name != BEFORE}
        inputs[META] = {name: value for name, value in inputs[META].items() if name != "memory"}
        return ReadResult(current.pk, outputs, inputs)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Bring the object to what is wanted; no difference, no write."""
        kind = self._kind(_news)
        updated = self.engine(kind, self._reconciler).update(
            state.object_state(kind, _id, _olds), state.desired_object(kind, _news)
        )
        if updated.note:
            say(f"{_news[META]['logical']}: {updated.note}")
        return UpdateResult(state.outputs(_news, updated))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete what is ours, give back what was adopted."""
        kind = self._kind(_props)
        prior = state.object_state(kind, _id, _props)
        done = self.engine(kind, self._reconciler).delete(kind, str(_props[META]["logical"]), prior)
        if done.startswith("kept"):
            say(f"{_props[META]['logical']}: {done}")

    def _kind(self, props: Mapping[str, Any]) -> Kind:
        name = str(props[META]["kind"])
        try:
            return self._dialect.kind(name).with_sealed(state.sealed_fields(props))
        except KeyError:
            raise ObjectErrors(self._dialect).unknown_kind(name, str(props[META]["logical"])) from None


def pending_creates(listed: str) -> frozenset[tuple[str, str]]:
    """(kind, logical name) of each URN in a JSON list; empty for an empty text.

    A URN's type is "pulumi-python:dynamic/<module>:<name>", after the types of its parents; our kinds are
    "<module>.<name>".
    """
    pairs = set()
    for urn in json.loads(listed) if listed else []:
        _, _, qualified, logical = str(urn).split("::", 3)
        token = qualified.rsplit("$", 1)[-1].rpartition("/")[2]
        pairs.add((token.replace(":", "."), logical))
    return frozenset(pairs)


def _in_plugin_process() -> bool:
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec is not None and str(spec.name).startswith("pulumi.dynamic")

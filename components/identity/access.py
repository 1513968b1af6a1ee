"""The access of an application: who may use it, in place before it can be used.

An application without a provider opens nothing. So one that has a provider is declared in two parts: the application
itself, without its provider, and its access, which comes after the application, the provider and every binding. The
access sees that all bindings are there as they are wanted, and only then attaches the provider. On the way down it goes
first, and detaches the provider. `components.identity.spec_graph` makes the two parts.

On the server the access is no object of its own: it is those fields of the application that open it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from components.identity.bindings import BINDING, SUBJECTS, binding_effect, binding_key, binding_text
from components.objects import field_values
from components.objects.dialect import Dialect, Kind, Reference
from components.objects.errors import ObjectError
from components.objects.field_values import Fields
from components.objects.natural_key import NaturalKey
from components.objects.object_errors import ObjectErrors
from components.objects.reconcile import UNKNOWN_PK, DesiredObject, ObjectState, Reconciler
from components.objects.store import Object
from components.objects.values import is_empty
from components.objects.writer import Writer

ACCESS = "gatehouse.access"
"""The kind's name, and so part of the state contract."""
APPLICATION = "authentik_core.application"
PROVIDERS = ("provider", "backchannel_providers")
"""Fields of an application by which it can be used."""
OPENING = (*PROVIDERS, "policy_engine_mode")
"""Fields of an application that its access manages."""
FOREIGN = "foreign_bindings"
"""What a read adds: bindings that the stack does not have, as what they do. Nothing declares it, and so it shows."""
ENVIRONMENT = "GATEHOUSE_FOREIGN_ACCESS"
"""Environment: `remove` where the operator has agreed to the removal of those that were shown."""


def access_kind(application: Kind) -> Kind:
    """The kind, by the kind of applications of the same line.

    When an application, a provider or a binding is replaced, its access is too: it goes first and comes last.
    """
    targets = {"application": Reference((APPLICATION,)), "bindings": Reference((BINDING,), many=True)}
    targets |= {name: application.references[name] for name in PROVIDERS}
    return Kind(
        ACCESS,
        path="",
        key=NaturalKey.parse("application"),
        title="access",
        references={name: replace(reference, cascade=True) for name, reference in targets.items()},
    )


class AccessEngine:
    """Puts the access of applications in place. It speaks as `objects.reconcile.Reconciler` does."""

    def __init__(self, dialect: Dialect, general: Reconciler) -> None:
        self._dialect = dialect
        self._store = general.store
        self._run = general.run
        self._begun = general.creates
        self._errors = ObjectErrors(dialect)
        self._writer = Writer(dialect, general.store, self._errors)
        self._application = dialect.kind(APPLICATION)
        self._binding = dialect.kind(BINDING)

    def create(self, desired: DesiredObject) -> ObjectState:
        """Attach the provider, once the bindings are there."""
        return self._apply(desired, None)

    def update(self, prior: ObjectState, desired: DesiredObject) -> ObjectState:
        """Remove bindings that are no longer wanted, and only then attach providers and change the mode."""
        return self._apply(desired, prior)

    def read(self, kind: Kind, prior: ObjectState) -> ObjectState | None:
        """What is attached, and which of the bindings are there."""
        del kind
        item = self._find(prior)
        if item is None:
            return None
        if prior.pk == UNKNOWN_PK:
            prior = self._recover(prior, item)
        fields = {name: value for name, value in prior.fields.items() if name in OPENING}
        seen = field_values.observe(self._store, self._dialect, self._application, fields, item)
        known = prior.memory.get("bindings", {})
        there = {str(each[self._binding.pk]): each for each in self._bindings(item)}
        bindings = [each for each in prior.fields.get("bindings", []) if known.get(each) in there]
        foreign = {
            pk: self._binding_effect(each, item)
            for pk, each in there.items()
            if pk not in set(known.values())
        }
        called = self._store.name_of(self._application, item)
        rest = {"foreign": prior.fields["foreign"]} if "foreign" in prior.fields else {}
        rest |= {FOREIGN: sorted(foreign.values())} if foreign else {}
        return replace(
            prior,
            fields={**seen, **rest, "application": called, "bindings": bindings},
            memory={**prior.memory, "foreign": foreign},
        )

    def _recover(self, prior: ObjectState, item: Object) -> ObjectState:
        """The access of a client whose state was lost: bindings are known by what they say alone."""
        there = {self._binding_text(each): str(each[self._binding.pk]) for each in self._bindings(item)}
        known = {each: there[each] for each in prior.fields.get("bindings", []) if each in there}
        memory = {"before": {}, "bindings": known, "adopted": []}
        return replace(prior, pk=str(item[self._application.pk]), memory=memory)

    def delete(self, kind: Kind, logical: str, prior: ObjectState) -> str:
        """Detach the provider, unless it was attached before this stack."""
        item = self._find(prior)
        if item is None:
            return "was gone already"
        pk = str(item[self._application.pk])
        if self._run.is_claimed(kind, pk) or self._run.release(kind, logical, pk, adopted=False):
            return "kept: another resource of this stack has taken it over"
        if pk != prior.pk:
            return "kept: the application is not the one that this stack made, but another of the same name"
        before = prior.memory.get("before", {})
        fields: Fields = {}
        for name in PROVIDERS:
            attached = self._attached_name(name, item)
            if self._application.references[name].many:
                fields[name] = [each for each in attached if each in before.get(name, [])]
            elif attached != before.get(name):
                fields[name] = None
        body = {name: self._to_server(name, value) for name, value in fields.items()}
        self._writer.update(self._application, self._declared(logical, fields), item, body, {})
        return "detached"

    def _apply(self, desired: DesiredObject, prior: ObjectState | None) -> ObjectState:
        item = self._find(replace(prior, fields=desired.fields) if prior else ObjectState("", desired.fields))
        if item is None:
            raise self._errors.not_found(
                self._application, desired.logical, {"slug": desired.fields["application"]}
            )
        pk = str(item[self._application.pk])
        self._run.claim(self._dialect.kind(ACCESS), {"pk": pk})
        bindings = self._wanted_bindings(desired, item)
        ours = set(bindings.values())
        self._remove(desired.logical, item, self._former_bindings(prior, item) - ours)
        self._forget_gone(item)
        note = self._remove_foreign(desired, item, prior, ours)
        fields = {name: value for name, value in desired.fields.items() if name in OPENING}
        for name in PROVIDERS:
            if prior and name in prior.fields and name not in fields:
                fields[name] = [] if self._application.references[name].many else None
        opening = self._opening_effect(item, ours) if fields.get("policy_engine_mode") == "any" else ""
        if opening:
            del fields["policy_engine_mode"]
            note = (
                f"needs all of its bindings still, since one {opening}: run `gatehouse up` once that has gone"
            )
        body = {name: self._to_server(name, value) for name, value in fields.items()}
        item = self._writer.update(self._application, self._declared(desired.logical, fields), item, body, {})
        memory = {
            "before": prior.memory.get("before", {}) if prior else self._original(item, pk),
            "bindings": bindings,
            "adopted": [
                each for each in bindings.values() if self._run.original(self._binding, each) is not None
            ],
        }
        seen = {**desired.fields, "policy_engine_mode": "all"} if opening else desired.fields
        return ObjectState(pk, seen, memory=memory, note=note)

    def _former_bindings(self, prior: ObjectState | None, item: Object) -> set[str]:
        """Bindings of the application that this stack made.

        A run that was killed before it came to the access leaves some that only the notes of what it sent know.
        """
        known = prior.memory if prior else {}
        former = set(known.get("bindings", {}).values()) - set(known.get("adopted", ()))
        sent = [binding_key(body) for body in self._begun.bodies(self._binding.name).values()]
        return former | {
            str(each[self._binding.pk]) for each in self._bindings(item) if binding_key(each) in sent
        }

    def _forget_gone(self, item: Object) -> None:
        """Forget what was noted of bindings that are no longer there: one that is made by hand later is not ours."""
        there = [binding_key(each) for each in self._bindings(item)]
        for logical, body in self._begun.bodies(self._binding.name).items():
            if body.get("target") == item["pk"] and binding_key(body) not in there:
                self._begun.discard(self._binding.name, logical)

    def _opening_effect(self, item: Object, ours: set[str]) -> str:
        """What a binding that is not wanted does as soon as one binding is enough, if that opens the application.

        The engine deletes bindings of ours last, and those of a killed run may not be known here.
        """
        if item.get("policy_engine_mode") != "all":
            return ""
        for each in self._bindings(item):
            opens = each.get("policy") or each.get("negate")
            if str(each[self._binding.pk]) not in ours and opens and each.get("enabled") is not False:
                return binding_effect(*self._subject(each), each, "any")
        return ""

    def _wanted_bindings(self, desired: DesiredObject, item: Object) -> dict[str, str]:
        """The pk of each wanted binding. Raises ObjectError for one that is not there as it is wanted."""
        for fresh in (False, True):
            if fresh:
                self._store.forget(self._binding)
            there: dict[str, str] = {}
            for each in self._bindings(item):
                there.setdefault(self._binding_text(each), str(each[self._binding.pk]))
            missing = [each for each in desired.fields.get("bindings", []) if each not in there]
            if not missing:
                return {each: there[each] for each in desired.fields.get("bindings", [])}
        raise ObjectError(
            f"{desired.fields['application']} stays as it is, since its binding to {' and '.join(missing)} is not "
            "there "
            "as it is declared",
            self._errors.place(desired.logical),
            "Somebody has changed or deleted it meanwhile. Run `gatehouse up` again: it refreshes first and repairs it",
        )

    def _remove(self, logical: str, item: Object, pks: Iterable[str]) -> None:
        """Delete bindings of this application that the stack made and no longer wants; the engine would do so last."""
        for pk in sorted(pks):
            each = self._store.by_pk(self._binding, pk)
            if (
                each is not None
                and each["target"] == item["pk"]
                and not self._run.is_claimed(self._binding, pk)
            ):
                self._writer.delete(self._binding, logical, each, each)

    def _remove_foreign(
        self, desired: DesiredObject, item: Object, prior: ObjectState | None, ours: set[str]
    ) -> str:
        """Remove bindings that the stack does not have, where that is wanted; what was done, in words.

        What the operator has agreed to is what was shown.
        """
        foreign = {
            str(each[self._binding.pk]): self._binding_effect(each, item)
            for each in self._bindings(item)
            if str(each[self._binding.pk]) not in ours
        }
        if desired.fields.get("foreign") != "remove":
            agreed = os.environ.get(ENVIRONMENT) == "remove"
            shown = prior.memory.get("foreign", {}) if prior and agreed else {}
            foreign = {pk: does for pk, does in foreign.items() if pk in shown}
        left = {
            pk for pk in foreign if self._run.is_managed(self._binding, pk)
        }  # the engine deletes these itself
        self._remove(desired.logical, item, foreign.keys() - left)
        gone = [f"the binding that {does}" for pk, does in sorted(foreign.items()) if pk not in left]
        return f"removed {', '.join(gone)}" if gone else ""

    def _original(self, item: Object, pk: str) -> Fields:
        """What was attached to an adopted application; nothing to one that this stack made."""
        before = self._run.original(self._application, pk)
        if before is None:
            return {}
        attached = {name: before.get(name, self._attached_name(name, item)) for name in PROVIDERS}
        return {name: value for name, value in attached.items() if not is_empty(value)}

    def _attached_name(self, name: str, item: Object) -> Any:
        return field_values.to_declared(self._store, self._dialect, self._application, name, item.get(name))

    def _find(self, prior: ObjectState) -> Object | None:
        found = self._store.find_by_key(self._application, (str(prior.fields["application"]),))
        return found[0] if found else self._store.by_pk(self._application, prior.pk)

    def _bindings(self, item: Object) -> list[Object]:
        return [each for each in self._store.all(self._binding) if str(each["target"]) == str(item["pk"])]

    def _binding_text(self, binding: Object) -> str:
        return binding_text(*self._subject(binding), binding)

    def _binding_effect(self, binding: Object, item: Object) -> str:
        return binding_effect(*self._subject(binding), binding, item.get("policy_engine_mode"))

    def _subject(self, binding: Object) -> tuple[str, str]:
        """What a binding is about, and its name."""
        subject = next((name for name in SUBJECTS if not is_empty(binding.get(name))), SUBJECTS[0])
        return subject, self._store.name_for(self._binding.references[subject], binding.get(subject))

    def _to_server(self, name: str, value: Any) -> Any:
        return field_values.to_server(self._store, self._application, name, value)

    @staticmethod
    def _declared(logical: str, fields: Fields) -> DesiredObject:
        return DesiredObject(APPLICATION, logical, fields)

"""What is declared of objects that are registered in two parts: an application and its access (see
`components.identity.access`), an LDAP provider and who may search it (`components.identity.ldap_search`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from components.identity.access import ACCESS, APPLICATION, BINDING, OPENING, PROVIDERS, SUBJECTS, text
from components.identity.ldap_search import LDAP_SEARCH, ROLE
from components.identity.specs import Spec

OUTPOST = "authentik_outposts.outpost"
Edges = dict[tuple[int, str], dict[str, tuple[str, int]]]
"""(object, field) -> name as written -> (name as registered, the declared object that it means)."""


@dataclass
class Split:
    """Declared objects with accesses among them, by number; what their names mean; and what waits for what."""

    specs: dict[int, Spec]
    edges: Edges
    waits: dict[int, set[int]] = field(default_factory=dict)
    """Objects that come after others which they do not name."""

    def graph(self) -> dict[int, set[int]]:
        """What each object comes after."""
        graph = {index: set(self.waits.get(index, ())) for index in self.specs}
        for (index, _), meant in self.edges.items():
            graph[index].update(target for _, target in meant.values())
        return graph


def split(specs: Mapping[int, Spec], edges: Edges) -> Split:
    """Put an access beside every application that has a provider, and let outposts wait for it."""
    whole = Split(dict(specs), dict(edges))
    access = max(specs, default=-1)
    for index, spec in specs.items():
        if spec.kind == APPLICATION and any(spec.fields.get(name) for name in PROVIDERS):
            access += 1
            _divide(whole, index, access)
    owners = {
        target: index
        for (index, name), meant in whole.edges.items()
        if whole.specs[index].kind == ACCESS and name in PROVIDERS
        for _, target in meant.values()
    }
    for (index, name), meant in whole.edges.items():
        if whole.specs[index].kind == OUTPOST and name == "providers":
            whole.waits[index] = {owners[target] for _, target in meant.values() if target in owners}
    _allow_searches(whole, specs)
    return whole


def _allow_searches(whole: Split, specs: Mapping[int, Spec]) -> None:
    """Put what lets a role search beside every LDAP provider that has one."""
    roles = {spec.name: index for index, spec in specs.items() if spec.kind == ROLE}
    for index, spec in specs.items():
        if spec.searcher:
            search = max(whole.specs) + 1
            fields = {"provider": spec.name, "role": spec.searcher}
            whole.specs[search] = Spec(
                LDAP_SEARCH, spec.name, fields, logical=spec.logical, origin=spec.origin
            )
            whole.edges[search, "provider"] = {spec.name: (spec.name, index)}
            whole.edges[search, "role"] = {spec.searcher: (spec.searcher, roles[spec.searcher])}


def _divide(whole: Split, application: int, access: int) -> None:
    spec = whole.specs[application]
    # The mode `all` lets fewer people in, so that it is set with the application, before its bindings are made; `any`
    # lets more in, and is set with the access, after them.
    tight = spec.fields.get("policy_engine_mode") == "all"
    moved = [name for name in (PROVIDERS if tight else OPENING) if name in spec.fields]
    bindings = list(_bindings(whole, application))
    slug = str(spec.fields.get("slug", spec.name))
    fields: dict[str, Any] = {name: spec.fields[name] for name in moved}
    if spec.foreign == "remove":
        fields["foreign"] = "remove"
    whole.specs[access] = Spec(
        ACCESS,
        spec.name,
        {**fields, "application": slug, "bindings": [called for called, _ in bindings]},
        logical=spec.logical,
        origin=spec.origin,
    )
    kept = {name: value for name, value in spec.fields.items() if name not in moved}
    whole.specs[application] = replace(spec, fields=kept, elsewhere=frozenset(OPENING))
    for name in moved:
        if (application, name) in whole.edges:
            whole.edges[access, name] = whole.edges.pop((application, name))
    whole.edges[access, "application"] = {slug: (slug, application)}
    whole.edges[access, "bindings"] = {called: (called, binding) for called, binding in bindings}


def _bindings(whole: Split, application: int) -> Iterator[tuple[str, int]]:
    """What the application's bindings are called, and their numbers."""
    for (index, name), meant in list(whole.edges.items()):
        spec = whole.specs[index]
        if spec.kind != BINDING or name != "target" or application not in [it for _, it in meant.values()]:
            continue
        for subject in SUBJECTS:
            written = spec.fields.get(subject)
            if isinstance(written, str) and written:
                registered, _ = whole.edges.get((index, subject), {}).get(written, (written.strip(), -1))
                yield text(subject, registered, spec.fields), index

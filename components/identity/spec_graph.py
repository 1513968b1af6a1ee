"""What is declared of objects that are registered in two parts: an application and its access (see
`components.identity.access`), an LDAP provider and who may search it (`components.identity.ldap_search`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from components.identity.access import ACCESS, APPLICATION, OPENING, PROVIDERS
from components.identity.bindings import BINDING, SUBJECTS, binding_text
from components.identity.ldap_search import LDAP_SEARCH, ROLE
from components.identity.specs import ObjectSpec

OUTPOST = "authentik_outposts.outpost"
STAGE_BINDING = "authentik_flows.flowstagebinding"
Edges = dict[tuple[int, str], dict[str, tuple[str, int]]]
"""(object, field) -> name as written -> (name as registered, the declared object that it means)."""


@dataclass
class SpecGraph:
    """Declared objects with accesses among them, by number; what their names mean; and what waits for what."""

    specs: dict[int, ObjectSpec]
    edges: Edges
    after: dict[int, set[int]] = field(default_factory=dict)
    """Objects that come after others which they do not name."""

    def predecessors(self) -> dict[int, set[int]]:
        """What each object comes after."""
        graph = {index: set(self.after.get(index, ())) for index in self.specs}
        for (index, _), meant in self.edges.items():
            graph[index].update(target for _, target in meant.values())
        return graph


def build_graph(specs: Mapping[int, ObjectSpec], edges: Edges) -> SpecGraph:
    """Put an access beside every application that has a provider, and let outposts wait for it."""
    graph = SpecGraph(dict(specs), dict(edges))
    access = max(specs, default=-1)
    for index, spec in specs.items():
        if spec.kind == APPLICATION and any(spec.fields.get(name) for name in PROVIDERS):
            access += 1
            _split_access(graph, index, access)
    owners = {
        target: index
        for (index, name), meant in graph.edges.items()
        if graph.specs[index].kind == ACCESS and name in PROVIDERS
        for _, target in meant.values()
    }
    for (index, name), meant in graph.edges.items():
        if graph.specs[index].kind == OUTPOST and name == "providers":
            graph.after[index] = {owners[target] for _, target in meant.values() if target in owners}
    _split_searches(graph, specs)
    return graph


def _split_searches(graph: SpecGraph, specs: Mapping[int, ObjectSpec]) -> None:
    """Put what lets a role search beside every LDAP provider that has one."""
    roles = {spec.name: index for index, spec in specs.items() if spec.kind == ROLE}
    for index, spec in specs.items():
        if spec.searcher:
            search = max(graph.specs) + 1
            fields = {"provider": spec.name, "role": spec.searcher}
            graph.specs[search] = ObjectSpec(
                LDAP_SEARCH, spec.name, fields, logical=spec.logical, origin=spec.origin
            )
            graph.edges[search, "provider"] = {spec.name: (spec.name, index)}
            graph.edges[search, "role"] = {spec.searcher: (spec.searcher, roles[spec.searcher])}


def _split_access(graph: SpecGraph, application: int, access: int) -> None:
    spec = graph.specs[application]
    # The mode `all` lets fewer people in, so that it is set with the application, before its bindings are made; `any`
    # lets more in, and is set with the access, after them.
    tight = spec.fields.get("policy_engine_mode") == "all"
    moved = [name for name in (PROVIDERS if tight else OPENING) if name in spec.fields]
    bindings = list(_bindings(graph, application))
    slug = str(spec.fields.get("slug", spec.name))
    fields: dict[str, Any] = {name: spec.fields[name] for name in moved}
    if spec.foreign == "remove":
        fields["foreign"] = "remove"
    graph.specs[access] = ObjectSpec(
        ACCESS,
        spec.name,
        {**fields, "application": slug, "bindings": [called for called, _ in bindings]},
        logical=spec.logical,
        origin=spec.origin,
    )
    kept = {name: value for name, value in spec.fields.items() if name not in moved}
    graph.specs[application] = replace(spec, fields=kept, elsewhere=frozenset(OPENING))
    for name in moved:
        if (application, name) in graph.edges:
            graph.edges[access, name] = graph.edges.pop((application, name))
    graph.edges[access, "application"] = {slug: (slug, application)}
    graph.edges[access, "bindings"] = {called: (called, binding) for called, binding in bindings}


def _bindings(graph: SpecGraph, application: int) -> Iterator[tuple[str, int]]:
    """What the application's bindings are called, and their numbers."""
    for (index, name), meant in list(graph.edges.items()):
        spec = graph.specs[index]
        if spec.kind != BINDING or name != "target" or application not in [it for _, it in meant.values()]:
            continue
        for subject in SUBJECTS:
            written = spec.fields.get(subject)
            if isinstance(written, str) and written:
                registered, _ = graph.edges.get((index, subject), {}).get(written, (written.strip(), -1))
                yield binding_text(subject, registered, spec.fields), index

"""The stages of a flow."""

from __future__ import annotations

from bench.authentik.access import may_use
from bench.authentik.context import FLOW_BINDINGS, Context
from bench.authentik.sessions import Step
from bench.authentik.store import Data


def steps(context: Context, flow: Data, user: Data) -> list[Step]:
    """The flow's stages in order. What is evaluated on planning is so before anybody has said who they are."""
    own = [binding for binding in context.store.all(FLOW_BINDINGS) if binding["target"] == flow["pk"]]
    found = [
        (binding, context.group("any_stage", binding["stage"]))
        for binding in sorted(own, key=lambda binding: int(binding["order"]))
        if not binding.get("evaluate_on_plan") or may_use(context.store, user, binding, {})
    ]
    return [
        Step(kind.path, str(stage["pk"]), str(binding["pk"]))
        for binding, (kind, stage) in ((binding, item) for binding, item in found if item)
    ]

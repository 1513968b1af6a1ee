"""Replays recorded calls of the official plugins against the stand-ins and counts how many answers agree.

One `Replay` a plugin, in bench/tests/plugins/replay_<plugin>.py as `REPLAY`; `test_replay.py` runs all of them
and counts the total in one place. `world` prepares what a call needs outside (a fake API or daemon that
answers as it answered when the call was recorded) and yields a provider to ask; calls that need nothing
outside (Check, Diff, previews) get a fresh one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from bench.plugins.base import Failed, Provider
from bench.plugins.values import Values
from bench.tests.plugins.recordings import Recorded, recorded

METHODS = (
    "CheckConfig",
    "DiffConfig",
    "Configure",
    "Invoke",
    "Check",
    "Diff",
    "Create",
    "Read",
    "Update",
    "Delete",
)
# What only the bridge of the official plugins needs, and what it does without when it finds it missing.
DROPPED = ("__meta", "__pulumi_raw_state_delta")
LISTS = ("stables", "diffs", "replaces")


@dataclass(frozen=True)
class Replay:
    """How to replay one plugin's recordings."""

    plugin: str
    provider: type[Provider]
    tokens: Sequence[str]  # resources, functions and the provider's own type
    world: Callable[[Recorded], AbstractContextManager[Provider]]
    methods: Sequence[str] = METHODS
    normal: Callable[[Recorded, Values], Values] = lambda _, reply: reply  # applied to both replies


@dataclass(frozen=True)
class Outcome:
    """One call: what was recorded, what the stand-in said, and whether they agree."""

    call: Recorded
    got: Values | str
    agrees: bool

    def __str__(self) -> str:
        want = self.call.error_text if self.call.error else _comparable(self.call.response or {})
        title = f"{self.call.method} {self.call.token} {self.call.case}/{self.call.name}"
        return f"{title}\n{_differences(want, self.got)}"


def replay(this: Replay) -> list[Outcome]:
    """Ask the stand-in everything that was asked of the official plugin."""
    return [
        _ask(this, call)
        for call in recorded(this.plugin)
        if call.method in this.methods and call.token in this.tokens
    ]


def share(outcomes: Sequence[Outcome]) -> str:
    """Agreeing calls of all, per method, as text."""
    of, good = Counter(o.call.method for o in outcomes), Counter(o.call.method for o in outcomes if o.agrees)
    return ", ".join(f"{method} {good[method]}/{of[method]}" for method in METHODS if of[method])


def _needs_world(call: Recorded) -> bool:
    real = call.method in ("Invoke", "Read", "Delete", "Configure", "CheckConfig")
    return real or (call.method in ("Create", "Update") and not call.request.get("preview"))


def _ask(this: Replay, call: Recorded) -> Outcome:
    try:
        if _needs_world(call):
            with this.world(call) as provider:
                got: Values | str = provider.call(call.method, call.request)
        else:
            got = this.provider().call(call.method, call.request)
    except Failed as error:
        got = error.message
    except Exception as error:  # a stand-in that breaks disagrees; the test shows how
        got = f"{type(error).__name__}: {error}"
    if isinstance(got, str) or call.error is not None:
        return Outcome(call, got, isinstance(got, str) and got.strip() == (call.error_text or "").strip())
    want = _comparable(this.normal(call, call.response or {}))
    return Outcome(call, got, want == _comparable(this.normal(call, got)))


def _comparable(value: Any, key: str = "") -> Any:
    """`value` without what need not agree: the bridge's own notes, the order of lists that are sets."""
    if isinstance(value, dict):
        kept = {k: _comparable(v, k) for k, v in value.items() if k not in DROPPED}
        # An empty list and the first value of an enumeration are not on the wire.
        return {k: v for k, v in kept.items() if not (k in LISTS and not v) and (k, v) != ("kind", "ADD")}
    if isinstance(value, list):
        inner = [_comparable(v) for v in value]
        return sorted(inner) if key in LISTS or key == "__defaults" else inner
    return value


def _differences(want: Any, got: Any, path: str = "") -> str:
    want, got = _comparable(want), _comparable(got)
    if isinstance(want, dict) and isinstance(got, dict):
        parts = (
            _differences(want.get(key, "<absent>"), got.get(key, "<absent>"), f"{path}.{key}")
            for key in sorted({*want, *got})
            if want.get(key, "<absent>") != got.get(key, "<absent>")
        )
        return "\n".join(parts)
    return f"  {path or '.'}: want {str(want)[:400]}\n  {' ' * len(path)}   got {str(got)[:400]}"

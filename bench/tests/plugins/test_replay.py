"""Every recorded call of the official plugins, asked of the stand-ins: how many answer the same."""

from __future__ import annotations

import functools
import importlib

import pytest

from bench.figures import record
from bench.tests.plugins import replay

# The share of each plugin's recorded calls that agrees: a floor, so that no stand-in becomes less true.
PLUGINS: dict[str, float] = {"docker": 1.0, "command": 0.95, "hcloud": 0.99, "cloudflare": 1.0}


@functools.cache
def outcomes(plugin: str) -> tuple[replay.Outcome, ...]:
    module = importlib.import_module(f"bench.tests.plugins.replay_{plugin}")
    return tuple(replay.replay(module.REPLAY))


@pytest.mark.parametrize("plugin", PLUGINS)
def test_stand_in_answers_as_recorded(plugin: str) -> None:
    found = outcomes(plugin)
    agreed = sum(outcome.agrees for outcome in found)
    print(f"{plugin}: {agreed} of {len(found)} recorded calls agree ({replay.share(found)})")
    wrong = [str(outcome) for outcome in found if not outcome.agrees]
    assert found
    assert agreed / len(found) >= PLUGINS[plugin], "\n".join(wrong[:20])


def test_share_of_all_recordings() -> None:
    """The one place where the total of all plugins is counted."""
    found = [outcome for plugin in PLUGINS for outcome in outcomes(plugin)]
    agreed = sum(outcome.agrees for outcome in found)
    print(f"all plugins: {agreed} of {len(found)} recorded calls agree")
    record("test", plugin_recordings_share=(round(agreed / len(found), 4), 1.0))
    assert agreed / len(found) >= sum(PLUGINS.values()) / len(PLUGINS) * 0.9

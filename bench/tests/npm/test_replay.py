"""The emulator against everything that was recorded from the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.figures import record
from bench.tests.npm import replay
from bench.tests.npm.conftest import needs_nginx
from bench.tests.npm.session import session
from bench.tests.npm.steps import access_list_in_use, first_setup, setup_and_tokens
from bench.tests.npm.together import concurrency

pytestmark = [needs_nginx, pytest.mark.nginx]


def test_every_recording(tmp_path: Path, upstream: int, cloudflare: str, wildcard: tuple[str, str]) -> None:
    """Status and body of every recorded request, and every recorded configuration file."""
    parts = (first_setup, setup_and_tokens, concurrency, access_list_in_use)
    checked: dict[str, list[str]] = {}
    confs: dict[str, list[str]] = {}
    for part in parts:
        with session(
            tmp_path / part.__name__, upstream, cloudflare, wildcard, admin=part not in parts[:2]
        ) as one:
            part(one)
            checked |= one.replay.checked
            confs |= one.confs
    expected = set(replay.names())
    assert checked.keys() == expected, f"not asked: {sorted(expected - checked.keys())}"
    assert confs.keys() == {f"{path.parent.name}/{path.stem}" for path in replay.RECORDINGS.rglob("*.conf")}
    wrong = {name: differences for name, differences in (checked | confs).items() if differences}
    good, all_ = len(checked | confs) - len(wrong), len(checked | confs)
    print(f"{good} of {all_} recordings (requests and configuration files) answered as by the real one")
    record("test", npm_recordings_share=(round(good / all_, 4), 1.0))
    report = "\n".join(
        f"{name}: {difference}" for name, found in sorted(wrong.items()) for difference in found
    )
    assert not wrong, f"{good} of {all_}:\n{report}"

"""The command plugin's recordings: its commands are run for real, in a folder of their own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from bench.plugins import command
from bench.plugins.values import Values
from bench.tests.plugins.recordings import Recorded
from bench.tests.plugins.replay import Replay


@contextmanager
def world(_: Recorded) -> Iterator[command.CommandProvider]:
    """A provider that runs what was recorded for /srv/work and /srv/data in a temporary folder instead."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        real = command.execute

        def moved(text: str, inputs: Values, variables: Any, show: Any) -> tuple[str, str]:
            inputs = {**inputs, "dir": folder} if inputs.get("dir") == "/srv/work" else inputs
            return real(text.replace("/srv/data", f"{folder}/data"), inputs, variables, show)

        with mock.patch.object(command, "execute", moved):
            yield command.CommandProvider()


def normal(call: Recorded, reply: Values) -> Values:
    """Ids end in eight random digits."""
    if call.method != "Create" or "id" not in reply:
        return reply
    return {**reply, "id": re.sub(r"[0-9a-f]{8}$", "<8 hex>", reply["id"])}


REPLAY = Replay(
    plugin="command",
    provider=command.CommandProvider,
    tokens=("command:local:Command", "command:local:run", "pulumi:providers:command"),
    world=world,
    normal=normal,
)

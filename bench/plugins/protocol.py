"""Loads the SDK's generated protocol without the rest of the SDK, for processes that need nothing else.

`import pulumi` takes about 0.2 s, of which the protocol is a third, and an engine starts half a dozen such
processes for every command.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path


def protocol_only() -> None:
    """Make `pulumi.runtime.proto` importable by itself; for the start of a process."""
    if "pulumi" in sys.modules:
        return
    found = importlib.util.find_spec("pulumi")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the Pulumi SDK is not installed: .venv/bin/pip install -r requirements.txt")
    folder = Path(found.submodule_search_locations[0])
    for name, path in (("pulumi", folder), ("pulumi.runtime", folder / "runtime")):
        module = types.ModuleType(name)
        module.__path__ = [str(path)]
        sys.modules[name] = module

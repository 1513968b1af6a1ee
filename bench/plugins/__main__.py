"""`python -m bench.plugins NAME [ENGINE-ADDRESS]`: serve the stand-in for the official plugin NAME."""

from __future__ import annotations

import importlib
import sys

from bench.plugins.protocol import protocol_only


def main(arguments: list[str]) -> int:
    if not arguments or not arguments[0].isidentifier():
        sys.stderr.write("usage: python -m bench.plugins NAME [ENGINE-ADDRESS]\n")
        return 2
    engine = next((argument for argument in arguments[1:] if not argument.startswith("-")), "")
    protocol_only()
    plugin = importlib.import_module(f"bench.plugins.{arguments[0]}")
    importlib.import_module("bench.plugins.server").serve(plugin.PROVIDER(), engine)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

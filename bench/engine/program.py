"""Runs one Pulumi program: what the language host starts, with the SDK's own protocol to the engine.

Settings come as JSON on the command line, the stack's config by PULUMI_CONFIG and PULUMI_CONFIG_SECRET_KEYS
as with the official host. Exit code 32 means: the error is explained already.
"""

from __future__ import annotations

import asyncio
import json
import logging
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

EXPLAINED = 32


def main(arguments: dict[str, Any]) -> int:
    """Run the program that `arguments` describe (the host makes them); the exit code."""
    import pulumi  # noqa: PLC0415 - the host's own start does not need it
    from pulumi.runtime import config  # noqa: PLC0415

    program = Path(arguments["program"])
    sys.argv = [str(program), *arguments["args"]]
    sys.path[0] = str(program if program.is_dir() else program.parent)
    config.set_all_config(config.get_config_env(), config.get_config_secret_keys_env())
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=arguments["monitor"],
            engine=arguments["engine"],
            project=arguments["project"],
            stack=arguments["stack"],
            parallel=arguments["parallel"],
            dry_run=arguments["dry_run"],
            organization=arguments["organization"] or "organization",
            root_directory=arguments["root"],
        )
    )
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the SDK leaves tasks on purpose
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    def run() -> None:
        runpy.run_path(str(program), run_name="__main__")

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(run))
        return 0
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
    except Exception as error:
        pulumi.log.error(f"Program failed with an unhandled exception:\n{_trace(error)}")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return EXPLAINED


def _trace(error: BaseException) -> str:
    """The traceback from the program's own first line on: what is above is the host's and says nothing."""
    shown = traceback.TracebackException.from_exception(error)
    own = [n for n, frame in enumerate(shown.stack) if frame.filename.startswith("<frozen runpy")]
    if own:
        shown.stack = traceback.StackSummary.from_list(shown.stack[own[-1] + 1 :])
    return "".join(shown.format())


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from bench.lifetime import end_with_parent

    end_with_parent()
    sys.exit(main(json.loads(sys.argv[1])))

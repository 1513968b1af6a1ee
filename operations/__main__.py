"""`python -m operations`: the command line, and how what ends a command is shown."""

from __future__ import annotations

import os
import sys
import threading
import warnings

import httpx
from pulumi.automation import CommandError
from rich.console import Console

from components.problems import Problems
from operations.cli import app
from operations.errors import ExitCode, OperatorError
from operations.output import print_lines

_excepthook = threading.excepthook


def complain(text: str) -> None:
    """What ended the command, on standard error."""
    print_lines(Console(stderr=True), f"gatehouse: {text}")


def main() -> None:
    """Run the command line; an error that has a remedy is printed without a traceback."""
    # When a run is interrupted, the threads with which the Automation API reads its output stumble over its end.
    threading.excepthook = lambda args: None if "closed file" in str(args.exc_value) else _excepthook(args)
    warnings.filterwarnings("ignore", "Error in event stream")
    # The shell's completion goes by the bare name, whatever path it is typed with.
    completion = "_GATEHOUSE_COMPLETE" in os.environ or any("-completion" in each for each in sys.argv[1:2])
    try:
        app(prog_name="gatehouse" if completion else "./gatehouse")
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED:
            complain("interrupted; the next `up` goes on from here.")
        raise
    except (OperatorError, Problems) as error:
        complain(str(error))
        sys.exit(getattr(error, "code", ExitCode.FAILED))
    except httpx.HTTPError as error:
        complain(
            f"{type(error).__name__} at {error.request.url.host}: {error}\n"
            "  Check that it can be reached from here, then run the same command again."
        )
        sys.exit(ExitCode.FAILED)
    except CommandError:  # what failed is on the screen
        sys.exit(ExitCode.FAILED)


if __name__ == "__main__":
    main()

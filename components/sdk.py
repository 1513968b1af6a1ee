"""What Pulumi's SDK sends to the engine with each resource, and gatehouse does not."""

from __future__ import annotations

import os

import pulumi
import pulumi.runtime.resource
from pulumi.runtime.proto import source_pb2

DEBUG = "PULUMI_OPTION_DEBUG"
"""Environment: what Pulumi itself reads in place of `--debug`; with it the debug messages are sent."""


def trim() -> None:
    """Have resources that are declared from here on come without lines of code and without debug messages.

    The SDK hands each of them to the engine with its whole call stack, and the engine writes that into the state:
    folders of whoever ran it, the place of their Python among them, and other lines after every edit of this program.
    The stack itself is registered before any line of a program runs, and keeps its own.

    Each of the SDK's debug messages, four or five a resource, is a call that everything else waits for, and the engine
    throws them away unless it was asked for them. Neither has a switch.
    """
    pulumi.runtime.resource._get_stack_trace = source_pb2.StackTrace
    if os.environ.get(DEBUG, "").lower() not in ("1", "true"):
        pulumi.log.debug = _unsent


def _unsent(*_: object, **__: object) -> None:
    """In place of `pulumi.log.debug`."""

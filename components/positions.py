"""Keeps the places where resources are declared out of the state."""

from __future__ import annotations

import pulumi.runtime.resource as sdk
from pulumi.runtime.proto import source_pb2


def leave_out() -> None:
    """Have resources declared from here on say nothing of the lines of code that declare them.

    The SDK hands each of them to the engine with its whole call stack, and the engine writes that into the state:
    folders of whoever ran it, the place of their Python among them, and other lines after every edit of this program.
    Neither has a switch for it. The stack itself is registered before any line of a program runs, and keeps its own.
    """
    sdk._get_stack_trace = source_pb2.StackTrace

"""What `ssh` means when it fails by itself: its words, and the cause that they tell of."""

from __future__ import annotations

import enum
import re


class Cause(enum.Enum):
    """Why there is no way in."""

    OTHER_MACHINE = re.compile(
        r"host key verification failed|host identification has changed|host key is known", re.I
    )
    """Another host key than the pinned one."""
    KEY_REFUSED = re.compile(r"permission denied|too many authentication failures", re.I)
    """The right machine, which does not take our key."""
    NO_NAME = re.compile(r"could not resolve hostname", re.I)
    """A name that leads nowhere."""
    NO_CONNECTION = re.compile("")
    """Anything else: nothing answers, or the connection was lost."""


def find_cause(stderr: str) -> Cause:
    """The cause, by what ssh wrote to standard error."""
    return next(each for each in Cause if each.value.search(stderr))


def last_line(stderr: str) -> str:
    """The line that says it, without the banner (`@@@@@ … @`) around a changed host key."""
    lines = [line for line in stderr.strip().splitlines() if not line.startswith("@")]
    return lines[-1] if lines else "ssh gave no reason"

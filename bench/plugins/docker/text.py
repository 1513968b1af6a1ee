"""Durations as Go writes them, and failures as the docker plugin words them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests

from bench.plugins.base import Failed
from bench.plugins.values import Values

UNITS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}


def nanoseconds(duration: str) -> int:
    """A Go duration ("1m30s") in nanoseconds; 0 for what is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)", duration)
    return sum(round(float(number) * UNITS[unit]) for number, unit in parts)


def duration(nanoseconds: int) -> str:
    """Nanoseconds as Go writes them: 90 s is "1m30s", 60 s is "1m0s"."""
    if nanoseconds < UNITS["s"]:
        unit = next((u for u in ("ms", "us", "ns") if nanoseconds >= UNITS[u]), "s")
        return f"{nanoseconds / UNITS[unit]:g}{unit}"
    hours, rest = divmod(nanoseconds, UNITS["h"])
    minutes, rest = divmod(rest, UNITS["m"])
    front = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{front}{rest / UNITS['s']:g}s"


def explained(error: Exception) -> str:
    """What went wrong, as the daemon's own client says it."""
    if isinstance(error, docker.errors.APIError):
        return f"Error response from daemon: {error.explanation}"
    return str(error)


def one_error(message: str, urn: str = "", doing: str = "") -> str:
    """The bridge's frame around an error; with `doing` once the object exists."""
    return f"{f'{doing} {urn}: ' if doing else ''}1 error occurred:\n\t* {message}\n\n"


@contextmanager
def saying(
    prefix: str, urn: str = "", doing: str = "", id: str = "", known: Values | None = None
) -> Iterator[None]:
    """Turn what docker's SDK raises into Failed: `prefix`, then the daemon's words.

    With `id` the object exists all the same, and `known` is what the engine keeps of it.
    """
    try:
        yield
    except (docker.errors.DockerException, requests.RequestException) as error:
        message = one_error(f"{prefix}{explained(error)}", urn, doing)
        raise Failed(message, id=id, properties=known) from error

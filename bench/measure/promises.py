"""What gatehouse promises not to ask of authentik, counted at authentik."""

from __future__ import annotations

from collections.abc import Mapping

from bench.measure.traffic import Traffic


class BrokenPromiseError(Exception):
    """gatehouse asked for something that it promises not to ask for."""


def hold(seen: Mapping[str, Traffic]) -> None:
    """Raises BrokenPromiseError if one of these runs, none of which changes anything, asked for too much."""
    wrong = [f"{title}: {what}" for title, found in seen.items() for what in broken(title, found)]
    if wrong:
        raise BrokenPromiseError("More was asked of authentik than promised:\n" + "\n".join(wrong))


def broken(title: str, found: Traffic) -> list[str]:
    """What a run that changes nothing asked for beyond what is promised for it."""
    wrong = [f"wrote: {write}" for write in found.writes]
    if "refresh" in title:
        wrong += [f"{count} lists of {path}" for path, count in found.lists.items() if count != 1]
        wrong += [f"read one object: {path}" for path in found.singles]
        return wrong if found.lists else [*wrong, "nothing was read: the refresh did not refresh"]
    return wrong + [f"asked: GET {e['path']}" for e in found.entries if e["method"] == "GET"]


def calls_per_kind(refreshed: Traffic) -> float:
    """How many calls a refresh makes for each kind of object; the further pages of a list are part of it."""
    return (len(refreshed.entries) - refreshed.door - refreshed.pages) / len(refreshed.lists)

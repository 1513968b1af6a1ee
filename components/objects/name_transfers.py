"""Names that go from one object to another within one run, which no order of writes makes safe.

Renames and creations run side by side, and deletions last. So a name that is swapped, passed on in a chain, or given to
a new object while its owner is renamed, is refused while the preview is made, and not half way through a run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from components.objects.dialect import Kind
from components.objects.natural_key import Key
from components.objects.values import is_empty, is_unknown


class NameTransfers:
    """Which resource gives up which natural key in this run, and which takes one. Thread-safe.

    Keys are those that the program declares. Kinds that share one name space count as one.
    """

    def __init__(self) -> None:
        self._givers: dict[Key, str] = {}
        self._takers: dict[Key, str] = {}
        self._lock = threading.Lock()

    def conflict(self, kind: Kind, logical: str, prior: Mapping[str, Any], desired: Mapping[str, Any]) -> str:
        """Why this object cannot be called what it shall be called; empty if it can.

        `had`: its fields as the state has them, empty for a new object. Of two objects that are in each other's way the
        one that is asked for last is refused.
        """
        old, new = _key(kind, prior), _key(kind, desired)
        if new is None or old == new:
            return ""
        with self._lock:
            giver = self._givers.get(new, logical)
            taker = self._takers.get(old, logical) if old else logical
            self._takers[new] = logical
            if old:
                self._givers[old] = logical
        if giver != logical:
            what = f"{kind.key.display_name(desired)!r} is what {giver!r} is called until this run"
        elif taker != logical:
            what, giver = (
                f"its name {kind.key.display_name(prior)!r} goes to {taker!r} in this same run",
                logical,
            )
        else:
            return ""
        return (
            f"{what}, and no run hands a name on. Rename {giver!r} in a run of its own first; to swap two names, go "
            "through a third one"
        )


def _key(kind: Kind, fields: Mapping[str, Any]) -> Key | None:
    """The declared natural key, with the name space that it is in; None where it is not known, or not given."""
    values = [fields.get(field) for _, field in kind.key.chosen_fields(fields)]
    if any(is_empty(value) or is_unknown(value) for value in values):
        return None
    return (kind.groups[0] if kind.groups else kind.name, *kind.key.of(fields))

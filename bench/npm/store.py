"""What the emulator remembers: rows of JSON in one SQLite file below /data, so that a restart shows the
same.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def now() -> str:
    """The time as the real one writes it: UTC, without a zone, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


class Store:
    """Rows by kind and id. Deleted rows stay, invisible; an id is never given twice, as in the real one.

    Keys that begin with an underscore are for the emulator alone: `public` leaves them out.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        with self._lock:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS rows (kind TEXT, id INTEGER, deleted INTEGER DEFAULT 0,"
                " body TEXT, PRIMARY KEY (kind, id))"
            )
            self._db.execute("CREATE TABLE IF NOT EXISTS counters (kind TEXT PRIMARY KEY, last INTEGER)")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One reader-and-writer at a time, and all or nothing."""
        with self._lock:
            outermost = not self._db.in_transaction
            if outermost:
                self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if outermost:
                    self._db.execute("ROLLBACK")
                raise
            if outermost:
                self._db.execute("COMMIT")

    def next_id(self, kind: str) -> int:
        """A number that `kind` has not had."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO counters VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET last = last + 1", (kind,)
            )
            (last,) = self._db.execute("SELECT last FROM counters WHERE kind = ?", (kind,)).fetchone()
            return int(last)

    def insert(self, kind: str, body: Row) -> Row:
        """Add a row; returns it with its `id`, `created_on` and `modified_on`."""
        with self.transaction():
            row = {"id": self.next_id(kind), "created_on": now(), "modified_on": now(), **body}
            self._write(kind, row)
            return row

    def get(self, kind: str, key: int) -> Row | None:
        """The row, unless there is none or it was deleted."""
        with self._lock:
            found = self._db.execute(
                "SELECT body FROM rows WHERE kind = ? AND id = ? AND deleted = 0", (kind, key)
            ).fetchone()
        return json.loads(found[0]) if found else None

    def all(self, kind: str) -> list[Row]:
        """All rows of the kind that are not deleted, by id."""
        with self._lock:
            found = self._db.execute(
                "SELECT body FROM rows WHERE kind = ? AND deleted = 0 ORDER BY id", (kind,)
            ).fetchall()
        return [json.loads(body) for (body,) in found]

    def patch(self, kind: str, key: int, **changes: Any) -> Row:
        """Change a row and its `modified_on`. Raises KeyError if it is not there."""
        with self.transaction():
            row = self.get(kind, key)
            if row is None:
                raise KeyError(f"{kind} {key}")
            row |= {"modified_on": now(), **changes}
            self._write(kind, row)
            return row

    def remove(self, kind: str, key: int) -> None:
        """Hide the row."""
        with self._lock:
            self._db.execute("UPDATE rows SET deleted = 1 WHERE kind = ? AND id = ?", (kind, key))

    def _write(self, kind: str, row: Row) -> None:
        self._db.execute(
            "INSERT INTO rows (kind, id, body) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
            (kind, row["id"], json.dumps(row)),
        )


def public(row: Row) -> Row:
    """The row without what only the emulator knows."""
    return {key: value for key, value in row.items() if not key.startswith("_")}

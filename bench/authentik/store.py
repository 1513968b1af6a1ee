"""The emulator's state: objects by kind and key, in memory and, if asked for, written through to PostgreSQL.

An object is a JSON dict below a *kind* (an API path such as "/core/groups/", or a name of the emulator's own that
starts with "_") and a key (the object's pk, as text). Fields that never leave through the API start with "_":
`_password` is a hash, `_key` a token's key, `_key_data` a certificate's key in PEM.

PostgreSQL holds everything in one table, so that pg_dump is a backup:

    objects(kind text, pk text, seq bigint, data jsonb, primary key (kind, pk))
    change(stamp uuid)     one row: a new random stamp at every committed write
    heartbeat(at)          one row: when the worker was last alive

Server and worker are two processes, and a backup may be restored under them: each transaction compares the stamp with
the one of its own copy in memory and reads everything again when it moved.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

Data = Mapping[str, Any]
COUNTERS = "_counters"


class StoreUnavailableError(Exception):
    """The database can't be reached or has no tables (yet)."""


class Backend(Protocol):
    """Where a `Store` keeps its objects for good."""

    def migrate(self) -> None:
        """Make what the objects are kept in."""

    def begin(self, write: bool) -> list[tuple[str, str, int, dict[str, Any]]] | None:
        """Start a transaction; all rows in order of `seq` if they changed since this process looked last, else None."""

    def put(self, kind: str, pk: str, seq: int, data: Data) -> None:
        """Write one object."""

    def drop(self, kind: str, pk: str) -> None:
        """Delete one object."""

    def commit(self, wrote: bool) -> None:
        """End the transaction and keep what it did."""

    def rollback(self) -> None:
        """End the transaction and undo what it did."""

    def beat(self) -> None:
        """Note that the worker is alive."""

    def beaten(self, seconds: float) -> bool:
        """Whether the worker was alive within the last `seconds`."""


class Store:
    """Objects by kind and key. Every access belongs into `with store.reading():` or `with store.writing():`.

    Returned objects are the store's own: read them, and hand changed copies to `replace`. Both contexts hold one lock
    (so calls from several threads queue up), nest, and raise `StoreUnavailableError` when the database is away. An
    exception that leaves the outermost `writing` undoes everything that it did.
    """

    def __init__(self, backend: Backend | None = None) -> None:
        self.backend = backend
        self._objects: dict[str, dict[str, Data]] = {}
        self._seq: dict[tuple[str, str], int] = {}
        self._touched: dict[tuple[str, str], int] = {}
        self._touches = 0
        self._next = 1
        self._lock = threading.RLock()
        self._depth = 0
        self._writing = False
        self._undo: list[tuple[str, str, Data | None, int]] = []
        self.assume_worker = True

    # -- transactions ---------------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A consistent view of the state."""
        with self._transaction(write=False):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction: all of it happens or nothing."""
        with self._transaction(write=True):
            yield

    @contextmanager
    def _transaction(self, write: bool) -> Iterator[None]:
        with self._lock:
            if self._depth:
                if write and not self._writing:
                    raise RuntimeError("a writing transaction can't start inside a reading one")
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                return
            if self.backend and (rows := self.backend.begin(write)) is not None:
                self._load(rows)
            self._depth, self._writing, self._undo = 1, write, []
            try:
                yield
                if self.backend:
                    self.backend.commit(bool(self._undo))
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._depth, self._writing = 0, False

    def _load(self, rows: list[tuple[str, str, int, dict[str, Any]]]) -> None:
        self._objects, self._seq = {}, {}
        for kind, pk, seq, data in rows:
            self._objects.setdefault(kind, {})[pk] = data
            self._seq[kind, pk] = seq
        self._next = max(self._seq.values(), default=0) + 1

    def _roll_back(self) -> None:
        for kind, pk, before, seq in reversed(self._undo):
            if before is None:
                self._objects[kind].pop(pk, None)
                self._seq.pop((kind, pk), None)
            else:
                self._objects.setdefault(kind, {})[pk] = before
                self._seq[kind, pk] = seq
        # What was removed and is back again lies at the end now; objects are kept in the order of their making.
        for kind in {kind for kind, _pk, before, _seq in self._undo if before is not None}:
            objects = self._objects[kind]
            self._objects[kind] = {
                pk: objects[pk] for pk in sorted(objects, key=lambda pk: self._seq[kind, pk])
            }
        if self.backend:
            self.backend.rollback()

    # -- reading --------------------------------------------------------------------------------------------------

    def all(self, kind: str) -> list[Data]:
        """The objects of a kind, oldest first."""
        return list(self._objects.get(kind, {}).values())

    def count(self, kind: str) -> int:
        """How many objects of a kind there are."""
        return len(self._objects.get(kind, {}))

    def get(self, kind: str, pk: object) -> Data | None:
        """One object by its key."""
        return self._objects.get(kind, {}).get(str(pk))

    def find(self, kind: str, **equal: object) -> Data | None:
        """The oldest object of a kind whose fields have these values."""
        for data in self.all(kind):
            if all(data.get(name) == value for name, value in equal.items()):
                return data
        return None

    def kinds(self) -> list[str]:
        """The kinds of which there are objects."""
        return [kind for kind, objects in self._objects.items() if objects]

    def everything(self) -> Iterator[tuple[str, str, Data]]:
        """Every object with its kind and key."""
        for kind, objects in self._objects.items():
            for pk, data in objects.items():
                yield kind, pk, data

    def seq(self, kind: str, pk: object) -> int:
        """A number that grows with the time at which an object was made."""
        return self._seq.get((kind, str(pk)), 0)

    def touched(self, kind: str, pk: object) -> tuple[int, int]:
        """Sorts objects by their last change, as rows lie in a table of PostgreSQL (since this process started)."""
        return self._touched.get((kind, str(pk)), 0), self.seq(kind, pk)

    # -- writing --------------------------------------------------------------------------------------------------

    def insert(self, kind: str, pk: object, data: Data) -> None:
        """Add an object; KeyError when the key is taken."""
        if self.get(kind, pk) is not None:
            raise KeyError(f"{kind} {pk} exists")
        self._put(kind, str(pk), data)

    def replace(self, kind: str, pk: object, data: Data) -> None:
        """Put `data` in an object's place; KeyError when there is none."""
        if self.get(kind, pk) is None:
            raise KeyError(f"{kind} {pk} does not exist")
        self._put(kind, str(pk), data)

    def remove(self, kind: str, pk: object) -> None:
        """Delete an object; KeyError when there is none."""
        key = str(pk)
        self._check()
        before = self._objects[kind].pop(key)
        self._undo.append((kind, key, before, self._seq.pop((kind, key))))
        if self.backend:
            self.backend.drop(kind, key)

    def touch(self, kind: str, pk: object) -> None:
        """Note a change that leaves the object as it is (PostgreSQL writes the row anew, at the table's end)."""
        self._touches += 1
        self._touched[kind, str(pk)] = self._touches

    def next_int(self, space: str) -> int:
        """The next number of a sequence; a number is never given twice, not even after deletes."""
        row = self.get(COUNTERS, space)
        number = int(row["n"]) + 1 if row else 1
        self._put(COUNTERS, space, {"n": number})
        return number

    def _check(self) -> None:
        if not self._writing:
            raise RuntimeError("writes need `with store.writing():`")

    def _put(self, kind: str, key: str, data: Data) -> None:
        self._check()
        objects = self._objects.setdefault(kind, {})
        seq = self._seq.get((kind, key))
        if seq is None:
            seq, self._next = self._next, self._next + 1
        self._undo.append((kind, key, objects.get(key), seq))
        objects[key] = data
        self._seq[kind, key] = seq
        self._touches += 1
        self._touched[kind, key] = self._touches
        if self.backend:
            self.backend.put(kind, key, seq, data)

    # -- the worker's sign of life --------------------------------------------------------------------------------

    def beat(self) -> None:
        """Called by the worker every second or so."""
        if self.backend:
            with self._lock:
                self.backend.beat()

    def worker_alive(self, within: float = 10.0) -> bool:
        """Whether a worker is there (in memory, where it is a thread of this process, as `assume_worker` says)."""
        if not self.backend:
            return self.assume_worker
        with self._lock:
            return self.backend.beaten(within)

"""A store's backend in PostgreSQL (see `store` for the tables)."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bench.authentik.store import Data, StoreUnavailableError

TABLES = """
create table if not exists objects (
    kind text, pk text, seq bigint not null, data jsonb not null, primary key (kind, pk)
);
create table if not exists change (stamp uuid not null);
create table if not exists heartbeat (at timestamptz not null);
insert into change select gen_random_uuid() where not exists (select from change);
insert into heartbeat select 'epoch' where not exists (select from heartbeat);
"""
MIGRATION_LOCK = 7431


def conninfo(environment: Mapping[str, str] = os.environ) -> str:
    """The connection that AUTHENTIK_POSTGRESQL__{HOST,PORT,NAME,USER,PASSWORD} name, with authentik's defaults.

    A value that starts with "file://" is read from that file, one with "env://" from that variable, as authentik does.
    """

    def read(name: str, default: str) -> str:
        value = environment.get(f"AUTHENTIK_POSTGRESQL__{name}", default)
        if value.startswith("file://"):
            with open(value.removeprefix("file://")) as handle:  # noqa: PTH123 (the value is a URL, not a Path)
                return handle.read().strip()
        return environment.get(value.removeprefix("env://"), "") if value.startswith("env://") else value

    return psycopg.conninfo.make_conninfo(
        host=read("HOST", "localhost"),
        port=read("PORT", "5432"),
        dbname=read("NAME", "authentik"),
        user=read("USER", "authentik"),
        password=read("PASSWORD", ""),
        connect_timeout=3,
        application_name="authentik",
    )


class Postgres:
    """One connection, opened again when it broke. Not thread-safe: `Store` holds its lock around every call."""

    def __init__(self, info: str) -> None:
        self.info = info
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._stamp: uuid.UUID | None = None

    @contextmanager
    def _guard(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self.info)
            yield self._connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self._forget()
            raise StoreUnavailableError(f"PostgreSQL: {error}") from error
        except psycopg.Error as error:
            self._forget()
            if isinstance(error, psycopg.errors.UndefinedTable):
                raise StoreUnavailableError("PostgreSQL: no tables yet") from error
            raise

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._stamp = None, None

    def migrate(self) -> None:
        """Make the tables. The first of several processes does, the others wait for it."""
        with self._guard() as connection:
            connection.execute("select pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
            connection.execute(TABLES)
            connection.commit()

    def begin(self, write: bool) -> list[tuple[str, str, int, dict[str, Any]]] | None:
        """See `store.Backend`. A writing transaction locks the stamp, so writers of several processes take turns."""
        with self._guard() as connection:
            lock = " for update" if write else ""
            row = connection.execute("select stamp from change" + lock).fetchone()  # noqa: S608 (a constant)
            if row is None:
                connection.rollback()
                raise StoreUnavailableError("PostgreSQL: the table `change` is empty")
            if row[0] == self._stamp:
                return None
            rows = connection.execute("select kind, pk, seq, data from objects order by seq").fetchall()
            self._stamp = row[0]
            return [(kind, pk, seq, data) for kind, pk, seq, data in rows]

    def put(self, kind: str, pk: str, seq: int, data: Data) -> None:
        """See `store.Backend`."""
        with self._guard() as connection:
            connection.execute(
                "insert into objects values (%s, %s, %s, %s) on conflict (kind, pk) do update set data = excluded.data",
                [kind, pk, seq, Jsonb(data, dumps=json.dumps)],
            )

    def drop(self, kind: str, pk: str) -> None:
        """See `store.Backend`."""
        with self._guard() as connection:
            connection.execute("delete from objects where kind = %s and pk = %s", [kind, pk])

    def commit(self, wrote: bool) -> None:
        """See `store.Backend`."""
        with self._guard() as connection:
            if wrote:
                stamp = uuid.uuid4()
                connection.execute("update change set stamp = %s", [stamp])
            connection.commit()
            if wrote:
                self._stamp = stamp

    def rollback(self) -> None:
        """See `store.Backend`."""
        if self._connection is not None and not self._connection.closed:
            try:
                self._connection.rollback()
            except psycopg.Error:
                self._forget()

    def beat(self) -> None:
        """See `store.Backend`."""
        with self._guard() as connection:
            connection.execute("update heartbeat set at = now()")
            connection.commit()

    def beaten(self, seconds: float) -> bool:
        """See `store.Backend`."""
        with self._guard() as connection:
            row = connection.execute(
                "select at > now() - make_interval(secs => %s) from heartbeat", [seconds]
            ).fetchone()
            connection.commit()
            return bool(row and row[0])

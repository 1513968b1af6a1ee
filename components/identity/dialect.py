"""authentik's API, as the reconcile engine talks to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from components.identity.bootstrap import ADMITTED, READY, READY_PATH, SILENT_ELSEWHERE, Bootstrap
from components.identity.kinds import ReleaseLine, defaults
from components.identity.rights import TOKEN, Rights, reduces_rights
from components.objects.dialect import Kind
from components.objects.errors import ObjectError
from components.objects.http import Endpoint, Http, RefusedError
from components.objects.outage import patience

PAUSE = 1.0
"""Seconds between two looks for a default object that is still to come."""
PAGE = 100
"""Objects a page: the most that authentik gives."""
SETTLING = 120.0
"""Seconds after the first contact in which default objects of a young server may still appear."""
BRIEF = 10.0
"""The same for a server that let us in at once: blueprints end some seconds after the token begins to work."""
READS = 3
"""How often a list is read again when it changes while its pages are read."""


class Authentik:
    """One authentik server. The first request opens the way to it and waits until it lets us in."""

    def __init__(self, address: str, token: str, bootstrap: str | None, line: ReleaseLine) -> None:
        """`address`: "ssh:<client>@<ip>/127.0.0.1:9000" or a URL. `bootstrap`: the token of the first start."""
        self.where = f"authentik at {address}"
        self._address = address
        self._token = token
        self._bootstrap = bootstrap
        self._line = line
        self._lock = threading.Lock()
        self._guard_lock = threading.Lock()
        self._account = ""
        self._http: Http | None = None
        self._failure: Exception | None = None
        self._settled_at = float("inf")

    def kind(self, name: str) -> Kind:
        """Facts of a kind, from the tables of this line."""
        return self._line.kind(name)

    def request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> Any:
        """One call below /api/v3."""
        headers = {"Authorization": f"Bearer {self._token}"}
        return self._ready().request(method, f"/api/v3{path}", params=params, body=body, headers=headers)[1]

    def rows(self, path: str, **wanted: str) -> Iterator[Mapping[str, Any]]:
        """The rows of a list, page by page, as it is while it is read; `wanted` are its filters."""
        page = 1
        while page:
            answer = self.request("GET", path, params={**wanted, "page_size": str(PAGE), "page": str(page)})
            yield from answer["results"]
            page = int(answer["pagination"]["next"])

    def list_objects(self, kind: Kind) -> Sequence[Mapping[str, Any]]:
        """All pages of a kind's list; read again if it changed while it was being read."""
        flag = {} if kind.name.startswith("@") else self._line.list_params(kind.name)
        found: dict[str, Mapping[str, Any]] = {}
        for _ in range(READS):
            found, steady = self._pages(kind, flag)
            if steady:
                break
        return list(found.values())

    def _pages(self, kind: Kind, flag: Mapping[str, str]) -> tuple[dict[str, Mapping[str, Any]], bool]:
        found: dict[str, Mapping[str, Any]] = {}
        counts = set()
        seen, page = 0, 1
        while page:
            try:
                answer = self.request(
                    "GET", kind.path, params={**flag, "page_size": str(PAGE), "page": str(page)}
                )
            except RefusedError as refused:
                if refused.status == 404 and page > 1:
                    return found, False  # the list grew shorter than this page
                raise
            if not isinstance(answer, dict) or not {"pagination", "results"} <= answer.keys():
                raise ObjectError(
                    f"answers GET {kind.path} with something that is no list of authentik's",
                    self.where,
                    "Look what is at this address, and correct it",
                )
            counts.add(answer["pagination"]["count"])
            seen += len(answer["results"])
            found.update((str(item[kind.pk]), item) for item in answer["results"])
            page = int(answer["pagination"]["next"])
        return found, len(counts) == 1 and len(found) == seen

    def will_appear(self, kind: Kind, key: str) -> bool:
        """Default objects are made while authentik is already answering: wait for those by name."""
        if time.monotonic() > self._settled_at:
            return False
        labels = self._line.members(kind.name)
        known = any(
            key in names or key in names.values() for names in (defaults().get(label, {}) for label in labels)
        )
        if known:
            time.sleep(PAUSE)
        return known

    def explain(self, kind: Kind, payload: Any) -> str:
        """authentik's own words, by field; nothing about fields that hold secrets but that they were refused."""
        words = "; ".join(_messages(payload, kind.hidden))
        if kind.name in self._line.labels() and self._line.needs_enterprise(kind.name):
            words = f"{words} (objects of this kind need an enterprise licence)".strip()
        return words

    def normalize(self, kind: Kind, name: str, value: Any) -> Any:
        """Countries come back sorted."""
        return (
            sorted(value)
            if name in self._line.sorted_fields(kind.name) and isinstance(value, list)
            else value
        )

    @contextmanager
    def guard(self, kind: Kind, item: Mapping[str, Any], body: Mapping[str, Any] | None) -> Iterator[None]:
        """Nothing takes away the rights of our own account, or the last administrator's, or the token in use.

        Such writes are made one at a time, each looked at right before it: two of them might each rely on what the
        other one takes away.
        """
        if not reduces_rights(kind.name, item, body, self.me):
            yield
            return
        with self._guard_lock:
            objection = self._denial(kind, item, body)
            if objection:
                place = f"{self.where}, {kind.title} {kind.key.display_name(item)!r}"
                raise ObjectError(objection[0], place, objection[1])
            yield

    def me(self) -> str:
        """The pk of the account that the token belongs to."""
        self._ready()
        return self._account

    def _denial(
        self, kind: Kind, item: Mapping[str, Any], body: Mapping[str, Any] | None
    ) -> tuple[str, str] | None:
        if kind.name == TOKEN:
            key = self.request("GET", f"{kind.path}{item['identifier']}/view_key/")["key"]
            if key != self._token or (body is not None and body.keys() == {"key"} and body["key"] == key):
                return None
            return (
                f"it is the token that this stack works with, and would be {'changed' if body else 'deleted'}",
                "Let the stack work with another one first (gatehouse:authentik.token)",
            )
        rights = Rights.read(self)
        after = rights.copy()
        after.apply(kind.name, str(item[kind.pk]), body)
        return rights.denial(after)

    def effect_log(self, kind: Kind, item: Mapping[str, Any]) -> Sequence[str]:
        """What the worker's last task about the object said that went wrong; everything, where it marked nothing."""
        app, _, model = kind.name.partition(".")
        about = {
            "rel_obj_content_type__app_label": app,
            "rel_obj_content_type__model": model,
            "rel_obj_id": str(item[kind.pk]),
            "ordering": "-mtime",
        }
        try:
            found = self.request("GET", "/tasks/tasks/", params=about)["results"]
        except RefusedError:
            return ()
        lines = (found[0].get("logs") or found[0].get("messages") or []) if found else []
        wrong = [line for line in lines if line.get("log_level") in {"warning", "error", "critical"}] or lines
        return [str(line.get("event"))[:300] for line in wrong]

    def is_reachable(self) -> bool:
        """Whether it is up and takes our token at the first look. Waits for nothing, and writes nothing."""
        from components.ssh import AccessError  # noqa: PLC0415  (ssh and keys, which a preview does not need)

        with self._lock:
            try:
                self._http = self._http or self._open(ready=0.0, admitted=0.0)
            except (ObjectError, AccessError):
                return False
        return True

    def _ready(self) -> Http:
        with self._lock:
            if self._failure is not None:
                raise self._failure  # the engine asks for several objects at once: they need not wait in turn
            if self._http is None:
                ours = self._address.startswith("ssh:")
                try:
                    self._http = self._open(
                        READY if ours else patience(), ADMITTED, None if ours else SILENT_ELSEWHERE
                    )
                except Exception as failure:
                    self._failure = failure
                    raise
            return self._http

    def _open(self, ready: float, admitted: float, silence: float | None = None) -> Http:
        http = Http(lambda: _endpoint(self._address), self.where, alive=READY_PATH)
        bootstrap = Bootstrap(
            http, self._token, self._bootstrap, ready=ready, silence=silence, admitted=admitted
        )
        young = bootstrap.run()
        self._account = bootstrap.account
        self._settled_at = time.monotonic() + (SETTLING if young else min(BRIEF, SETTLING))
        return http


def _endpoint(address: str) -> Endpoint:
    """How an address is reached: as it is, or through a tunnel."""
    if not address.startswith("ssh:"):
        return Endpoint(address.rstrip("/"))
    from components.ssh import tunnel  # noqa: PLC0415  (ssh and keys, which a preview does not need)

    return tunnel(address)


def _messages(payload: Any, hidden: frozenset[str], field: str = "") -> list[str]:
    """authentik's errors, flat: {"name": ["must be unique"]} -> ["name: must be unique"]."""
    if isinstance(payload, dict):
        return [
            saying
            for name, inner in payload.items()
            for saying in (
                [f"{name}: refused"]
                if name in hidden
                else _messages(
                    inner, hidden, field if name in {"detail", "non_field_errors"} else f"{field}{name}."
                )
            )
        ]
    if isinstance(payload, list):
        return [saying for inner in payload for saying in _messages(inner, hidden, field)]
    if payload is None:
        return []
    prefix = f"{field.rstrip('.')}: " if field else ""
    return [f"{prefix}{str(payload)[:200]}"]

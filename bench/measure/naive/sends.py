"""A dynamic provider that only sends requests with httpx: no look, no comparison, no care for what is there."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from pulumi.dynamic import (
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

CALL = "call"
"""Input that says how an object is made: {path, url, apart: {field: path}}; all other inputs are its body."""
REFRESH, CHANGE = "refresh", "change"
"""Lists that are asked for before something is read again or changed."""
_BESIDE = (CALL, "pk", "where", "__provider")


class Sender:
    """One HTTP connection pool, and the lists that are asked for before the first object of a kind."""

    def __init__(self, address: str, token: str, lists: dict[str, list[str]]) -> None:
        import httpx  # noqa: PLC0415  (a preview sends nothing)

        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._client = httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False)
        self._lists = lists
        self._locks = {path: threading.Lock() for path in lists}

    def send(self, method: str, path: str, body: object = None) -> Any:
        """One call; the decoded answer. Raises httpx.HTTPStatusError."""
        answer = self._client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def look_round(self, path: str) -> None:
        """Ask for the lists that belong to a kind, once."""
        if path not in self._lists:
            return
        with self._locks[path]:
            for each in self._lists[path]:
                self.send("GET", each)
            self._lists[path] = []

    def make(self, call: dict[str, Any], fields: dict[str, Any]) -> tuple[Any, str]:
        """Create an object; its pk and where it is."""
        self.look_round("")
        self.look_round(call["path"])
        apart = call["apart"]
        body = {name: value for name, value in fields.items() if name not in apart}
        made = self.send("POST", call["path"], body)
        where = f"{call['path']}{made[call['url']]}/"
        for name, path in apart.items():
            self.send("POST", where + path, {name: fields[name]})
        return made["pk"], where

    def change(self, where: str, fields: dict[str, Any]) -> None:
        """Change some fields of an object."""
        self.look_round(CHANGE)
        self.send("PATCH", where, fields)


class Sends(ResourceProvider):
    """Creates, changes and deletes."""

    serialize_as_secret_always = False  # as gatehouse

    def configure(self, req: ConfigureRequest) -> None:
        """The explicit provider's values, and what else `requests.json` says."""
        lists = json.loads(Path("requests.json").read_text())["lists"]
        self._given = (req.config.get("address") or "", req.config.get("token") or "", lists)
        self._lock = threading.Lock()
        self._sender: Sender | None = None

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Whether any field is another."""
        return DiffResult(changes=bool(changed(_olds, _news)))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Send what there is to send."""
        fields = {name: whole(value) for name, value in props.items() if name not in _BESIDE}
        pk, where = self._at().make(props[CALL], fields)
        return CreateResult(str(pk), {**props, "pk": pk, "where": where})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Ask for what there is, and trust that nothing changed."""
        self._at().look_round(REFRESH)
        return ReadResult(id_, props)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Send what changed."""
        self._at().change(_olds["where"], changed(_olds, _news))
        return UpdateResult({**_news, "pk": _olds["pk"], "where": _olds["where"]})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete it."""
        self._at().send("DELETE", _props["where"])

    def _at(self) -> Sender:
        with self._lock:
            if self._sender is None:
                self._sender = Sender(*self._given)
            return self._sender


def changed(olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """The fields that are new."""
    return {
        name: whole(value)
        for name, value in news.items()
        if name not in _BESIDE and value is not None and value != olds.get(name)
    }


def whole(value: Any) -> Any:
    """A value without the decimal points that Pulumi gives to all numbers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    return [whole(inner) for inner in value] if isinstance(value, list) else value

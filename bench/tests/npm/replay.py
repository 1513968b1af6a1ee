"""Asks the emulator what the real one was asked, in the order in which it was asked, and compares the
answers.

Everything is compared but what must differ from run to run: ids are mapped, moments, tokens and keys are
only compared in kind, file names and line numbers in messages are levelled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

RECORDINGS = Path(__file__).resolve().parent.parent / "recordings" / "npm"
KINDS = {"proxy-hosts": "host", "certificates": "certificate", "access-lists": "access", "users": "user"}
PLAIN_ID = {"certificate_id": "certificate", "access_list_id": "access", "owner_user_id": "user"}
MOMENTS = re.compile(r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?$")
DIFFERS = {
    "token",
    "secret",
    "issuer",
    "from",
    "to",
    "certificate_key",
    "cmd",
}
"""Values of which only the type is compared."""


def names() -> list[str]:
    """All recordings that are a request with its response, as `folder/name`."""
    found = []
    for path in sorted(RECORDINGS.rglob("*.json")):
        recorded = json.loads(path.read_text())
        if isinstance(recorded.get("request"), dict):
            found.append(f"{path.parent.name}/{path.stem}")
    return found


@dataclass
class Replay:
    """One series of requests to one emulator."""

    api: httpx.Client
    upstream: int
    directory: str
    tokens: dict[str, str] = field(default_factory=dict)
    ids: dict[tuple[str, int], int] = field(default_factory=dict)
    checked: dict[str, list[str]] = field(default_factory=dict)

    def ask(self, name: str, *, token: str | None = "admin", **overrides: Any) -> Any:
        """Send a recording's request and note how the answer differs. Returns the answer's body."""
        recorded = json.loads((RECORDINGS / f"{name}.json").read_text())
        response = self.send(recorded["request"], token=token, **overrides)
        self.note(name, recorded, response)
        return _json(response)

    def send(
        self, request: dict[str, Any], *, token: str | None = "admin", **overrides: Any
    ) -> httpx.Response:
        """Send a recorded request, its ids mapped."""
        headers = {"authorization": f"Bearer {self.tokens[token]}"} if request["auth"] and token else {}
        body = self._mapped(request["body"])
        if isinstance(body, dict):
            body |= overrides.pop("json", {})
        if request["content_type"] == "application/json":
            sent: dict[str, Any] = {"content": body if isinstance(body, str) else json.dumps(body)}
            headers["content-type"] = "application/json"
        else:
            sent = {}
        return self.api.request(
            request["method"], self._path(request["path"]), headers=headers, **sent, **overrides
        )

    def setup(
        self, method: str, path: str, body: Any = None, *, recorded: int | None = None, **more: Any
    ) -> Any:
        """Do something that was done but not recorded; ids are those of the recordings, `recorded` the one it
        gave then."""
        headers = {"authorization": f"Bearer {self.tokens['admin']}"}
        response = self.api.request(
            method, self._path(path), headers=headers, json=self._mapped(body), **more
        )
        response.raise_for_status()
        answer = _json(response)
        if recorded is not None:
            self.ids[_kind(path), recorded] = answer["id"]
        return answer

    def note(self, name: str, recorded: dict[str, Any], response: httpx.Response) -> None:
        """Compare an answer with the recorded one."""
        wanted, got = recorded["response"], _json(response)
        differences = []
        if response.status_code != wanted["status"]:
            differences.append(
                f"status {response.status_code}, recorded {wanted['status']}: {response.text[:300]}"
            )
        if isinstance(wanted["body"], dict) and isinstance(got, dict) and wanted["status"] == 201:
            self.ids[_kind(recorded["request"]["path"]), wanted["body"].get("id", 0)] = got.get("id", 0)
        differences += self._compare(wanted["body"], got, "", kind=_kind(recorded["request"]["path"]))
        self.checked[name] = differences

    def _path(self, path: str) -> str:
        def mapped(match: re.Match[str]) -> str:
            kind, number = KINDS[match[1]], int(match[2])
            return f"/{match[1]}/{self.ids.get((kind, number), number)}"

        return re.sub(r"/(proxy-hosts|certificates|access-lists|users)/(\d+)", mapped, path).removeprefix(
            "/api"
        )

    def _mapped(self, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        changed = dict(body)
        for key in body.keys() & PLAIN_ID.keys():
            if isinstance(body[key], int):
                changed[key] = self.ids.get((PLAIN_ID[key], body[key]), body[key])
        if body.get("forward_port") == 19000:
            changed["forward_port"] = self.upstream
        if body.get("locations"):
            changed["locations"] = [self._mapped(one) for one in body["locations"]]
        return changed

    def _compare(self, wanted: Any, got: Any, at: str, kind: str) -> Iterator[str]:
        key = at.rpartition("/")[2]
        if isinstance(wanted, dict) and isinstance(got, dict):
            for name in sorted(wanted.keys() - got.keys()):
                yield f"{at}/{name} is missing"
            for name in sorted(got.keys() - wanted.keys()):
                yield f"{at}/{name} is not in the recording"
            for name in sorted(wanted.keys() & got.keys()):
                inner = {"owner": "user", "certificate": "certificate", "access_list": "access"}.get(
                    name, kind
                )
                inner = (
                    "host" if name == "proxy_hosts" else "member" if name in ("items", "clients") else inner
                )
                yield from self._compare(wanted[name], got[name], f"{at}/{name}", inner)
        elif isinstance(wanted, list) and isinstance(got, list) and key != "backup_codes":
            if key == "stack":
                wanted = [line for line in wanted if not line.startswith("    at ")]
            if got and "credentials" in got[0]:
                # The bench stands in for some of the DNS providers.
                wanted = [one for one in wanted if one["id"] in {other["id"] for other in got}]
            if len(wanted) != len(got):
                yield f"{at} has {len(got)} entries, recorded {len(wanted)}: {got!r:.300}"
            for number, (one, other) in enumerate(zip(wanted, got, strict=False)):
                yield from self._compare(one, other, f"{at}/{number}", kind)
        elif key in DIFFERS or (isinstance(wanted, str) and MOMENTS.match(wanted)):
            if type(wanted) is not type(got):
                yield f"{at} is {type(got).__name__}, recorded {type(wanted).__name__}"
        else:
            yield from self._compare_value(wanted, got, at, key, kind)

    def _compare_value(self, wanted: Any, got: Any, at: str, key: str, kind: str) -> Iterator[str]:
        if isinstance(wanted, str):
            wanted, got = _level(wanted), _level(str(got))
            for (_, number), ours in self.ids.items():
                other = re.sub(rf"(?<=Not Found - ){number}$", str(ours), wanted)
                if other == got:
                    return
        elif key == "forward_port" and wanted == 19000:
            wanted = self.upstream
        elif key == "id" and kind != "member":
            wanted = self.ids.get((kind, wanted), wanted)
        elif key in PLAIN_ID:
            wanted = self.ids.get((PLAIN_ID[key], wanted), wanted)
        elif key in ("id", "access_list_id"):
            return
        if wanted != got or type(wanted) is not type(got):
            yield f"{at} is {got!r:.300}, recorded {wanted!r:.300}"


def _level(text: str) -> str:
    """Without file names, line numbers and the like."""
    text = re.sub(r"(in )?/\S*?/(proxy_host/\d+\.conf|nginx\.conf)(:\d+)?", r"<file>", text)
    text = re.sub(r"/var/tmp/[0-9a-f-]{36}", "<temporary>", text)
    text = re.sub(r"/var/tmp/certbot-log-?\w*/log", "<log>", text)
    text = re.sub(r"credentials-\d+", "credentials-<id>", text)
    text = re.sub(r"^(Not Found - )?/(nginx|users)/(\S+?)/\d+", r"\1/\2/\3/<id>", text)
    text = re.sub(r"(/directory) \(.*\)$", r"\1", text)
    return re.sub(r"-----BEGIN (CERTIFICATE|PRIVATE KEY)-----.*", r"<\1>", text, flags=re.DOTALL)


def _kind(path: str) -> str:
    return next((kind for name, kind in KINDS.items() if name in path), "")


def _json(response: httpx.Response) -> Any:
    return response.json() if "json" in response.headers.get("content-type", "") else response.text

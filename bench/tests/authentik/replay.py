"""Replays the recorded conversations with a real authentik 2026.2.2 against the emulator and compares the answers."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from bench.authentik import defaults
from bench.authentik.context import Context
from bench.authentik.testing import Running

RECORDINGS = Path(__file__).parent.parent / "recordings" / "authentik"
UUID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{64}\b|\b[0-9a-f]{32}\b"
)
JWT = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")
TITLE = re.compile(r"<title>\s*(.*?)\s*</title>", re.DOTALL)
# Headers that are compared where the recording kept all of them (series d).
HEADERS = ("allow", "cache-control", "pragma", "access-control-allow-origin", "location")
TOKEN, SECRET_KEY = "real-token-0123456789", "real-secret-key-" + "0" * 60
# What differs between any two installations: only the type is compared.
VOLATILE = {
    "avatar", "uid", "user_uid", "num_pk", "client_id", "client_secret", "key", "token", "fingerprint_sha256",
    "fingerprint_sha1", "cert_expiry", "date_joined", "last_login", "password_change_date", "last_updated",
    "expires", "last_applied", "last_applied_hash", "last_m", "hash", "server_time", "http_headers", "runtime",
    "data", "created", "sentry_dsn", "http_host", "description", "exp", "iat", "auth_time", "jti", "sid", "request_id",
    "kid", "n", "x5c", "x5t", "x5t#S256",
}  # fmt: skip
Recording = dict[str, Any]


def recordings(series: str) -> list[Recording]:
    """The recordings of one series, in order."""
    found: list[Recording] = json.loads((RECORDINGS / f"{series}.json").read_text())
    return found


class Replay:
    """One series against one emulator. Ids of the recording are translated to those of the emulator as they appear."""

    def __init__(self, running: Running, host: str = "127.0.0.1:9000") -> None:
        self.running, self.host = running, host
        self.ids: dict[str, str] = {}
        # Cookies and tokens: the recorded value stands for the emulator's.
        self.words: dict[str, str] = {}
        self.client = httpx.Client(base_url=running.url)

    def translate(self, text: str) -> str:
        """Recorded ids in a path or body replaced by the emulator's."""
        for recorded, own in self.words.items():
            text = text.replace(recorded, own)
        return UUID.sub(lambda match: self.ids.get(match.group(), match.group()), text)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """A call that no recording holds but that the recorded state needs; it must succeed."""
        answer = self.client.request(
            method, "/api/v3" + path, json=body, headers={"Authorization": f"Bearer {self.running.token}"}
        )
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def make(self, path: str, recorded: str = "", **body: Any) -> Any:
        """Create an object; `recorded` is the id it has in the recordings."""
        found = self.api("POST", path, body)
        if recorded:
            self.ids[recorded] = found["pk"]
        return found

    def find(self, path: str, **query: str) -> Any:
        """The one object that a query names."""
        (found,) = self.api("GET", f"{path}?{httpx.QueryParams(query)}")["results"]
        return found

    def play(self, recording: Recording) -> list[str]:
        """Send one recorded request; the differences of the answers (none: they agree)."""
        request, wanted = recording["request"], recording["response"]
        headers = {
            name: self.translate(value.replace(TOKEN, self.running.token))
            for name, value in request["headers"].items()
            if value
        }
        body = request["body"]
        if body is not None:
            form = headers.get("Content-Type") == "application/x-www-form-urlencoded"
            text = body if isinstance(body, str) else urlencode(body) if form else json.dumps(body)
            body = self.translate(text).encode()
        # Outside of the API, the recorder put its prefix before whole paths.
        path = self.translate(request["path"]).replace("/api/v3//", "/")
        self.client.cookies.clear()
        answer = self.client.request(request["method"], path, content=body, headers=headers)
        if answer.status_code != wanted["status"]:
            return [f"status {wanted['status']} became {answer.status_code} {answer.text[:200]}"]
        try:
            found = answer.json() if answer.content else None
        except ValueError:
            found = {"_non_json": answer.text}
        self.learn(wanted["body"], found)
        differences = list(self.compare(wanted["body"], found, ""))
        kind, wanted_kind = (
            answer.headers.get("content-type", ""),
            dict(wanted["headers"]).get("content-type", ""),
        )
        if wanted["body"] is not None and kind.partition(";")[0] != wanted_kind.partition(";")[0]:
            differences.append(f"content type {wanted_kind} became {kind}")
        if isinstance(wanted["headers"], list):
            differences += self.compare_headers(wanted["headers"], answer.headers)
        return differences

    def compare_headers(self, wanted: list[list[str]], found: httpx.Headers) -> Iterator[str]:
        """Differences in the headers that mean something, cookies among them."""
        recorded = dict(wanted)
        for name in HEADERS:
            self.learn(recorded.get(name), found.get(name))
            yield from self.compare(recorded.get(name), found.get(name), f"header {name}")
        cookies = [value for name, value in wanted if name == "set-cookie"]
        own = {cookie.partition("=")[0]: cookie for cookie in found.get_list("set-cookie")}
        if [cookie.partition("=")[0] for cookie in cookies] != list(own):
            yield f"cookies {cookies} became {list(own)}"
            return
        for cookie in cookies:
            one, two = (
                text.partition("=")[2].split("; ") for text in (cookie, own[cookie.partition("=")[0]])
            )
            self.words[one[0]] = two[0]
            self.learn(one[0], two[0])
            yield from self.compare(opened(one[0]), opened(two[0]), "cookie")
            marks = [
                sorted(mark.lower() for mark in parts[1:] if "expires" not in mark) for parts in (one, two)
            ]
            if marks[0] != marks[1]:
                yield f"cookie {marks[0]} became {marks[1]}"

    def learn(self, wanted: Any, found: Any) -> None:
        """Note which of the emulator's ids stands for which recorded one."""
        if isinstance(wanted, dict) and isinstance(found, dict):
            for name in wanted.keys() & found.keys():
                self.learn(wanted[name], found[name])
        elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
            for one, two in zip(wanted, found, strict=True):
                self.learn(one, two)
        elif isinstance(wanted, str) and isinstance(found, str):
            if JWT.fullmatch(wanted) and JWT.fullmatch(found):
                self.words[wanted] = found
                self.learn(opened(wanted), opened(found))
                return
            ones, twos = UUID.findall(wanted), UUID.findall(found)
            if len(ones) == len(twos) and UUID.sub("", wanted) == UUID.sub("", found):
                for one, two in zip(ones, twos, strict=True):
                    self.ids.setdefault(one, two)

    def compare(self, wanted: Any, found: Any, where: str) -> Iterator[str]:
        """Differences in keys and types, and in values where these are not an installation's own."""
        name = where.rsplit(".", 1)[-1]
        if type(wanted) is not type(found) and not (
            isinstance(wanted, (int, float))
            and isinstance(found, (int, float))
            and not isinstance(wanted, bool)
        ):
            yield f"{where}: {short(wanted)} became {short(found)}"
        elif name == "_non_json":
            one, two = (TITLE.findall(text) for text in (wanted, found))
            if one and one != two:
                yield f"title {one} became {two}"
        elif name in VOLATILE or (name == "metadata" and isinstance(wanted, str)):
            return
        elif isinstance(wanted, dict):
            for key in sorted(wanted.keys() | found.keys()):
                if key not in found:
                    yield f"{where}.{key} is missing"
                elif (
                    key not in wanted and key != "autocomplete"
                ):  # the lists of a later run have it, these don't
                    yield f"{where}.{key} is too much"
                elif key in wanted:
                    yield from self.compare(wanted[key], found[key], f"{where}.{key}")
        elif isinstance(wanted, list):
            if len(wanted) != len(found):
                yield f"{where}: {len(wanted)} entries became {len(found)}"
            for one, two in zip(wanted, found, strict=False):
                yield from self.compare(one, two, where)
        elif isinstance(wanted, str) and JWT.fullmatch(wanted):
            yield from self.compare(opened(wanted), opened(found), where)
        elif isinstance(wanted, str):
            expected = self.translate(wanted).replace(self.host, self.running.url.removeprefix("http://"))
            if expected != found:
                yield f"{where}: {short(expected)} became {short(found)}"
        elif wanted != found:
            yield f"{where}: {wanted} became {found}"

    def defaults(self) -> Context:
        """The emulator's own view of its state, for what the API can't do."""
        return Context(self.running.server.api.line, self.running.store)


def opened(token: str) -> Any:
    """What a JWT says, head and payload; any other text as a word for its length and alphabet."""
    if not JWT.fullmatch(token):
        return re.sub(r"[A-Za-z0-9]", "x", token)
    return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]


def short(value: Any) -> str:
    """A value for a message."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 120 else text[:117] + "..."


Setup = Callable[[Replay], None]


def restart(replay: Replay) -> None:
    """What a restart of the server does."""
    with replay.running.store.writing():
        defaults.embedded_outpost(replay.defaults())

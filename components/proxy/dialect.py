"""Nginx Proxy Manager as the reconcile engine talks to it, with what its API leaves to its clients.

Seen on 2.15.1: a host whose configuration nginx refuses still answers 201 or 200; a certificate request, failed or
not, rewrites hosts of the same name without TLS; a certificate in use can be deleted, after which nothing can be
written; two writes at once disturb each other; a missing permission looks like a missing object.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from components.objects.dialect import Kind
from components.objects.errors import ObjectError
from components.objects.http import Endpoint, Http, RefusedError
from components.proxy.kinds import CERTIFICATE, HOST_FIELDS, KINDS, PROXY_HOST
from components.ssh import AccessError

# certbot waits for DNS to spread, and its Cloudflare plugin is installed at the first use.
CERTIFICATE_SECONDS = 900.0
# How long a certificate that NPM is still getting is waited for; then it counts as abandoned.
UNFINISHED_SECONDS = 180.0
ALIVE = "/api/"
_REALLY_MISSING = re.compile(r"Not Found - \d+")
_WHEN = "%Y-%m-%d %H:%M:%S"

Item = dict[str, Any]


class Npm:
    """The API to which `connect()` opens the way; it is called at the first request only, and whenever that is lost."""

    def __init__(self, where: str, connect: Callable[[], Endpoint], identity: str, secret: str) -> None:
        self._where = where
        self._http = Http(connect, where, alive=ALIVE)
        self._login = {"identity": identity, "secret": secret}
        self._token: str | None = None
        self._writing = threading.Lock()
        self._session = threading.RLock()

    @property
    def where(self) -> str:
        """What and where the server is."""
        return self._where

    def kind(self, name: str) -> Kind:
        """Facts of a kind. Raises KeyError."""
        return KINDS[name]

    def will_appear(self, kind: Kind, key: str) -> bool:
        """Nothing appears by itself."""
        del kind, key
        return False

    def normalize(self, kind: Kind, name: str, value: Any) -> Any:
        """Domains are lower-cased by NPM; the rest stays as it is."""
        if name in ("host", "domain_names"):
            return value.lower() if isinstance(value, str) else [str(one).lower() for one in value]
        del kind
        return value

    def guard(self, kind: Kind, item: Mapping[str, Any], body: object) -> AbstractContextManager[None]:
        """Nothing that is declared here can lock anybody out."""
        del kind, item, body
        return nullcontext()

    def list_objects(self, kind: Kind) -> Sequence[Mapping[str, Any]]:
        """All objects of a kind; certificates that NPM is still getting are waited for."""
        found = self.request("GET", kind.path)
        if not isinstance(found, list):
            raise self._unlike_npm(f"GET {kind.path}")
        items = [_incoming(kind, item) for item in found]
        if kind is CERTIFICATE and any(map(_is_unfinished, items)):
            again = Retrying(
                retry=retry_if_result(lambda found: any(map(_is_unfinished, found))),
                stop=stop_after_delay(UNFINISHED_SECONDS),
                wait=wait_fixed(2),
                retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
            )
            items = again(lambda: self.request("GET", kind.path))
        # One that was never got (NPM was stopped meanwhile) has no files: whoever used it would break nginx.
        return [item for item in items if kind is not CERTIFICATE or not _is_unfinished(item)]

    def request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> Any:
        """One call, signed in; writes one at a time, followed by what NPM leaves undone."""
        if method == "GET":
            return self._shown(path, self._call(method, path, params, None))
        with self._writing:
            if path.startswith(CERTIFICATE.path):
                return self._write_certificate(method, path, body)
            if path.startswith(PROXY_HOST.path) and method in ("POST", "PUT"):
                return self._write_host(method, path, body)
            return self._call(method, path, params, body)

    def explain(self, kind: Kind, payload: Any) -> str:
        """NPM's message, and certbot's own words where it passes them on."""
        del kind
        error = payload.get("error") if isinstance(payload, dict) else None
        message = str(error.get("message")) if isinstance(error, dict) else "it gives no reason"
        debug = payload.get("debug") if isinstance(payload, dict) else None
        stack = debug.get("stack") if isinstance(debug, dict) else None
        if isinstance(error, dict) and error.get("code") == 500 and isinstance(stack, list):
            words = [str(line).removeprefix("Error: ").strip() for line in stack]
            message = f"{message}: " + " / ".join(word for word in words if word and "debug log" not in word)
        return message

    # Certificates --------------------------------------------------------------------------------------------------

    def effect_log(self, kind: Kind, item: Mapping[str, Any]) -> Sequence[str]:
        """Nothing here takes effect later."""
        del kind, item
        return ()

    def _write_certificate(self, method: str, path: str, body: object) -> Any:
        if method == "DELETE":
            self._refuse_in_use(path)
        domains = set(body["domain_names"]) if isinstance(body, dict) else self._domains_of(path)
        try:
            return self._call(
                method, path, None, body, timeout=CERTIFICATE_SECONDS if method == "POST" else None
            )
        except RefusedError as refused:
            raise RefusedError(refused.status, _without_secrets(refused.payload, body)) from None
        finally:
            self._restore_tls(domains)

    def _refuse_in_use(self, path: str) -> None:
        number = int(path.rstrip("/").rpartition("/")[2])
        users = [host for host in self._hosts() if host.get("certificate_id") == number]
        if users:
            names = ", ".join(sorted(name for host in users for name in host["domain_names"]))
            said = f"the certificate is in use by {names}; nginx would refuse every change from then on"
            raise RefusedError(409, {"error": {"message": said}})

    def _domains_of(self, path: str) -> set[str]:
        try:
            return set(self._call("GET", path, None, None)["domain_names"])
        except RefusedError:
            return set()

    def _hosts(self) -> list[Item]:
        return [dict(host) for host in self._call("GET", PROXY_HOST.path, None, None)]

    def _restore_tls(self, domains: set[str]) -> None:
        """Write hosts of these names once more, whose configuration has just lost its TLS."""
        for host in self._hosts():
            if domains & set(host["domain_names"]):
                self._call("PUT", f"{PROXY_HOST.path}/{host['id']}", None, _writable(host))

    # Hosts ---------------------------------------------------------------------------------------------------------

    def _write_host(self, method: str, path: str, body: object) -> Any:
        before = None if method == "POST" else self._call("GET", path, None, None)
        written = self._call(method, path, None, _outgoing(body))
        place = f"{PROXY_HOST.path}/{written['id']}"
        host = self._call("GET", place, None, None)
        meta = host.get("meta") or {}
        if meta.get("nginx_online") is True:
            return _incoming(PROXY_HOST, host)
        # It answered yes and nginx does not run with it: the site is down, so put back what was there.
        if before is None:
            self._call("DELETE", place, None, None)
        else:
            self._call("PUT", place, None, _writable(before))
        said = str(meta.get("nginx_err") or "nginx is not online with it").strip()
        raise RefusedError(400, {"error": {"message": f"nginx does not take it, it was undone: {said}"}})

    def _shown(self, path: str, found: Any) -> Any:
        kind = next((kind for kind in KINDS.values() if path.startswith(kind.path)), None)
        return _incoming(kind, found) if kind is not None and isinstance(found, dict) else found

    # HTTP ----------------------------------------------------------------------------------------------------------

    def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: object,
        *,
        timeout: float | None = None,
    ) -> Any:
        for attempt in (1, 2):
            token = self._signed_in()
            headers = {"Authorization": f"Bearer {token}"}
            try:
                return self._http.request(
                    method, path, params=params, body=body, headers=headers, timeout=timeout
                )[1]
            except RefusedError as refused:
                if not _is_unauthorized(refused):
                    raise
                if attempt == 2:
                    raise ObjectError(
                        f"{method} {path} is answered as if nothing were there: {self._login['identity']} is not "
                        f"allowed to",
                        self._where,
                        "Make that user an administrator in NPM again (port 81, through the tunnel)",
                    ) from None
                with self._session:
                    if self._token == token:
                        self._token = None
        raise AssertionError("two attempts either return or raise")

    def is_reachable(self) -> bool:
        """Whether it is up and takes our password at the first look. Waits for nothing, and writes nothing."""
        with self._session:
            try:
                self._token = self._token or self._sign_in(seconds=0.0)
            except (ObjectError, AccessError):
                return False
        return True

    def _signed_in(self) -> str:
        with self._session:
            if self._token is None:
                self._token = self._sign_in()
            return self._token

    def _sign_in(self, seconds: float | None = None) -> str:
        try:
            answer = self._http.request(
                "POST", "/api/tokens", body=self._login, idempotent=True, seconds=seconds
            )[1]
        except RefusedError as refused:
            said = self.explain(CERTIFICATE, refused.payload)
            raise ObjectError(
                f"{self._login['identity']} cannot log in: {said}",
                self._where,
                "NPM takes its first user's address and password at its first start only. Set the password of that "
                "user to what `npm/admin-password` says, or put the present one into gatehouse:secrets.overrides",
            ) from None
        if not isinstance(answer, dict) or not {"token", "requires_2fa"} & answer.keys():
            raise self._unlike_npm("POST /api/tokens")
        if answer.get("requires_2fa"):
            raise ObjectError(
                f"{self._login['identity']} has a second factor, which a program cannot give",
                self._where,
                "Switch it off for this user, and use another administrator yourself",
            )
        return str(answer["token"])

    def _unlike_npm(self, call: str) -> ObjectError:
        return ObjectError(
            f"answers {call} with something that Nginx Proxy Manager does not say",
            self._where,
            "Look what runs there instead, and correct the address",
        )


def _is_unauthorized(refused: RefusedError) -> bool:
    """Whether an answer means that the token is not (any more) good for this, rather than what it says."""
    error = refused.payload.get("error") if isinstance(refused.payload, dict) else None
    message = str(error.get("message", "")) if isinstance(error, dict) else ""
    if refused.status == 404:
        return not _REALLY_MISSING.fullmatch(message)
    return refused.status in (401, 403) or (refused.status == 500 and "token" in message.lower())


def _is_unfinished(item: Mapping[str, Any]) -> bool:
    """A row that NPM makes before it runs certbot: it expires when it was made."""
    if item.get("provider") != "letsencrypt":
        return False
    try:
        made, expires = (datetime.strptime(str(item[name]), _WHEN) for name in ("created_on", "expires_on"))
    except (KeyError, ValueError):
        return False
    return expires - made < timedelta(minutes=1)


def _incoming(kind: Kind | None, item: Mapping[str, Any]) -> Item:
    names = item.get("domain_names")
    if kind is PROXY_HOST and isinstance(names, list) and len(names) == 1:
        return {**item, "host": names[0]}
    return dict(item)


def _outgoing(body: object) -> object:
    if not isinstance(body, dict) or "host" not in body:
        return body
    return {"domain_names": [body["host"]], **{name: value for name, value in body.items() if name != "host"}}


def _writable(host: Mapping[str, Any]) -> Item:
    """A host as it is, in the form in which it can be written."""
    return {name: host[name] for name in HOST_FIELDS if host.get(name) is not None} | {
        "locations": host.get("locations") or []
    }


def _without_secrets(payload: Any, body: object) -> Any:
    """An answer without the credentials that were in the request, wherever it quotes them."""
    meta = body.get("meta") if isinstance(body, dict) else None
    line = str(meta.get("dns_provider_credentials", "")) if isinstance(meta, dict) else ""
    secret = line.rpartition("=")[2].strip()

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(secret, "***") if secret else value
        if isinstance(value, dict):
            return {name: clean(inner) for name, inner in value.items()}
        return [clean(inner) for inner in value] if isinstance(value, list) else value

    return clean(payload)

"""An authentik that answers as recorded, one browser at a time, over httpx.MockTransport."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import httpx
from joserfc import jwk, jwt

from bench.paths import ROOT

RECORDED = {
    one["id"]: one["response"]
    for one in json.loads((ROOT / "bench/tests/recordings/authentik/d.json").read_text())
}
BASE = "http://127.0.0.1:9000"
FLOW = "/api/v3/flows/executor/default-authentication-flow/"
PASSWORDS = {"alice": "alice-pass-0123", "mallory": "mallory-pass-0123"}


class Authentik:
    """The login of the recordings: alice may use the app, mallory may not."""

    def __init__(self) -> None:
        self.key = jwk.RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})
        self.published: dict[str, Any] = {"keys": [self.key.as_dict(private=False)]}
        self.secret = "grafana-secret-0123"
        self.redirect_uris = ["https://grafana.example.test/cb"]
        self.stages = ["identification", "password"]
        self.wrong_claims: dict[str, Any] = {}
        self.error: str | None = None
        self.state: str | None = None
        self.user: str | None = None
        self.pending: str | None = None
        self.done = 0
        self.grant: dict[str, str] = {}
        self.seen: list[str] = []

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.handle)

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.seen.append(f"{request.method} {request.url.host}{path}")
        if path.endswith("/.well-known/openid-configuration"):
            return self.recorded("d019" if "/grafana/" in path else "d024")
        if path.endswith("/jwks/"):
            return httpx.Response(200, json=self.published)
        if path == "/application/o/authorize/":
            return self.authorize(request)
        if path == FLOW:
            return self.flow(request)
        if path == "/application/o/token/":
            return self.token(request)
        if path == "/application/o/userinfo/":
            assert request.headers["authorization"] == "Bearer access"
            return self.recorded("d017")
        return httpx.Response(404, text=f"not scripted: {path}")

    def recorded(self, name: str, **changes: Any) -> httpx.Response:
        response = RECORDED[name]
        kind = dict(response["headers"])["content-type"]
        body = response["body"]
        if isinstance(body, dict) and "_non_json" in body:
            return httpx.Response(response["status"], text=body["_non_json"], headers={"content-type": kind})
        text = json.dumps({**body, **changes})
        return httpx.Response(response["status"], text=text, headers={"content-type": kind})

    def authorize(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        if query["client_id"] != "grafana-client" or query["redirect_uri"] not in self.redirect_uris:
            return self.recorded("d023")
        if self.user is None:
            asked = request.url.query.decode()
            target = quote(f"{request.url.path}?{asked}", safe="")
            location = f"/if/flow/default-authentication-flow/?{asked}&next={target}"
            return httpx.Response(
                302, headers={"location": location, "set-cookie": "authentik_session=1; Path=/"}
            )
        assert request.headers["cookie"] == "authentik_session=1"
        if self.user == "mallory":
            return self.recorded("d032")
        self.grant = query
        told = {"error": self.error} if self.error else {"code": "the-code"}
        told["state"] = self.state or query["state"]
        return httpx.Response(302, headers={"location": f"{query['redirect_uri']}?{urlencode(told)}"})

    def flow(self, request: httpx.Request) -> httpx.Response:
        again = httpx.Response(302, headers={"location": str(request.url.raw_path.decode())})
        if request.method == "POST":
            body = json.loads(request.content)
            if body["component"] == "ak-stage-identification":
                self.pending = body["uid_field"]
            elif body["component"] == "ak-stage-password":
                if PASSWORDS.get(self.pending or "") != body["password"]:
                    return self.recorded("d005")
            else:
                assert body["component"] == self.stages[self.done]
            self.done += 1
            return again
        if self.done < len(self.stages):
            stage = self.stages[self.done]
            if stage == "identification":
                return self.recorded("d007")
            if stage == "password":
                return self.recorded("d009", pending_user=self.pending)
            if stage == "ak-stage-access-denied":
                return self.recorded("d034")
            return httpx.Response(200, json={"component": stage, "token": "t"})
        if self.user is None:
            self.user = (
                self.pending
            )  # the login stage asks nothing and leads back to the executor, as in d011
            return again
        target = parse_qs(dict(request.url.params)["query"])["next"][0]
        return self.recorded("d012", to=target)

    def token(self, request: httpx.Request) -> httpx.Response:
        form = {key: values[0] for key, values in parse_qs(request.content.decode()).items()}
        if form["client_secret"] != self.secret:
            return httpx.Response(400, json={"error": "invalid_client", "error_description": "x"})
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if form["code"] != "the-code" or proof != self.grant["code_challenge"]:
            return self.recorded("d016")
        told = RECORDED["d018"]["body"]
        claims = {
            key: told[key] for key in ("iss", "sub", "aud", "amr", "email", "groups", "preferred_username")
        }
        claims |= {"exp": int(time.time()) + 300, "iat": int(time.time()), "nonce": self.grant["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": "k1"}, claims | self.wrong_claims, self.key)
        return httpx.Response(200, json={"access_token": "access", "token_type": "Bearer", "id_token": token})

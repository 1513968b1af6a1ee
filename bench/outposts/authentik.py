"""authentik, as an outpost talks to it: with its own token for what it serves, with a session for who logs in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Login:
    """Somebody who has proved who they are, and may use the app."""

    pk: int
    username: str
    searches: bool
    """Whether they may read the whole directory."""


class NotAllowed(Exception):  # noqa: N818
    """Who they are is proved, and they may not use the app."""


class Authentik:
    """One server."""

    def __init__(self, host: str, token: str, kind: str) -> None:
        """`kind`: ldap or radius."""
        self._base, self._token, self._kind = f"{host.rstrip('/')}/api/v3", token, kind
        headers = {"Authorization": f"Bearer {token}"}
        self._own = httpx.Client(headers=headers, timeout=30, trust_env=False)

    def name(self) -> str:
        """What this outpost is called; its token shows it no other. Raises LookupError where there is none."""
        found = self._get("/outposts/instances/")["results"]
        if not found or found[0]["type"] != self._kind:
            raise LookupError(f"the token is not that of an outpost for {self._kind}")
        return str(found[0]["name"])

    def providers(self) -> list[Row]:
        """The providers that this outpost serves now."""
        return list(self._get(f"/outposts/{self._kind}/")["results"])

    def everything(self, path: str) -> Iterator[Row]:
        """All pages of a list."""
        page = 1
        while page:
            answer = self._get(path, page=str(page), page_size="100")
            yield from answer["results"]
            page = answer["pagination"]["next"]

    def one(self, path: str) -> Row:
        """One object."""
        return dict(self._get(path))

    def log_in(self, provider: Row, username: str, password: str, address: str) -> Login | None:
        """Run the provider's flow, as a browser would; None if it lets nobody in. Raises NotAllowed."""
        with httpx.Client(
            headers={"X-authentik-outpost-token": self._token, "X-authentik-remote-ip": address},
            timeout=30,
            follow_redirects=True,
            trust_env=False,
        ) as browser:
            flow = provider.get("bind_flow_slug") or provider["auth_flow_slug"]
            if not self._passes(browser, flow, username, *_parted(password, provider)):
                return None
            asked = {"app_slug": provider["application_slug"]}
            found = browser.get(
                f"{self._base}/outposts/{self._kind}/{provider['pk']}/check_access/", params=asked
            )
            told = found.raise_for_status().json()
            if not told["access"]["passing"]:
                raise NotAllowed
            me = browser.get(f"{self._base}/core/users/me/").raise_for_status().json()["user"]
            return Login(me["pk"], me["username"], bool(told.get("has_search_permission")))

    def _passes(self, browser: httpx.Client, flow: str, username: str, password: str, code: str) -> bool:
        address = f"{self._base}/flows/executor/{flow}/"
        asked = {"query": f"goauthentik.io/outpost/{self._kind}=true"}
        answers: dict[str, dict[str, Any]] = {
            "ak-stage-identification": {"uid_field": username},
            "ak-stage-password": {"password": password},
            "ak-stage-authenticator-validate": {"code": code},
            "ak-stage-user-login": {"remember_me": False},
        }
        answer = browser.get(address, params=asked)
        for _ in range(10):
            if not answer.is_success:
                return False
            challenge = answer.json()
            component = challenge["component"]
            if component == "xak-flow-redirect":
                return True
            if challenge.get("response_errors") or component not in answers:
                return False
            body = {"component": component, **answers[component]}
            answer = browser.post(address, params=asked, json=body)
        return False

    def _get(self, path: str, **params: str) -> Any:
        return self._own.get(self._base + path, params=params).raise_for_status().json()


def _parted(password: str, provider: Row) -> tuple[str, str]:
    """A password and the code behind it, where the provider takes one: six digits, or eight letters and digits."""
    before, _, code = password.rpartition(";")
    is_code = (len(code) == 6 and code.isdigit()) or (len(code) == 8 and code.isalnum())
    return (before, code) if provider.get("mfa_support") and before and is_code else (password, "")

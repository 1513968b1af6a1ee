"""The way in: wait until authentik is up and lets us in, and give gatehouse an account of its own.

Measured on a first start: 70 s until it says that it is ready, and 18 s more until the bootstrap token works; until
then the token is refused with 403, exactly as a wrong one is.
"""

from __future__ import annotations

import time
from typing import Any

from components.objects.errors import ObjectError, UnclearOutcomeError
from components.objects.http import Http, RefusedError, UnavailableError
from components.objects.outage import Outage

ACCOUNT = "gatehouse"
"""Name of the service account and identifier of its token."""
ADMINS = "authentik Admins"
READY = 600.0
"""Seconds that a server may take to get ready: on a first start it migrates its database."""
SILENT_ELSEWHERE = 60.0
"""Seconds for which nothing may answer where somebody else runs the server: a wrong address is noticed sooner."""
ADMITTED = 120.0
"""Seconds that a ready server may take to accept a token."""
PAUSE = 1.0
READY_PATH = "/-/health/ready/"
ME = "/core/users/me/"


class Bootstrap:
    """One server, before anything is asked of it."""

    def __init__(
        self,
        http: Http,
        token: str,
        bootstrap: str | None,
        *,
        ready: float = READY,
        silence: float | None = None,
        admitted: float = ADMITTED,
    ) -> None:
        """`token`: of gatehouse's own account (or any administrator's). `bootstrap`: of the first start, if known.

        `ready`, `admitted`: seconds to wait. `silence`: seconds, if fewer, while nothing answers at all.
        """
        self._http = http
        self._token = token
        self._bootstrap = bootstrap
        self._patience = ready
        self._silence = silence
        self._admitted = admitted
        self.account = ""
        """The pk of the account that the token belongs to, once it works."""

    def run(self) -> bool:
        """Return when the token works: True if the server has only just started. Raises ObjectError in the end."""
        if self._accepts_at_once():
            return False
        young = self._wait_until_ready()
        admission = Outage(self._http.where)
        while not self._accepts(self._token):
            if admission.seconds_left("it is up, and does not take our token yet", self._admitted) <= 0:
                raise ObjectError(
                    f"it is up, and refuses our token since {self._admitted:.0f} s (HTTP 403)",
                    self._http.where,
                    "With `box: none`, put an API token of an administrator into gatehouse:authentik.token. On a box, "
                    f"undo in authentik what was done to the account or the token {ACCOUNT} (deactivated, expired, not "
                    f"in {ADMINS} any more); on a first start, see the worker's log",
                )
            young = True
            if self._bootstrap and self._bootstrap != self._token and self._accepts(self._bootstrap):
                self._make_account()
            else:
                time.sleep(PAUSE)
        return young

    def _wait_until_ready(self) -> bool:
        """True if it was not ready at the first look."""
        try:
            self._http.request("GET", READY_PATH, seconds=self._patience, silence=self._silence)
        except UnavailableError as away:
            raise ObjectError(
                f"it is not ready after {away.seconds:.0f} s: {away.reason}",
                self._http.where,
                "See the logs of its server, worker and database, then run the same command again",
            ) from None
        except RefusedError as refused:
            raise self._not_authentik(f"HTTP {refused.status}", READY_PATH) from None
        return self._http.has_waited

    def _not_authentik(self, what: str, path: str) -> ObjectError:
        return ObjectError(
            f"answers GET {path} with {what}",
            self._http.where,
            "If that is an authentik, see its log; else something else is at this address: correct it",
        )

    def _accepts_at_once(self) -> bool:
        """Whether our token works at the first look, as it does but for first starts: then it is the only one.

        Whatever else is answered is looked into step by step.
        """
        try:
            return self._accepts(self._token, seconds=0.0)
        except ObjectError:
            return False

    def _accepts(self, token: str, seconds: float | None = None) -> bool:
        try:
            self.account = str(self._call(token, "GET", ME, seconds=seconds)["user"]["pk"])
        except RefusedError as refused:
            if refused.status == 403:
                return False
            raise self._not_authentik(f"HTTP {refused.status}", f"/api/v3{ME}") from None
        except (KeyError, TypeError):
            raise self._not_authentik("something else than authentik does", f"/api/v3{ME}") from None
        return True

    def _make_account(self) -> None:
        """The service account and its token, each only if it is missing; then the token's value."""
        found = self._call_as_bootstrap("GET", f"/core/users/?username={ACCOUNT}")["results"]
        if found:
            user = found[0]["pk"]
        else:
            admins = self._call_as_bootstrap("GET", f"/core/groups/?name={ADMINS.replace(' ', '%20')}")[
                "results"
            ]
            if not admins:
                time.sleep(PAUSE)  # the first start is not that far yet
                return
            user = self._call_as_bootstrap(
                "POST",
                "/core/users/",
                {
                    "username": ACCOUNT,
                    "name": ACCOUNT,
                    "type": "service_account",
                    "path": "goauthentik.io/service-accounts",
                    "groups": [admins[0]["pk"]],
                },
            )["pk"]
        if not self._call_as_bootstrap("GET", f"/core/tokens/?identifier={ACCOUNT}")["results"]:
            self._call_as_bootstrap(
                "POST",
                "/core/tokens/",
                {"identifier": ACCOUNT, "user": user, "intent": "api", "expiring": False},
            )
        self._call_as_bootstrap("POST", f"/core/tokens/{ACCOUNT}/set_key/", {"key": self._token})

    def _call_as_bootstrap(self, method: str, path: str, body: object = None) -> Any:
        try:
            return self._call(self._bootstrap or "", method, path, body)
        except (RefusedError, UnclearOutcomeError) as error:
            raise ObjectError(
                f"gatehouse's own account cannot be made ({error}, {method} {path})",
                self._http.where,
                "Run the same command again; if it stays, see the server's log",
            ) from None

    def _call(
        self, token: str, method: str, path: str, body: object = None, *, seconds: float | None = None
    ) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return self._http.request(method, f"/api/v3{path}", body=body, headers=headers, seconds=seconds)[1]

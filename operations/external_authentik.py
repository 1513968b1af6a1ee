"""An authentik that is not ours (`box: none`): is it what the stack file says, and may the token do what it has to?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from components.problems import Problem
from components.settings import Elsewhere, Settings
from components.settings.base import dotted
from operations.finding import Finding, Right

TIMEOUT = 15.0
_TOKEN = dotted("authentik", "token")
_SET = f"pulumi config set --secret --path {_TOKEN}"


def check_external_authentik(settings: Settings, *, patient: bool) -> Iterator[Finding]:
    """What authentik says of itself and of our token. With `patient`, one that does not answer now is for the run to
    wait for."""
    assert isinstance(settings.box, Elsewhere)
    url, where = settings.box.url, dotted("authentik", "url")
    headers = {
        "Authorization": f"Bearer {settings.box.token.get_secret_value()}",
        "Accept": "application/json",
    }
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT) as api:
            me, version = api.get("/api/v3/core/users/me/"), api.get("/api/v3/admin/version/")
    except httpx.HTTPError as error:
        if not patient:
            yield Problem(
                where,
                f"{url} does not answer ({type(error).__name__})",
                "Check that it runs, and the address.",
            )
        return
    if me.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        if not patient:  # a young server refuses every token
            yield Problem(
                _TOKEN, f"{url} refuses it ({me.status_code})", f"Make one there, and set it: {_SET}"
            )
        return
    user = _decoded(me).get("user")
    if not isinstance(user, dict):
        if not (patient and me.is_server_error):
            yield Problem(
                where,
                f"{url} does not answer as authentik does ({me.status_code} {me.reason_phrase})",
                "Write the address at which authentik itself answers, without a path, that leads nowhere else.",
            )
        return
    if not user.get("is_superuser"):
        yield Problem(
            _TOKEN,
            f"it is the token of {user.get('username')}, who is no administrator at {url}: groups, people and apps "
            f"cannot be made with it",
            f"Make an API token for an administrator there, and set it: {_SET}",
        )
    runs = str(_decoded(version).get("version_current", ""))
    if runs and runs.split(".")[:2] != settings.authentik.version.split(".")[:2]:
        yield Problem(
            dotted("authentik", "version"),
            f"{url} runs authentik {runs}, and the file says {settings.authentik.version}",
            f"Write {runs}",
        )
    elif user.get("is_superuser"):
        yield Right(
            "authentik", f"{runs or 'it'} at {url}; the token is {user.get('username')}'s, an administrator"
        )


def _decoded(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

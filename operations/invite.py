"""A mail to somebody whose account is new, with a link by which they choose their own password.

It is the mail for forgotten passwords: the link is good for one person and some days, and survives mail scanners
(the page behind it asks to be confirmed first). A second mail carries the same one.
"""

from __future__ import annotations

import httpx

from components.identity.dialect import Authentik
from components.login.recovery import EMAIL_STAGE
from components.problems import nearest
from components.settings import Elsewhere, Settings
from operations.errors import OperatorError, UsageError
from operations.evaluation import USER
from operations.login import TIMEOUT


def invite(settings: Settings, server: Authentik, who: str, days: int) -> str:
    """Have authentik send the mail; the address that it goes to.

    Raises:
        OperatorError: there is nobody of that name who could use it, or authentik does not send it.
    """
    client = settings.client
    if not settings.login.recovery:
        raise OperatorError(
            f"{client} has no way to choose a password by mail.",
            f"Write, below gatehouse:login: recovery: true; then ./gatehouse up {client}.",
        )
    users = {str(each["username"]): each for each in server.list_objects(server.kind(USER))}
    by_address = {str(each.get("email") or "").lower(): each for each in users.values()}
    user = users.get(who) or by_address.get(who.lower())
    if user is None:
        raise UsageError(
            f"{client}'s authentik has nobody called {who}, by user name or address.",
            nearest(who, users) or f"Add them to gatehouse:people, then ./gatehouse up {client}.",
        )
    if not user.get("email") or not user["is_active"]:
        raise OperatorError(
            f"{user['username']} {'has no address' if user['is_active'] else 'is locked out'} at {client}.",
            f"Correct their entry in gatehouse:people, then ./gatehouse up {client}.",
        )
    if user.get("last_login"):
        raise OperatorError(
            f"{user['username']} has logged in at {client} before.",
            "They choose a new password by themselves: the login page offers a mail to those who forgot theirs.",
        )
    stages = server.request("GET", "/stages/email/", params={"name": EMAIL_STAGE})["results"]
    stage = next((str(each["pk"]) for each in stages if each["name"] == EMAIL_STAGE), None)
    if stage is None:
        raise OperatorError(
            f"{client}'s authentik has no {EMAIL_STAGE} yet.", f"Bring it up: ./gatehouse up {client}"
        )
    _send(settings, int(user["pk"]), {"email_stage": stage, "token_duration": f"days={days}"})
    return str(user["email"])


def _send(settings: Settings, pk: int, wanted: dict[str, str]) -> None:
    """By the public address: the link in the mail has the host by which authentik was called."""
    elsewhere = isinstance(settings.box, Elsewhere) and settings.authentik.token
    derived = settings.derived().value("authentik/service-token")
    token = elsewhere.get_secret_value() if elsewhere else derived
    answer = httpx.post(
        f"{settings.issuer_base}/api/v3/core/users/{pk}/recovery_email/",
        params={"email_stage": wanted["email_stage"]},  # how lines up to 2025.12 take it
        json=wanted,
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
        timeout=TIMEOUT,
    )
    if not answer.is_success:
        raise OperatorError(
            f"authentik does not send the mail ({answer.status_code}): {answer.text[:200]}",
            f"Look into its log, and whether mail works: ./gatehouse mail-check {settings.client}",
        )

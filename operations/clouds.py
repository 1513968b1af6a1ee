"""Hetzner's and Cloudflare's APIs, as far as the commands ask them something before the engine runs."""

from __future__ import annotations

import os
from typing import Any

import httpx

from components.settings import Settings
from operations.errors import OperatorError

HETZNER = "https://api.hetzner.cloud/v1"
CLOUDFLARE = "https://api.cloudflare.com/client/v4"
TIMEOUT = 15.0  # seconds; a look-up that takes longer is as good as none


def hetzner(settings: Settings) -> httpx.Client:
    """A client of Hetzner's API with this client's token.

    Raises:
        OperatorError: there is no token.
    """
    return api(
        os.environ.get("HCLOUD_ENDPOINT", HETZNER),
        settings.hetzner_token.get_secret_value() if settings.hetzner_token else None,
        "HCLOUD_TOKEN",
        "gatehouse:hetznerToken",
    )


def cloudflare(settings: Settings) -> httpx.Client:
    """A client of Cloudflare's API with this client's token.

    Raises:
        OperatorError: there is no token.
    """
    return api(
        os.environ.get("CLOUDFLARE_BASE_URL", CLOUDFLARE),
        settings.cloudflare_token.get_secret_value() if settings.cloudflare_token else None,
        "CLOUDFLARE_API_TOKEN",
        "gatehouse:cloudflareToken",
    )


def api(base: str, token: str | None, variable: str, setting: str) -> httpx.Client:
    """A client of the API at `base`, with the setting's token or the environment's."""
    token = token or os.environ.get(variable)
    if not token:
        raise OperatorError(
            f"There is no token for {base}.",
            f"Set {variable}, or put it into the stack file: pulumi config set --secret {setting}",
        )
    return httpx.Client(
        base_url=base.rstrip("/") + "/", headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT
    )


def checked(answer: httpx.Response) -> Any:
    """What the API answered, decoded.

    Raises:
        OperatorError: it refused.
    """
    if answer.is_success:
        return answer.json()
    request = answer.request
    raise OperatorError(
        f"{request.url.host} refused {request.method} {request.url.path} ({answer.status_code} "
        f"{answer.reason_phrase}).",
        "Check the token (`./gatehouse doctor NAME` tells which is meant) and the provider's status page, then run "
        "the same command again.",
    )

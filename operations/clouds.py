"""Hetzner's and Cloudflare's APIs, as far as the commands ask them something before the engine runs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr
from pydantic.alias_generators import to_camel

from components.settings import Settings
from components.settings.base import dotted
from operations.errors import OperatorError

TIMEOUT = 15.0  # seconds; a look-up that takes longer is as good as none


@dataclass(frozen=True)
class Cloud:
    """One of the two, and where its address and its token come from."""

    url: str
    url_variable: str
    """What names another address, as that cloud's own plugin takes it."""
    token_variable: str
    token_setting: str
    """The field of `Settings`, which goes before the environment."""

    def source(self, settings: Settings) -> str:
        """Where this client's token is taken from, as the operator knows it."""
        given = getattr(settings, self.token_setting)
        return self.token_variable if given is None else self.setting

    @property
    def setting(self) -> str:
        """The setting's path in the stack file."""
        return dotted(to_camel(self.token_setting))

    def client(self, settings: Settings) -> httpx.Client:
        """A client of the API with this client's token.

        Raises:
            OperatorError: there is no token.
        """
        given: SecretStr | None = getattr(settings, self.token_setting)
        base = os.environ.get(self.url_variable, self.url)
        token = given.get_secret_value() if given else os.environ.get(self.token_variable)
        if not token:
            raise OperatorError(
                f"There is no token for {base}.",
                f"Set {self.token_variable}, or put it into the stack file: "
                f"pulumi config set --secret {self.setting}",
            )
        return httpx.Client(
            base_url=base.rstrip("/") + "/", headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT
        )


HETZNER = Cloud("https://api.hetzner.cloud/v1", "HCLOUD_ENDPOINT", "HCLOUD_TOKEN", "hetzner_token")
CLOUDFLARE = Cloud(
    "https://api.cloudflare.com/client/v4", "CLOUDFLARE_BASE_URL", "CLOUDFLARE_API_TOKEN", "cloudflare_token"
)


HETZNER_LISTS = {
    "hcloud:index/server:Server": "servers",
    "hcloud:index/volume:Volume": "volumes",
    "hcloud:index/primaryIp:PrimaryIp": "primary_ips",
    "hcloud:index/firewall:Firewall": "firewalls",
    "hcloud:index/sshKey:SshKey": "ssh_keys",
}
"""Type token -> where Hetzner lists such things; each has an id there and a name of its own."""


def checked(answer: httpx.Response) -> Any:
    """What the API answered, decoded.

    Raises:
        OperatorError: it refused, or it is no such API that answers.
    """
    request = answer.request
    call = f"{request.method} {request.url.path}"
    try:
        found = answer.json()
    except ValueError:
        found = None
    if answer.status_code // 100 == 3 or (answer.is_success and not isinstance(found, dict)):
        raise OperatorError(
            f"{request.url.host} does not answer {call} as its API does ({answer.status_code} {answer.reason_phrase}, "
            f"{answer.headers.get('Content-Type', 'without content').partition(';')[0]}).",
            "Something else answers in its place, such as a proxy or a portal that wants a login: check this machine's "
            "network, and HCLOUD_ENDPOINT and CLOUDFLARE_BASE_URL if they are set.",
        )
    # Cloudflare refuses with 200 too, and says so inside.
    if answer.is_success and found.get("success", True):
        return found
    raise OperatorError(
        f"{request.url.host} refused {call} ({answer.status_code} {answer.reason_phrase}{_error_text(found)}).",
        "Check the token (`./gatehouse doctor NAME` tells which is meant) and the provider's status page, then run "
        "the same command again.",
    )


def _error_text(answer: Any) -> str:
    """The API's own words for a refusal: Hetzner has one error, Cloudflare a list."""
    if not isinstance(answer, dict):
        return ""
    errors = answer.get("errors") or [answer.get("error")]
    words = [str(each["message"]) for each in errors if isinstance(each, dict) and each.get("message")]
    return f": {'; '.join(words)}" if words else ""

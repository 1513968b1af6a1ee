"""What the protocols share."""

from __future__ import annotations

from dataclasses import dataclass

from components.lines import number
from components.secrets import Secrets
from components.settings import App, Elsewhere, Settings
from components.settings.app_oidc import Consented
from components.settings.outposts import OUTPOSTS

BIND_FLOW, UNBIND_FLOW = "default-authentication-flow", "default-invalidation-flow"
SIGNING_KEY = "authentik Self-signed Certificate"
_INVALIDATION = "default-provider-invalidation-flow"
BY_HAND = "gatehouse itself does not speak {}; log in to it by hand"
_CONSENT = "default-provider-authorization-{}-consent"


@dataclass(frozen=True)
class Given:
    """What a client's apps have in common."""

    settings: Settings
    secrets: Secrets

    @property
    def line(self) -> str:
        """The release line of authentik."""
        return self.settings.authentik.line

    @property
    def authentik(self) -> str:
        """authentik's own URL, without a slash at the end."""
        return self.settings.issuer_base


def flows(app: Consented) -> dict[str, str]:
    """The flows of a provider: default objects of every line, unless the app says otherwise."""
    usual = _CONSENT.format("explicit" if app.consent else "implicit")
    return {
        "authorization_flow": app.authorization_flow or usual,
        "invalidation_flow": _INVALIDATION,
    }


def outposts_address(app: App, given: Given, *, scheme: str = "") -> dict[str, str]:
    """Where an app reaches its outpost; or, where gatehouse has no box, what you run for it.

    `scheme`: what an address for those outside the box begins with.
    """
    outpost = next(each for each in OUTPOSTS if each.protocol == app.speaks)
    if isinstance(given.settings.box, Elsewhere):
        image = outpost.image(given.settings.authentik.version)
        return {
            "outpost": f"to be run by you: {image}, with AUTHENTIK_HOST={given.authentik} and the AUTHENTIK_TOKEN that "
            "the output outpostTokens shows"
        }
    outside = f"{scheme}{given.settings.auth_host}:{outpost.outside}"
    return {"address": outpost.address, **({"addressOutside": outside} if app.clients else {})}


def since(line: str, first: str) -> bool:
    """Whether a release line is not older than another."""
    return number(line) >= number(first)

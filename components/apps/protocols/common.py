"""What the protocols share."""

from __future__ import annotations

from dataclasses import dataclass

from components.lines import number
from components.secrets import Secrets
from components.settings import Settings
from components.settings.app_oidc import Consented

SIGNING_KEY = "authentik Self-signed Certificate"
_INVALIDATION = "default-provider-invalidation-flow"
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


def since(line: str, first: str) -> bool:
    """Whether a release line is not older than another."""
    return number(line) >= number(first)

"""A small app that people log in to: an OpenID Connect relying party that checks everything it is told.

Configured by the environment: OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_REDIRECT_URI, and
optionally OIDC_SCOPES ("openid email profile") and OIDC_PORT (8080). The path of the redirect URI is
where it takes codes, so that it can stand for any app: with …/login/generic_oauth it behaves as Grafana,
where the same path without a code begins a login.
"""

from __future__ import annotations

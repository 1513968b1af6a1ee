"""Serves the app: `python -m bench.relying_party`."""

from __future__ import annotations

import os
import sys

import uvicorn

from bench.relying_party.app import build
from bench.relying_party.client import Client


def main() -> None:
    """Serve until a signal ends it."""
    names = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_REDIRECT_URI")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        sys.exit(f"set {', '.join(missing)} in the environment")
    issuer, client_id, client_secret, redirect_uri = (os.environ[name] for name in names)
    scopes = os.environ.get("OIDC_SCOPES", "openid email profile")
    client = Client(issuer, client_id, client_secret, redirect_uri, scopes)
    port = int(os.environ.get("OIDC_PORT", "8080"))
    uvicorn.run(build(client), host="0.0.0.0", port=port, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()

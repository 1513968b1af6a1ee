from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bench.authentik.testing import Running, serve


class Client:
    """A superuser of one emulator."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.http = httpx.Client(
            base_url=running.url + "/api/v3", headers={"Authorization": f"Bearer {running.token}"}
        )

    def __call__(self, method: str, path: str, expect: int | None = None, **body: Any) -> Any:
        """Send a request; the body's JSON. With `expect`, the status is checked."""
        answer = self.http.request(method, path, json=body if method in ("POST", "PUT", "PATCH") else None)
        if expect is not None:
            assert answer.status_code == expect, (answer.status_code, answer.text)
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else answer.text

    def flow(self, slug: str) -> str:
        """The pk of a flow."""
        return str(self("GET", f"/flows/instances/{slug}/", 200)["pk"])

    def provider(self, name: str, kind: str = "oauth2", **more: Any) -> Any:
        """A new provider."""
        body: dict[str, Any] = {
            "name": name,
            "authorization_flow": self.flow("default-provider-authorization-implicit-consent"),
            "invalidation_flow": self.flow("default-provider-invalidation-flow"),
            **({"redirect_uris": []} if kind == "oauth2" else {}),
            **more,
        }
        return self("POST", f"/providers/{kind}/", 201, **body)


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    """One emulator of the newest line for a whole module; use names of your own."""
    with serve(version="2026.8.3") as running:
        yield Client(running)

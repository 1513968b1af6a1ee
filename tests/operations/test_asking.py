"""Which authentik a command asks."""

from __future__ import annotations

from operations.asking import authentik_of
from tests.host.mocks import settings

TYPE = "pulumi:providers:pulumi-python"
BOX = "ssh:acme@203.0.113.10/127.0.0.1:{}"


def test_the_authentik_of_a_box_is_found_in_the_state() -> None:
    """As states have the two providers: by the names that the program gives the engine."""
    npm = {"gatehouse:address": BOX.format(81), "gatehouse:identity": "gatehouse@acme.example"}
    ours = {"gatehouse:address": BOX.format(9000), "gatehouse:line": "2026.8"}
    resources = [{"type": TYPE, "inputs": npm}, {"type": TYPE, "inputs": ours}]
    server = authentik_of(settings(), resources)
    assert server is not None and BOX.format(9000) in server.where
    assert authentik_of(settings(), resources[:1]) is None

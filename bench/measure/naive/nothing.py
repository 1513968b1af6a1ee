"""A dynamic provider that does nothing: what the engine and the SDK cost by themselves."""

from __future__ import annotations

from typing import Any

from pulumi.dynamic import DiffResult, ResourceProvider


class Nothing(ResourceProvider):
    """Everything stays as it is."""

    serialize_as_secret_always = False  # as gatehouse: a floor must not be made higher than it is

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """No change, whatever is asked."""
        return DiffResult(changes=False)

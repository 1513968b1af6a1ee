"""Server types and images that are gone are refused as the official plugin refuses them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from hcloud.images import BoundImage
from hcloud.server_types import BoundServerType

from bench.plugins.hcloud.retired import refuse_image, refuse_type

NOW = datetime.now(UTC)


def ended(announced: int, unavailable: int) -> dict[str, str]:
    """A deprecation, in days before today."""
    days = {"announced": announced, "unavailable_after": unavailable}
    return {name: (NOW - timedelta(days=count)).isoformat() for name, count in days.items()}


def server_type(**places: dict[str, str] | None) -> BoundServerType:
    locations = [
        {"id": number, "name": name, "deprecation": info, "available": True, "recommended": True}
        for number, (name, info) in enumerate(places.items())
    ]
    return BoundServerType(mock.Mock(), {"id": 1, "name": "cx11", "locations": locations})


def test_a_server_type_that_is_gone_where_it_is_wanted() -> None:
    kind = server_type(nbg1=ended(200, 10), hel1=ended(20, -70), fsn1=None)
    with pytest.raises(LookupError, match=r'"cx11" is unavailable in "nbg1" and can no longer be ordered'):
        refuse_type(kind, "nbg1")
    for place in ("hel1", "fsn1", None):
        refuse_type(kind, place)
    with pytest.raises(LookupError, match=r"unavailable in all locations \(nbg1\)"):
        refuse_type(server_type(nbg1=ended(200, 10)), None)


@pytest.mark.parametrize(
    ("days", "allowed", "fine"), [(100, False, False), (100, True, True), (80, False, True)]
)
def test_an_image_may_be_had_for_three_months(days: int, allowed: bool, fine: bool) -> None:
    data: dict[str, Any] = {"id": 1, "name": "debian-10", "deprecation": ended(days, 0)}
    image = BoundImage(mock.Mock(), data)
    if fine:
        refuse_image(image, allowed=allowed)
    else:
        with pytest.raises(LookupError, match="image debian-10 is deprecated since"):
            refuse_image(image, allowed=allowed)
    refuse_image(BoundImage(mock.Mock(), {**data, "deprecation": None}), allowed=False)

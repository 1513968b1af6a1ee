"""What can no longer be ordered: the official plugin (upstream's 1.68) refuses it before it asks Hetzner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hcloud.deprecation import DeprecationInfo
from hcloud.images import Image
from hcloud.server_types import ServerType

STILL = timedelta(days=92)
"""How long an image may be had after it was announced that it goes: three months."""


def refuse_type(kind: ServerType, place: str | None) -> None:
    """Raises LookupError for a server type that is gone: everywhere, or at the wanted place."""
    gone = [
        str(each.location.name)
        for each in kind.locations or []
        if each.deprecation is not None and _over(each.deprecation)
    ]
    if place in gone:
        raise LookupError(
            f'Server Type "{kind.name}" is unavailable in "{place}" and can no longer be ordered'
        )
    if gone and place is None and len(gone) == len(kind.locations or []):
        where = ",".join(gone)
        raise LookupError(
            f'Server Type "{kind.name}" is unavailable in all locations ({where}) and can no longer be ordered'
        )


def refuse_image(image: Image, *, allowed: bool) -> None:
    """Raises LookupError for an image that was deprecated too long ago, unless that is `allowed`."""
    since = image.deprecation.announced if image.deprecation else None
    if since is not None and since + STILL < datetime.now(UTC) and not allowed:
        raise LookupError(
            f"image {image.name} is deprecated since {since:%Y-%m-%d} and can no longer be used"
        )


def _over(info: DeprecationInfo) -> bool:
    return info.unavailable_after is not None and info.unavailable_after < datetime.now(UTC)

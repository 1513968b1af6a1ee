"""Avatars as authentik makes them when nothing else is configured: a person's initials on a colour of their name."""

from __future__ import annotations

import base64
import hashlib

DARKEST, LIGHTEST, BRIGHT = 55, 200, 186


def avatar(name: str) -> str:
    """The picture for a name, as a `data:` URI (recorded: d004 and d028)."""
    parts = name.split() or [name]
    letters = parts[0][:2] if len(parts) == 1 else parts[0][:1] + parts[-1][:1]
    digest = hashlib.md5(name.lower().encode(), usedforsecurity=False).hexdigest()
    number = int(digest, 16) % 0xFFFFFF
    red, green, blue = (min(max(number >> bits & 0xFF, DARKEST), LIGHTEST) for bits in (16, 8, 0))
    text = "000" if red * 0.299 + green * 0.587 + blue * 0.114 > BRIGHT else "fff"
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="64px" height="64px" viewBox="0 0 64 64" version="1.1">'
        f'<rect fill="#{red:02x}{green:02x}{blue:02x}" cx="32" cy="32" width="64" height="64" r="32"/>'
        f'<text x="50%" y="50%" style="color: #{text}; line-height: 1; font-family: '
        "'RedHatText','Overpass',overpass,helvetica,arial,sans-serif; \" "
        f'fill="#{text}" alignment-baseline="middle" dominant-baseline="middle" text-anchor="middle" '
        f'font-size="28" font-weight="400" dy=".1em">{letters.upper()}</text></svg>'
    )
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()

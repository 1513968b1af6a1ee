"""What a person does in authentik's admin interface: look at an application, change a field of it.

Reads JSON on standard input, so that the token is in no argument list: {issuer, slug, token, change}.
"""

from __future__ import annotations

import json
import sys

import httpx


def main() -> None:
    """Print the application after the change, if there is one."""
    asked = json.load(sys.stdin)
    url = f"{asked['issuer']}/api/v3/core/applications/{asked['slug']}/"
    with httpx.Client(headers={"Authorization": f"Bearer {asked['token']}"}, timeout=30) as client:
        answer = client.patch(url, json=asked["change"]) if asked["change"] else client.get(url)
        answer.raise_for_status()
    print(answer.text)


if __name__ == "__main__":
    main()

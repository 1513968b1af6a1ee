"""What /usr/bin/check-health does in the image: `python -m bench.npm.health [port]` ends with 0 if the
API is up.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request


def healthy(port: int = 81) -> bool:
    """Whether the API on loopback answers and says OK."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/", timeout=5) as answer:
            return bool(json.load(answer)["status"] == "OK")
    except (OSError, ValueError, KeyError):
        return False


if __name__ == "__main__":
    up = healthy(int(sys.argv[1]) if len(sys.argv) > 1 else 81)
    sys.stdout.write("OK\n" if up else "NOT OK\n")
    sys.exit(0 if up else 1)

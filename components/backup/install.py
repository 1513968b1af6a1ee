"""Sets a box up to back itself up; `python -m components.backup.install`, with `--remove` to end that.

Standard input has one JSON document (`Order`), since it holds what opens the repository; standard output gets one line,
which Pulumi keeps in its state.
"""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.host.shell import BoxError, Shell, carry_out, pinned

HERE = Path(__file__).parent
SCRIPTS = {
    "backup": "backup.sh",
    "backup-common": "common.sh",
    "restore": "restore.sh",
    "rehearse": "rehearse.sh",
}
"""What each is called in /usr/local/lib/gatehouse, and its file here."""
SECONDS = 900.0
"""For everything together: packages that have to come first, and a repository that does not answer at once."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be done, as JSON says it."""

    client: str
    address: str
    port: int
    ssh: tuple[str, ...]
    """The ssh command up to its options, with the deploy key."""
    host_public: str
    files: tuple[tuple[str, str, str], ...]
    """Path, mode and text of each file on the box but for the scripts; secret."""
    shown: str
    """The repository, without what opens it."""
    scripts: str
    """Hash of the scripts: it makes an order differ from the last one when only a script changed."""

    @classmethod
    def parse(cls, text: str) -> Order:
        """Raises BoxError for anything but a complete document, without repeating it."""
        try:
            raw: dict[str, Any] = json.loads(text)
            raw["ssh"] = tuple(raw["ssh"])
            raw["files"] = tuple((path, mode, content) for path, mode, content in raw["files"])
            return cls(**raw)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BoxError("the order on standard input is not what this program takes") from None


def install(order: Order, shell: Shell, *, remove: bool) -> str:
    """Do it; the line to print. Raises BoxError."""
    script = (HERE / "install.sh").read_text(encoding="utf-8")
    if remove:
        shell.run(script, "--remove", timeout=SECONDS)
        return f"{order.address}: no backups any more"
    scripts = (
        (f"/usr/local/lib/gatehouse/{name}", "0755", (HERE / file).read_text())
        for name, file in SCRIPTS.items()
    )
    lines = "".join(
        f"{path} {mode} {base64.b64encode(text.encode()).decode()}\n"
        for path, mode, text in (*scripts, *order.files)
    )
    shell.run(script, stdin=lines, timeout=SECONDS)
    return f"{order.address}: backed up to {order.shown} each night"


def main(arguments: list[str]) -> int:
    """Exit status 0 with one line on standard output, or 1 with what is wrong on standard error."""

    def work(text: str, scratch: Path) -> str:
        order = Order.parse(text)
        there = (order.address, order.port, order.client, order.host_public)
        shell = pinned(order.ssh, "deploy", *there, scratch / "known")
        return install(order, shell, remove="--remove" in arguments)

    return carry_out(work)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""The Debian archive as this machine's own apt knows it: the bench asks no other place for packages.

Only the entries of Debian itself are taken (suites of this release, component `main`), whatever else the machine's
administrator has added; mirrors, keyrings and proxies are the machine's own.
"""

from __future__ import annotations

import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

RELEASE = "bookworm"
APT = Path("/etc/apt")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_ONE_LINE = re.compile(
    r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$"
)


@dataclass(frozen=True)
class Source:
    """One archive: its address and the suites that are taken from it."""

    uri: str
    suites: tuple[str, ...]
    keyring: str

    def deb822(self) -> str:
        """This source as a paragraph of a `.sources` file."""
        return (
            f"Types: deb\nURIs: {self.uri}\nSuites: {' '.join(self.suites)}\nComponents: main\n"
            f"Signed-By: {self.keyring}\n"
        )


def debian_sources() -> list[Source]:
    """The machine's own sources for Debian 12 `main`; empty where the machine is not a Debian 12."""
    found: dict[str, Source] = {}
    files = [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*"))]
    for path in files:
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        entries = _paragraphs(text) if path.suffix == ".sources" else _lines(text)
        for uri, suites, components, keyring in entries:
            wanted = tuple(s for s in suites if re.fullmatch(rf"{RELEASE}(-updates|-security)?", s))
            if wanted and "main" in components and (not keyring or "debian-archive" in keyring):
                known = found.get(uri)
                merged = tuple(dict.fromkeys((known.suites if known else ()) + wanted))
                found[uri] = Source(uri, merged, keyring or KEYRING)
    return list(found.values())


def allowed_hosts() -> frozenset[str]:
    """Host names of the machine's Debian archives: the only ones that the package proxy speaks to."""
    return frozenset(host for s in debian_sources() if (host := urlsplit(s.uri).hostname))


def apt_options() -> list[str]:
    """The machine's own settings on how fresh an archive must be (a mirror may be a snapshot)."""
    shown = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
    return [
        line for line in shown.splitlines() if re.match(r"Acquire::(Check-Valid-Until|Check-Date) ", line)
    ]


def architecture() -> str:
    """Debian's name for this machine's processor."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _lines(text: str) -> list[tuple[str, list[str], list[str], str]]:
    entries = []
    for line in text.splitlines():
        if match := _ONE_LINE.match(line.strip()):
            signed = re.search(r"signed-by=(\S+)", match["options"] or "")
            keyring = signed[1] if signed else ""
            entries.append((match["uri"], [match["suite"]], match["components"].split(), keyring))
    return entries


def _paragraphs(text: str) -> list[tuple[str, list[str], list[str], str]]:
    entries = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        for line in paragraph.splitlines():
            if not line.startswith("#") and ":" in line:
                key, _, value = line.partition(":")
                fields[key.strip().lower()] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        for uri in fields.get("uris", "").split():
            suites, components = fields.get("suites", "").split(), fields.get("components", "").split()
            entries.append((uri, suites, components, fields.get("signed-by", "")))
    return entries

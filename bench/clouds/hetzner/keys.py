"""SSH keys."""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from bench.clouds.hetzner.errors import ApiError, invalid
from bench.clouds.hetzner.project import Project, labels, text
from bench.clouds.hetzner.views import ssh_key
from bench.clouds.store import Record


def create(project: Project, body: Record) -> Record:
    """POST /ssh_keys: name and key are unique in the project."""
    name, public = text(body, "name", 128), text(body, "public_key", 20_000)
    try:
        load_ssh_public_key(public.encode())
        raw = base64.b64decode(public.split()[1])
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        raise invalid("public_key", "Invalid SSH key") from None
    mark = hashlib.md5(raw, usedforsecurity=False).hexdigest()  # the API's fingerprints are MD5
    fingerprint = ":".join(mark[i : i + 2] for i in range(0, 32, 2))
    given = labels(body)
    project.unique_name("ssh_keys", name)
    if any(k["fingerprint"] == fingerprint for k in project.all("ssh_keys").values()):
        raise ApiError("uniqueness_error", "SSH key not unique", {"fields": [{"name": "public_key"}]})
    record = {"name": name, "fingerprint": fingerprint, "public_key": public, "labels": given}
    return {"ssh_key": ssh_key(project.add("ssh_keys", record))}


def delete(project: Project, number: str) -> None:
    """DELETE /ssh_keys/N: always allowed, servers don't depend on it."""
    project.remove("ssh_keys", project.get("ssh_keys", number)["id"])

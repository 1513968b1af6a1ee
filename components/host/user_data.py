"""The user data a server boots with: as little as lets the program in to do the rest.

Every process on a server can ask the cloud's metadata service for its user data, so the only secret in it is
the first-boot host key, which `components.host.provision` replaces over the connection that it pins.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

# Hetzner refuses more (API documentation of POST /servers: 32 KiB).
LIMIT_BYTES = 32 * 1024
HARDEN = Path(__file__).with_name("harden.sh")


class KeyPair(Protocol):
    """An SSH key pair in OpenSSH's own text formats."""

    @property
    def private(self) -> str: ...

    @property
    def public(self) -> str: ...


def hardening_script() -> str:
    """The text of the hardening script, as it must arrive on the box."""
    return HARDEN.read_text(encoding="utf-8")


def hardening_record(arguments: list[str]) -> str:
    """What /etc/gatehouse/hardening holds on a box where today's script ran with these arguments."""
    digest = hashlib.sha256(hardening_script().encode()).hexdigest()
    return " ".join([digest, *arguments])


def user_data(*, deploy_key: str, first_boot: KeyPair) -> str:
    """cloud-init's user data: the deploy user, a host key for the first connection, the hardening script.

    The same arguments always give the same bytes: to Hetzner's provider a changed byte is another server.
    Raises ValueError when the text outgrows what Hetzner takes.
    """
    text = f"""#cloud-config
disable_root: true
ssh_pwauth: false
ssh_deletekeys: true
ssh_keys:
  ed25519_private: |
{_block(first_boot.private, 4)}
  ed25519_public: {first_boot.public.strip()}
users:
  - name: deploy
    gecos: gatehouse
    shell: /bin/bash
    lock_passwd: true
    sudo: ALL=(ALL) NOPASSWD:ALL
    ssh_authorized_keys:
      - {deploy_key.strip()}
write_files:
  - path: /usr/local/lib/gatehouse/harden
    permissions: "0755"
    content: |
{_block(hardening_script(), 6)}
runcmd:
  - [/usr/local/lib/gatehouse/harden]
"""
    size = len(text.encode())
    if size > LIMIT_BYTES:
        what = f"the user data is {size} bytes, Hetzner takes at most {LIMIT_BYTES}"
        raise ValueError(f"{what}: shorten {HARDEN.name}")
    return text


def _block(text: str, indent: int) -> str:
    """The lines of a YAML literal block; empty lines carry no blanks."""
    pad = " " * indent
    return "\n".join(pad + line if line else "" for line in text.rstrip("\n").split("\n"))

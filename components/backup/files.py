"""What a box is told for its backups: files that root alone reads, and the units of systemd that run them."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator

from pydantic import SecretStr

from components.backup.install import HERE, SCRIPTS
from components.secrets import Secrets
from components.settings import Settings
from components.settings.backup import STORES, Backup
from components.settings.mail import Email

ETC = "/etc/gatehouse/backup"
File = tuple[str, str, str]
"""Path on the box, mode, text."""

_SFTP = re.compile(
    r"sftp:(//(?P<user>[^@]+)@(?P<host>\[[^]]+\]|[^:/]+)(:(?P<port>\d+))?/|(?P<user_>[^@]+)@(?P<host_>[^:/]+):)"
)

_SERVICE = """[Unit]
Description=Back up authentik and Nginx Proxy Manager
Wants=network-online.target
After=network-online.target docker.service
[Service]
Type=oneshot
SyslogIdentifier=gatehouse-backup
ExecStart=/usr/local/lib/gatehouse/backup run
ExecStopPost=-/usr/local/lib/gatehouse/backup ended
TimeoutStartSec=6h
Nice=10
IOSchedulingClass=idle
"""
_TIMER = """[Unit]
Description=Back up authentik and Nginx Proxy Manager each night
[Timer]
OnCalendar=*-*-* {at}:00 UTC
RandomizedDelaySec=10min
Persistent=true
[Install]
WantedBy=timers.target
"""


def files(settings: Settings, backup: Backup, secrets: Secrets) -> Iterator[File]:
    """All files of a client's box but for the scripts."""
    yield "/etc/systemd/system/gatehouse-backup.service", "0644", _SERVICE
    yield "/etc/systemd/system/gatehouse-backup.timer", "0644", _TIMER.format(at=backup.at)

    def private(name: str, text: str) -> File:
        return f"{ETC}/{name}", "0600", text

    keep = backup.keep
    environment = {
        **backup.environment(secrets.value("backup/password")),
        "CLIENT": settings.client,
        "APPEND_ONLY": "yes" if backup.append_only else "no",
        "KEEP": f"--keep-daily {keep.daily} --keep-weekly {keep.weekly} --keep-monthly {keep.monthly}",
    }
    yield private(
        "environment", "".join(f"{name}={shlex.quote(value)}\n" for name, value in environment.items())
    )
    yield private("repository", f"{backup.repository}\n")
    if STORES[backup.store].host_key and backup.host_key:
        user, host, port = _sftp(backup.repository)
        yield private("ssh-key", secrets.ssh_key("ssh/backup").private)
        yield private("known-hosts", f"gatehouse-backup {' '.join(backup.host_key.split()[:2])}\n")
        options = {
            "BatchMode": "yes", "ConnectTimeout": "30", "GlobalKnownHostsFile": "/dev/null",
            "HostKeyAlias": "gatehouse-backup", "IdentitiesOnly": "yes", "StrictHostKeyChecking": "yes",
            "ServerAliveInterval": "30", "UserKnownHostsFile": f"{ETC}/known-hosts",
        }  # fmt: skip
        words = " ".join(f"-o {name}={value}" for name, value in options.items())
        yield private(
            "sftp", f"ssh -F /dev/null -i {ETC}/ssh-key -p {port} {words} -l {user} {host} -s sftp\n"
        )
    if backup.heartbeat:
        yield private("heartbeat", f"url = {_quoted(_plain(backup.heartbeat))}\n")
    if backup.mail and settings.email:
        yield private("mail", _curl(settings.email, backup.mail))
        head = {
            "From": settings.email.sender,
            "To": backup.mail,
            "Subject": f"The backup of {settings.client} failed",
            "MIME-Version": "1.0",
            "Content-Type": "text/plain; charset=utf-8",
        }
        yield private("mail-head", "".join(f"{name}: {value}\n" for name, value in head.items()))


def outputs(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """Stack outputs by name: the public key that an SFTP server has to let in."""
    by_ssh = settings.backup is not None and STORES[settings.backup.store].host_key
    return {"backupKey": secrets.ssh_key("ssh/backup").public} if by_ssh else {}


def scripts_hash() -> str:
    """A hash of everything that runs on the box, so that a change reaches the boxes that are there."""
    names = ("install.sh", *SCRIPTS.values())
    return hashlib.sha256(b"\0".join((HERE / name).read_bytes() for name in names)).hexdigest()


def _sftp(repository: str) -> tuple[str, str, str]:
    """User, host and port of an SFTP repository."""
    found = _SFTP.match(repository)
    assert found  # its form was checked
    place = found.groupdict()
    return (
        place["user"] or place["user_"],
        (place["host"] or place["host_"]).strip("[]"),
        place["port"] or "22",
    )


def _curl(email: Email, to: str) -> str:
    """curl's configuration for one mail."""
    scheme = "smtps" if email.tls == "tls" else "smtp"
    lines = [
        f"url = {_quoted(f'{scheme}://{email.host}:{email.port}')}",
        f"mail-from = {_quoted(email.sender)}",
        f"mail-rcpt = {_quoted(to)}",
    ]
    if email.tls == "starttls":
        lines.append("ssl-reqd")
    if email.username and email.password:
        lines.append(f"user = {_quoted(f'{_plain(email.username)}:{_plain(email.password)}')}")
    return "".join(f"{line}\n" for line in lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plain(value: SecretStr) -> str:
    return value.get_secret_value()

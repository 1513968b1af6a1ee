"""Nightly backups of the box: where they go, when, and how long they are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, Field, SecretStr

from components.problems import Problem, warning
from components.settings.base import Model, dotted, wrong
from components.settings.forms import EmailAddress, TimeOfDay, url_problem
from components.settings.secret_forms import MaybeSealed, Sealed, SshPublicKey


@dataclass(frozen=True)
class Store:
    """A kind of place that restic keeps a repository in."""

    form: str
    """Which repositories are of this kind, as a regular expression."""
    account: tuple[str, str] | None = None
    """The variables of restic's environment that take `keyId` and `key`; None where there are none."""
    keys: bool = False
    """Whether it cannot do without `keyId` and `key`."""
    host_key: bool = False
    """Whether it is reached over SSH."""


STORES: dict[str, Store] = {
    "S3": Store(
        r"s3:(https?://)?[A-Za-z0-9][A-Za-z0-9.:-]*(/[\w./-]+)+",
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        True,
    ),
    "Backblaze B2": Store(r"b2:[A-Za-z0-9-]{6,63}(:[\w./-]*)?", ("B2_ACCOUNT_ID", "B2_ACCOUNT_KEY"), True),
    "SFTP": Store(
        r"sftp:(//[\w.-]+@([\w.-]+|\[[0-9A-Fa-f:]+\])(:\d+)?/|[\w.-]+@[\w.-]+:)[\w./-]+", host_key=True
    ),
    "a REST server": Store(r"rest:https?://[A-Za-z0-9][A-Za-z0-9.:-]*(/[\w./-]*)?"),
    "a folder of the box": Store(r"/[\w./-]+"),
}
"""By what they are called."""
_EXAMPLES = "b2:acme-sso, s3:https://s3.example.com/acme-sso, sftp:acme@backup.example:/sso, rest:https://backup.example/acme"


def store_of(repository: str) -> str:
    """What kind of place a repository is in. Raises ValueError for what is none."""
    for name, store in STORES.items():
        if re.fullmatch(store.form, repository):
            return name
    raise ValueError(repository)


def _repository(value: str) -> str:
    try:
        store_of(value)
    except ValueError:
        if re.match(r"\w+:(https?://)?[^/]*:[^/]*@", value):
            raise wrong(
                "this repository has a password in it",
                "Take what is before the @ out, and give it as keyId and key",
            ) from None
        raise wrong(f"{value!r} is not a repository of restic's", f"Write it such as {_EXAMPLES}") from None
    if re.match(r"(s3|rest):http://", value):
        raise wrong(
            f"{value!r} is not encrypted on the way", f"Write {value.replace('http://', 'https://', 1)}"
        )
    return value


def _heartbeat(value: SecretStr) -> SecretStr:
    if value.get_secret_value() and url_problem(value.get_secret_value()):
        raise wrong(
            "the heartbeat is not a URL that can be asked", "Give a URL with https://, without spaces"
        )
    return value


class Keep(Model):
    """How many snapshots are kept; older ones are deleted after each backup."""

    daily: Annotated[int, Field(ge=1, le=366)] = 7
    """The newest of each of so many days."""

    weekly: Annotated[int, Field(ge=0, le=520)] = 5
    """The newest of each of so many weeks."""

    monthly: Annotated[int, Field(ge=0, le=240)] = 12
    """The newest of each of so many months."""


class Backup(Model):
    """A nightly backup of authentik's database and files and of Nginx Proxy Manager's data and certificates."""

    repository: Annotated[str, AfterValidator(_repository)]
    """Where restic keeps it, encrypted with a password that follows from the root secret: b2:BUCKET[:PATH],
    s3:https://HOST/BUCKET[/PATH], sftp:USER@HOST:/PATH (sftp://USER@HOST:PORT//PATH with a port of its own),
    rest:https://HOST/[PATH], or a folder of the box (for tests: it goes with the box)."""

    key_id: MaybeSealed | None = None
    """The name of the access key (S3), of the application key (B2) or of the user (REST)."""

    key: Sealed | None = None
    """The secret that belongs to it."""

    host_key: SshPublicKey | None = None
    """The SSH host key of an SFTP server. The box logs in there with the key that `gatehouse outputs` prints."""

    append_only: bool = False
    """Whether the repository lets the box add to it and delete nothing, so that a stolen box can't delete its past:
    nothing is ever deleted by the box then, `keep` is for whoever tends the repository."""

    at: TimeOfDay = "02:30"
    """When it begins each night, in UTC."""

    keep: Keep = Keep()
    """How many snapshots are kept."""

    heartbeat: Annotated[MaybeSealed, AfterValidator(_heartbeat)] | None = None
    """A URL that is asked after each good backup, and only then; whoever watches it notices when it stays away."""

    mail: EmailAddress | None = None
    """Who is written to when a backup fails, through the server of `email`."""

    @property
    def store(self) -> str:
        """What kind of place the repository is in: a key of STORES."""
        return store_of(self.repository)

    def environment(self, password: str) -> dict[str, str]:
        """What restic finds in its environment; secret as a whole."""
        key_id, key = (value.get_secret_value() if value else "" for value in (self.key_id, self.key))
        where = self.repository
        if key_id and where.startswith("rest:"):
            where = where.replace("://", f"://{quote(key_id, safe='')}:{quote(key, safe='')}@", 1)
        account = STORES[self.store].account
        return {
            "RESTIC_REPOSITORY": where,
            "RESTIC_PASSWORD": password,
            **(dict(zip(account, (key_id, key), strict=True)) if account else {}),
        }


def backup_problems(backup: Backup | None, *, has_mail: bool) -> Iterator[Problem]:
    """What does not fit together in the settings of the backup."""
    if backup is None:
        return
    store = STORES[backup.store]
    both = backup.key_id is not None and backup.key is not None
    if (store.keys and not both) or (backup.key_id is None) != (backup.key is None):
        missing = "keyId" if backup.key_id is None else "key"
        yield Problem(
            dotted("backup", missing),
            f"{backup.store} is not entered without it",
            f"Add {missing}, as the store gave it to you",
        )
    if store.host_key and backup.host_key is None:
        yield Problem(
            dotted("backup", "hostKey"),
            "nothing says which machine is the right one",
            "Add hostKey: what `ssh-keyscan -t ed25519 HOST` prints, compared with what its keeper says",
        )
    if backup.mail is not None and not has_mail:
        yield Problem(
            dotted("backup", "mail"), "there is no server to send it through", "Add email, or take this out"
        )


def backup_warnings(backup: Backup | None) -> Iterator[Problem]:
    """What works, and is advised against."""
    if backup is not None and backup.repository.startswith("/"):
        yield warning(
            dotted("backup", "repository"),
            "a backup on the box itself is lost with the box",
            f"Take a place elsewhere, such as {_EXAMPLES}",
        )

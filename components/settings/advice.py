"""What works in a stack file and is advised against, and what is still missing before the program can run."""

from __future__ import annotations

from collections.abc import Iterator

from components.problems import Problem, hint, warning
from components.release_lines import uses_redis
from components.settings.access_checks import access_warnings
from components.settings.backup import backup_warnings
from components.settings.base import dotted
from components.settings.checks import memory
from components.settings.host import Elsewhere, ExistingBox
from components.settings.login_checks import login_warnings
from components.settings.model import Settings
from components.settings.secret_forms import sealing


def missing_token(settings: Settings) -> Iterator[Problem]:
    """What `gatehouse new` cannot write, so that only a running program needs it."""
    if isinstance(settings.box, Elsewhere) and settings.authentik.token is None:
        yield Problem(
            dotted("authentik", "token"),
            "`box: none` needs it",
            "Make an API token for an administrator there, and give it to: "
            + sealing(dotted("authentik", "token"), settings.client),
        )


def warnings(settings: Settings) -> Iterator[Problem]:
    """What works but is advised against, and what is still missing before the program can run."""
    yield from (warning(each.where, each.what, each.remedy) for each in missing_token(settings))
    for app in settings.apps:
        yield from app.advice(settings)
    yield from access_warnings(settings)
    yield from login_warnings(settings)
    yield from memory(settings)
    yield from backup_warnings(settings.backup)
    if isinstance(settings.box, ExistingBox) and "ssh_from" in settings.network.model_fields_set:
        yield warning(
            dotted("network", "sshFrom"),
            "it is Hetzner's firewall that keeps others out, and a box that was there has none of ours: SSH stays open "
            "to all who hold a key",
            "Set it in the firewall in front of the box as well",
        )
    if not isinstance(settings.box, Elsewhere) and settings.cloudflare_token is None:
        yield warning(
            dotted("cloudflareToken"),
            "certificates are got with the CLOUDFLARE_API_TOKEN of whoever runs `up`, and the box renews them with "
            "that same one: a token that is changed in the environment alone never reaches the box, and renewals fail "
            "once the old one is revoked",
            "Give the client a token of its own: pulumi config set --secret gatehouse:cloudflareToken "
            f"--stack {settings.client}. Whenever that one changes, `up` gets new certificates with it",
        )
    if (
        settings.redis is True
        and not isinstance(settings.box, Elsewhere)
        and not uses_redis(settings.authentik.line)
    ):
        yield hint(
            dotted("redis"),
            f"authentik {settings.authentik.line} does not use Redis, which still runs",
            "Write auto to run it only where it is used, or false",
        )

"""What is missing on this machine and in a client's accounts; `operations.guards` says what goes before which run."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx

from components.containers.releases import RELEASES
from components.containers.services import AUTHENTIK_IMAGE
from components.problems import Problem, hint
from components.release_lines import sort_key
from components.settings import Settings
from components.settings.base import dotted
from components.settings.host import type_problems
from operations import presets
from operations.clouds import CLOUDFLARE, HETZNER, HETZNER_LISTS, checked
from operations.errors import OperatorError
from operations.finding import Finding, Right
from operations.passphrase import passphrase
from operations.tools import tools

OLDEST_ENGINE = (3, 259)  # what gatehouse asks of Pulumi's CLI has been in it since then


def machine() -> Iterator[Finding]:
    """What the operator's machine needs."""
    yield engine()
    yield from tools()
    yield program("ssh", "Install an OpenSSH client; gatehouse reaches the box through it.")
    yield from passphrase()
    yield from presets.problems()


def engine() -> Finding:
    """Whether there is a `pulumi`, and it is not too old."""
    found = program("pulumi", "Install Pulumi's CLI, or try gatehouse on the bench first: make demo")
    if isinstance(found, Problem):
        return found
    said = subprocess.run(
        [found.what, "version"], capture_output=True, text=True, timeout=60, check=False
    ).stdout.strip()
    version = re.match(r"v?(\d+)\.(\d+)", said)
    if version and (int(version[1]), int(version[2])) < OLDEST_ENGINE:
        oldest = ".".join(map(str, OLDEST_ENGINE))
        return Problem("pulumi", f"{found.what} is {said}", f"Update it: gatehouse needs {oldest} or newer.")
    return Right("pulumi", f"{found.what} {said}".strip())


def program(name: str, remedy: str) -> Finding:
    """Whether a program is on PATH."""
    path = shutil.which(name)
    return Right(name, path) if path else Problem(name, "not found", remedy)


def line_in_order(settings: Settings, resources: list[dict[str, Any]]) -> Iterator[Finding]:
    """A finding if authentik would be brought to an older line than has run here, or past one in between.

    A newer line has changed the database, which an older one cannot read; and each line brings it on from the one
    before only. Source: authentik's upgrade guide; 2026.8 refuses to start on a database that skipped one.
    """
    wanted = settings.authentik.line
    names = (str(each.get("inputs", {}).get("name", "")) for each in resources)
    tags = [
        name.removeprefix(f"{AUTHENTIK_IMAGE}:") for name in names if name.startswith(f"{AUTHENTIK_IMAGE}:")
    ]
    if not tags:
        return
    newest = max(tags, key=sort_key)
    has_run = sort_key(newest)[:2]
    between = [line for line in RELEASES if has_run < sort_key(line) < sort_key(wanted)]
    if has_run > sort_key(wanted):
        yield Problem(
            "gatehouse:authentik.version",
            f"authentik {newest} has run here, and {settings.authentik.version} cannot read its database",
            f"Write {newest} again. Going back takes a backup from before, and `pulumi up`, which does not look",
        )
    elif between:
        yield Problem(
            "gatehouse:authentik.version",
            f"authentik {newest} has run here, and {settings.authentik.version} takes a database only that has been "
            f"brought through {', then '.join(between)}",
            f"Write a version of {between[0]}, run `gatehouse up`, and so on line by line",
        )


def run_check(check: Callable[..., Finding], *given: Any) -> Finding:
    """The check's finding; a cloud that can't be reached is a finding too."""
    try:
        return check(*given)
    except OperatorError as error:
        return Problem(check.__name__.replace("_", " "), error.what, error.remedy)
    except httpx.HTTPError as error:
        return Problem(
            check.__name__.replace("_", " "),
            f"{type(error).__name__} at {error.request.url.host}",
            "Check this machine's network, then the provider's status page.",
        )


def token_at_hetzner(settings: Settings) -> Finding:
    """Whether Hetzner takes the token."""
    with HETZNER.client(settings) as api:
        answer = api.get("locations")
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return Problem(
            "Hetzner token",
            f"refused ({answer.status_code})",
            "Make an API token with read and write access in the client's Hetzner project, and set it as "
            "HCLOUD_TOKEN or gatehouse:hetznerToken.",
        )
    checked(answer)
    return Right("Hetzner token", "accepted")


def seen_at_hetzner(settings: Settings, resources: list[dict[str, Any]]) -> Finding:
    """Whether the token's project has anything of what was made before: a stray token must not make it again."""
    ours = [
        (HETZNER_LISTS[each["type"]], each["id"])
        for each in resources
        if each["type"] in HETZNER_LISTS and each.get("id")
    ]
    with HETZNER.client(settings) as api:
        for kind, id_ in ours:
            answer = api.get(f"{kind}/{id_}")
            if answer.status_code != httpx.codes.NOT_FOUND:
                checked(answer)
                return Right("Hetzner project", "the one that this client is in")
    if not ours:
        return Right("Hetzner project", "nothing was made in it yet")
    return Problem(
        "Hetzner project",
        f"the token's project has nothing of the {len(ours)} things that were made for {settings.client}",
        f"Correct {HETZNER.source(settings)}: this is another project's token. Only if Hetzner's console shows that it "
        f"is the client's project, and everything in it was deleted by hand, let the state forget it: pulumi refresh "
        f"--stack {settings.client}",
    )


def servers(settings: Settings) -> list[str]:
    """The names of servers that bear the client's label; empty too where Hetzner does not say."""
    with suppress(OperatorError, httpx.HTTPError), HETZNER.client(settings) as api:
        answer = api.get("servers", params={"label_selector": f"gatehouse={settings.client}"})
        if answer.is_success:
            return [str(each["name"]) for each in answer.json()["servers"]]
    return []


def server_type(settings: Settings) -> Finding:
    """Whether the wanted server can be had where it is wanted, and is large enough."""
    assert settings.server is not None
    wanted, place = settings.server.type, settings.server.location
    with HETZNER.client(settings) as api:
        types = checked(api.get("server_types", params={"name": wanted}))["server_types"]
    if not types:
        return Problem(
            dotted("server", "type"),
            f"Hetzner has no server type {wanted}",
            "Take one of the list at https://www.hetzner.com/cloud, such as cx23",
        )
    for problem in type_problems(settings.server, types[0], len(settings.apps)):
        if problem.refuses:
            return problem
    return Right("server type", f"{wanted} at {place}, {types[0]['memory']:g} GB")


def zone(settings: Settings) -> Finding:
    """Whether the domain is a zone at Cloudflare that the token may use."""
    with CLOUDFLARE.client(settings) as api:
        answer = api.get("zones", params={"name": settings.domain})
    if answer.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return Problem(
            "Cloudflare token",
            f"refused ({answer.status_code})",
            f"Make a token with Zone:Read and DNS:Edit on {settings.domain}, and set it as "
            "CLOUDFLARE_API_TOKEN or gatehouse:cloudflareToken.",
        )
    if not checked(answer)["result"]:
        return Problem(
            "Cloudflare zone",
            f"{settings.domain} is no zone that this token can see",
            f"Add {settings.domain} at Cloudflare, give the token access to it, or correct gatehouse:domain.",
        )
    return Right("Cloudflare zone", settings.domain)


def zones_of_token(settings: Settings) -> Finding:
    """Whether the Cloudflare token, which lies on the box for the sake of certificates, may do more than it has to.

    A token cannot be asked for its rights without the right to read tokens; which zones it sees, it can.
    """
    with CLOUDFLARE.client(settings) as api:
        seen = checked(api.get("zones", params={"per_page": 50}))
    others = [each["name"] for each in seen["result"] if each["name"] != settings.domain]
    if not others:
        return Right("Cloudflare token", f"sees {settings.domain} and no other zone")
    more = seen["result_info"]["total_count"] - len(others[:3]) - 1
    names = ", ".join(others[:3]) + (f" and {more} more" if more > 0 else "")
    return hint(
        "Cloudflare token",
        f"it reaches {names} too, and lies on the box, which renews certificates with it: whoever gets into the box "
        f"gets at their records",
        f"Make another at https://dash.cloudflare.com/profile/api-tokens: Zone:Read and DNS:Edit, Zone Resources: "
        f"Include, Specific zone, {settings.domain}. Then: pulumi config set --secret {CLOUDFLARE.setting} --stack "
        f"{settings.client}. The next `up` gets new certificates with it.",
    )

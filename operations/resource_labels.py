"""How the screen speaks of a resource and of what changes in it: the room it belongs to, what it is, what it is called.

One table names the types of Pulumi's plugins; the kinds behind the APIs of authentik and Nginx Proxy Manager bring
their own titles. What only the engine needs (components, providers, the stack itself) has no words and is not shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from components.identity import catalog
from components.identity.access import APPLICATION, FOREIGN
from components.identity.bindings import BINDING
from components.identity.kinds import ReleaseLine
from components.proxy.kinds import KINDS as PROXY_KINDS

SERVER, DNS, CONTAINERS, ROUTES = "Server", "DNS", "Containers", "Certificates and routes"
PEOPLE, APPS, LOGIN, OTHER = "People and groups", "Apps", "Login", "Other objects of authentik"
ROOMS = (SERVER, DNS, CONTAINERS, ROUTES, PEOPLE, APPS, LOGIN, OTHER)
"""In the order in which they are shown."""

TYPES = {
    "hcloud:index/server:Server": (SERVER, "server"),
    "hcloud:index/volume:Volume": (SERVER, "volume"),
    "hcloud:index/volumeAttachment:VolumeAttachment": (SERVER, "attachment of the volume"),
    "hcloud:index/primaryIp:PrimaryIp": (SERVER, "address"),
    "hcloud:index/firewall:Firewall": (SERVER, "cloud firewall"),
    "hcloud:index/firewallAttachment:FirewallAttachment": (SERVER, "attachment of the cloud firewall"),
    "hcloud:index/sshKey:SshKey": (SERVER, "SSH key"),
    "hcloud:index/rdns:Rdns": (SERVER, "reverse DNS of the address"),
    "command:local:Command": (SERVER, "set-up of the box:"),
    "cloudflare:index/dnsRecord:DnsRecord": (DNS, "record"),
    "docker:index/network:Network": (CONTAINERS, "network"),
    "docker:index/remoteImage:RemoteImage": (CONTAINERS, "image"),
    "docker:index/container:Container": (CONTAINERS, "container"),
}
_BEGINNINGS = (
    ("authentik_core.group", PEOPLE),
    ("authentik_core.user", PEOPLE),
    ("gatehouse.access", APPS),
    ("gatehouse.ldap_search", APPS),
    ("gatehouse.fresh_logins", LOGIN),
    ("gatehouse.server_settings", LOGIN),
    ("authentik_providers_", APPS),
    ("authentik_core.application", APPS),
    ("authentik_policies.", APPS),
    ("authentik_outposts.", APPS),
    ("authentik_flows.", LOGIN),
    ("authentik_stages_", LOGIN),
    ("authentik_sources_", LOGIN),
    ("authentik_brands.", LOGIN),
    ("authentik_policies_", LOGIN),
)
"""Rooms of authentik's kinds, by how their labels begin; the first that fits counts, and OTHER where none does."""
_DYNAMIC = "pulumi-python:dynamic/"
_INTERNAL = frozenset({"__provider", "__defaults", "gatehouse", "gatehouse_before", FOREIGN})
T = TypeVar("T")
SECRET = "[secret]"  # noqa: S105  (what the engine shows in a secret's place)
_LONGEST = 60
_SPELLED = {
    "url": "URL",
    "uri": "URI",
    "uris": "URIs",
    "envs": "environment",
    "ip": "IP",
    "kp": "key pair",
    "dns": "DNS",
    "ssl": "TLS",
    "mfa": "MFA",
}
"""Parts of properties' names that are spelled otherwise."""


@dataclass(frozen=True)
class ResourceLabel:
    """A resource in the operator's words.

    `type`: its Pulumi type, or its kind behind an API; of a binding, with the kind of what it is bound to.
    """

    room: str
    what: str
    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.what} {self.name}"


def longest_prefix_match(table: Mapping[str, T], key: str) -> T | None:
    """The value of the longest key of a table that `key` begins with."""
    beginnings = [each for each in table if key.startswith(each)]
    return table[max(beginnings, key=len)] if beginnings else None


def label_resource(urn: str, inputs: Mapping[str, Any] | None = None) -> ResourceLabel | None:
    """What a URN stands for, by what the resource's `inputs` say besides; None for what only the engine needs."""
    _, _, qualified, name = urn.split("::", 3)
    type_ = qualified.rpartition("$")[2]
    if type_ in TYPES:
        return ResourceLabel(*TYPES[type_], name, type_)
    if not type_.startswith(_DYNAMIC):
        return None
    label = type_.removeprefix(_DYNAMIC).replace(":", ".")
    if label in PROXY_KINDS:
        return ResourceLabel(ROUTES, PROXY_KINDS[label].title, name, label)
    if label == BINDING and (target := str((inputs or {}).get("target", "")).rpartition(":")[0]):
        room = APPS if target == APPLICATION else LOGIN
        return ResourceLabel(room, _title(label), name, f"{label}:{target}")
    room = next((room for beginning, room in _BEGINNINGS if label.startswith(beginning)), OTHER)
    return ResourceLabel(room, _title(label), name, label)


@cache
def _title(label: str) -> str:
    for line in reversed(catalog.lines()):
        try:
            return ReleaseLine(line).kind(label).title or label
        except KeyError:
            continue
    return label.rpartition(".")[2]


def edits(old: Mapping[str, Any], new: Mapping[str, Any], named: Collection[str] = ()) -> dict[str, str]:
    """What differs between the inputs of a resource before and after: a text for each property, by its name.

    `named`: properties that the engine says differ; of a secret one, both sides look alike here.
    """
    found = {}
    for name in sorted({*old, *new} - _INTERNAL):
        before, after = _clean(old.get(name)), _clean(new.get(name))
        if before != after or (name in named and SECRET in json.dumps(after)):
            found[name] = f"{property_label(name)}: {_edit(before, after)}"
    return found


def property_label(name: str) -> str:
    """What a property is called: `meta_launch_url` is the launch URL, `publicNets` are the public nets."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.removeprefix("meta_")).lower().split("_")
    return " ".join(_SPELLED.get(word, word) for word in words if word)


def _edit(before: Any, after: Any) -> str:
    if SECRET in json.dumps([before, after]):
        return "changes (secret)"
    if isinstance(before, list) and isinstance(after, list):
        gone = [each for each in before if each not in after]
        come = [each for each in after if each not in before]
        if gone and len(gone) == len(come) and all(map(_is_edit, gone, come)):
            return ", ".join(
                text for old, new in zip(gone, come, strict=True) for text in edits(old, new).values()
            )
        changed = [*(f"−{_short(each)}" for each in gone), *(f"+{_short(each)}" for each in come)]
        return " ".join(changed) or "another order"
    if before is None:
        return f"set to {_short(after)}"
    if after is None:
        return f"{_short(before)} is taken out"
    return f"{_short(before)} → {_short(after)}"


def _is_edit(before: Any, after: Any) -> bool:
    """Whether one member of a list is the other with a property changed, and not another altogether."""
    if not (isinstance(before, dict) and isinstance(after, dict)) or before.keys() != after.keys():
        return False
    return len([name for name in before if before[name] != after[name]]) == 1


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _clean(each) for name, each in value.items() if name not in _INTERNAL}
    if isinstance(value, list):
        return [_clean(each) for each in value]
    return value


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

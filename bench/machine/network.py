"""The bench's network: one namespace for the operator's side, one more for each box, joined by a veth pair.

Everything is routed, as at Hetzner: a box has its address as a /32 and reaches its gateway on the link. Nothing of it
is visible in, or reachable from, the machine's own network. What a server's firewalls say is enforced on the operator's
end of its pair, where the box can't see it.
"""

from __future__ import annotations

import ipaddress
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

GATEWAY = "203.0.113.1"
GATEWAY6 = "fe80::1"
OUTSIDE6 = "2001:db8::1"
NAMED = Path("/run/netns")
_TABLE = "gatehouse"
_LOCK = threading.Lock()


class NetworkError(Exception):
    """The kernel refused a part of the bench's network; the message has the tool's own words."""


def run(argv: list[str], stdin: str = "") -> str:
    """What a network tool prints. Raises NetworkError."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NetworkError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}\n{stdin}")
    return done.stdout


def inside(namespace: str, argv: list[str]) -> list[str]:
    """The command that runs `argv` in a namespace, with this process's own mounts (/sys stays as it is)."""
    return ["nsenter", f"--net={NAMED / namespace}", "--", *argv]


def exists(namespace: str) -> bool:
    """Whether the namespace is there."""
    return (NAMED / namespace).exists()


def make_client(namespace: str) -> None:
    """The operator's side, anew: loopback with the gateway's addresses, forwarding between boxes."""
    remove(namespace)
    run(["ip", "netns", "add", namespace])
    run(
        ["ip", "-n", namespace, "-batch", "-"],
        f"link set lo up\naddress add {GATEWAY}/32 dev lo\naddress add {OUTSIDE6}/128 dev lo nodad\n",
    )
    settings = {
        "net/ipv4/ip_forward": 1,
        "net/ipv6/conf/all/forwarding": 1,
        "net/ipv4/ip_unprivileged_port_start": 0,
    }
    script = "; ".join(f"echo {value} >/proc/sys/{name}" for name, value in settings.items())
    run(inside(namespace, ["sh", "-ec", script]))
    hooks = "\n".join(
        f"  chain {hook} {{ type filter hook {hook} priority 0; policy accept; }}"
        for hook in ("input", "output", "forward")
    )
    run(inside(namespace, ["nft", "-f", "-"]), f"table inet {_TABLE} {{\n{hooks}\n}}\n")


def join(client: str, box: str, server: int, ipv4: str | None, ipv6: str | None) -> None:
    """A box's namespace, anew and with nothing of its former life in it, joined to the operator's side."""
    link = interface(server)
    # The kernel takes a namespace apart in its own time: the pair goes first, or its name is not free yet.
    if _succeeds(["ip", "-n", client, "link", "show", link]):
        run(["ip", "-n", client, "link", "delete", link])
    remove(box)
    run(["ip", "netns", "add", box])
    outside = [f"link add {link} type veth peer name eth0 netns {box}", f"link set {link} up"]
    within = ["link set lo up", "link set eth0 up"]
    if ipv4:
        outside += [f"route add {ipv4}/32 dev {link} src {GATEWAY}"]
        within += [
            f"address add {ipv4}/32 dev eth0",
            f"route add {GATEWAY}/32 dev eth0 src {ipv4}",
            f"route add default via {GATEWAY} dev eth0 src {ipv4}",
        ]
    if ipv6:
        network = ipaddress.ip_interface(f"{ipaddress.ip_interface(ipv6).ip}/64")
        outside += [
            f"address add {GATEWAY6}/64 dev {link} nodad",
            f"route add {network.network} dev {link} src {OUTSIDE6}",
        ]
        within += [f"address add {network} dev eth0 nodad", f"route add default via {GATEWAY6} dev eth0"]
    run(["ip", "-n", client, "-batch", "-"], "\n".join(outside) + "\n")
    run(["ip", "-n", box, "-batch", "-"], "\n".join(within) + "\n")


def remove(namespace: str) -> None:
    """Take a namespace away, its end of a veth pair with it; fine if it is not there."""
    if exists(namespace):
        run(["ip", "netns", "delete", namespace])


def interface(server: int) -> str:
    """The name of the operator's end of a box's veth pair."""
    return f"box{server}"


def filter_traffic(client: str, server: int, rules: Iterable[dict[str, Any]] | None) -> None:
    """Let through what these rules (Hetzner's form) name, to and from one box; None takes the filter away."""
    with _LOCK:  # what is there is read, then written anew
        _filter(client, server, rules)


def _filter(client: str, server: int, rules: Iterable[dict[str, Any]] | None) -> None:
    link = interface(server)
    dropped = [
        f"delete chain inet {_TABLE} {chain}"
        for chain in (f"to{server}", f"from{server}")
        if _has(client, chain)
    ]
    # The jumps are in the base chains: those are laid anew from the boxes that have a filter.
    boxes = {s for s in _filtered(client) if s != server} | ({server} if rules is not None else set())
    script = [f"flush chain inet {_TABLE} {hook}" for hook in ("input", "output", "forward")]
    script += dropped
    if rules is not None:
        listed = list(rules)
        inward = [line for r in listed if r["direction"] == "in" for line in matches(r)]
        outward = [line for r in listed if r["direction"] == "out" for line in matches(r)]
        script += _chain(f"to{server}", [*inward, "drop"])
        script += _chain(f"from{server}", [*outward, "drop"] if outward else ["accept"])
    for other in sorted(boxes):
        name = link if other == server else interface(other)
        for hook, direction, chain in (
            ("output", "oifname", "to"), ("forward", "oifname", "to"),
            ("input", "iifname", "from"), ("forward", "iifname", "from"),
        ):  # fmt: skip
            script.append(f"add rule inet {_TABLE} {hook} {direction} {name} jump {chain}{other}")
    run(inside(client, ["nft", "-f", "-"]), "\n".join(script) + "\n")


def _succeeds(argv: list[str]) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _chain(name: str, lines: list[str]) -> list[str]:
    # Answers, and what IPv6 needs to find its neighbours, pass whatever the rules say.
    always = [
        "ct state established,related accept",
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
    ]
    rules = [f"add rule inet {_TABLE} {name} {line}" for line in [*always, *lines]]
    return [f"add chain inet {_TABLE} {name}", *rules]


def matches(rule: dict[str, Any]) -> list[str]:
    """What a rule of Hetzner's lets through, in nftables' words: one line for each network."""
    side, key = ("saddr", "source_ips") if rule["direction"] == "in" else ("daddr", "destination_ips")
    networks = [ipaddress.ip_network(n, strict=False) for n in rule.get(key) or []]
    protocol = rule["protocol"]
    if protocol in ("tcp", "udp"):
        port = rule.get("port")
        what = f"{protocol} dport {port}" if port and port != "any" else f"meta l4proto {protocol}"
    else:
        what = "meta l4proto " + {"icmp": "{ icmp, ipv6-icmp }"}.get(protocol, protocol)
    return [f"{'ip' if n.version == 4 else 'ip6'} {side} {n} {what} accept" for n in networks]


def _has(client: str, chain: str) -> bool:
    return f"chain {chain} " in _table(client)


def _filtered(client: str) -> set[int]:
    words = [line.split() for line in _table(client).splitlines()]
    return {
        int(w[1][2:])
        for w in words
        if len(w) > 1 and w[0] == "chain" and w[1][:2] == "to" and w[1][2:].isdigit()
    }


def _table(client: str) -> str:
    return run(inside(client, ["nft", "list", "table", "inet", _TABLE]))

"""A container's state: what is known before it exists, and what docker's "inspect" says afterwards."""

from __future__ import annotations

from bench.plugins.docker.container_config import MEGABYTE
from bench.plugins.docker.text import duration
from bench.plugins.values import UNKNOWN, Values

# What the daemon fills in: unknown before the container exists, and no change when the program takes it away.
COMPUTED = frozenset(
    [
        "bridge",
        "command",
        "containerLogs",
        "entrypoints",
        "envs",
        "exitCode",
        "healthcheck",
        "hostname",
        "id",
        "init",
        "ipcMode",
        "labels",
        "logDriver",
        "networkDatas",
        "platform",
        "runtime",
        "securityOpts",
        "shmSize",
        "stopSignal",
        "stopTimeout",
    ]
)
LISTS = [
    "deviceReadBps",
    "deviceReadIops",
    "deviceRequests",
    "deviceWriteBps",
    "deviceWriteIops",
    "devices",
    "hosts",
    "mounts",
    "networksAdvanced",
    "ports",
    "ulimits",
    "uploads",
    "volumes",
]
FALSE = ["attach", "logs", "readOnly", "rm", "stdinOpen", "tty", "wait"]
NONE = [
    "capabilities",
    "cgroupParent",
    "cgroupnsMode",
    "cpuPeriod",
    "cpuQuota",
    "cpuSet",
    "cpuShares",
    "cpus",
    "destroyGraceSeconds",
    "dns",
    "dnsOpts",
    "dnsSearches",
    "domainname",
    "gpus",
    "groupAdds",
    "logOpts",
    "maxRetryCount",
    "memory",
    "memorySwap",
    "pidMode",
    "privileged",
    "publishAllPorts",
    "storageOpts",
    "sysctls",
    "tmpfs",
    "user",
    "usernsMode",
    "workingDir",
]
# What a container that failed to start keeps: its computed sets are empty, the rest is not known.
FAILED_SETS = ("envs", "labels", "securityOpts")


def blank() -> Values:
    """The outputs of a container that does not exist yet and has no inputs."""
    found: Values = dict.fromkeys(COMPUTED, UNKNOWN) | {name: [] for name in LISTS}
    return found | dict.fromkeys(FALSE, False) | dict.fromkeys(NONE) | {"memoryReservation": 0}


def half_made(id: str, inputs: Values) -> Values:
    """The outputs of a container that was created but then failed."""
    found = {name: None if value == UNKNOWN else value for name, value in blank().items()}
    return found | {name: [] for name in FAILED_SETS} | inputs | {"id": id}


def outputs(info: Values, known: Values, reading: bool) -> Values:
    """All outputs, from "inspect" and from what is `known` (the inputs, or the old state).

    Environment, labels, volumes, networks and uploads are not read back, as they come from the image too.
    `reading`: on Read, empty lists and maps take the place of what was never set.
    """
    config, host, running = info["Config"], info["HostConfig"], bool(info["State"]["Running"])
    settings = info["NetworkSettings"]
    base = {name: None if value == UNKNOWN else value for name, value in blank().items()}
    found = base | {name: [] for name in FAILED_SETS} | known
    found |= {
        "id": info["Id"],
        "bridge": settings.get("Bridge") or "",
        "capabilities": _capabilities(host),
        "command": config.get("Cmd") or [],
        "cpuSet": host.get("CpusetCpus") or "",
        "cpuShares": host.get("CpuShares") or 0,
        "devices": [
            {
                "hostPath": device["PathOnHost"],
                "containerPath": device["PathInContainer"],
                "permissions": device["CgroupPermissions"],
            }
            for device in host.get("Devices") or []
        ],
        "domainname": config.get("Domainname") or "",
        "entrypoints": config.get("Entrypoint") or [],
        "exitCode": known.get("exitCode") if running else info["State"].get("ExitCode", 0),
        "hostname": config.get("Hostname") or "",
        "hosts": [
            dict(zip(("host", "ip"), entry.split(":", 1), strict=True))
            for entry in host.get("ExtraHosts") or []
        ],
        "init": bool(host.get("Init")),
        "ipcMode": host.get("IpcMode") or "",
        "logDriver": host["LogConfig"]["Type"],
        "maxRetryCount": host["RestartPolicy"].get("MaximumRetryCount") or 0,
        "memory": (host.get("Memory") or 0) // MEGABYTE,
        "memoryReservation": (host.get("MemoryReservation") or 0) // MEGABYTE,
        "memorySwap": _megabytes(host.get("MemorySwap") or 0),
        "mustRun": running,
        "name": info["Name"].lstrip("/"),
        "networkDatas": [_network(name, data) for name, data in sorted(settings.get("Networks", {}).items())],
        "networkMode": host.get("NetworkMode") or "",
        "pidMode": host.get("PidMode") or None,
        "platform": info.get("Platform") or "linux",
        "ports": _ports(settings.get("Ports") or {}),
        "privileged": bool(host.get("Privileged")),
        "publishAllPorts": bool(host.get("PublishAllPorts")),
        "readOnly": bool(host.get("ReadonlyRootfs")),
        "restart": host["RestartPolicy"].get("Name") or "no",
        "rm": bool(host.get("AutoRemove")),
        "runtime": host.get("Runtime") or "",
        "shmSize": (host.get("ShmSize") or 0) // MEGABYTE,
        "stdinOpen": bool(config.get("OpenStdin")),
        "stopSignal": config.get("StopSignal") or "",
        "stopTimeout": config.get("StopTimeout") or 0,
        "tty": bool(config.get("Tty")),
        "user": config.get("User") or "",
        "usernsMode": host.get("UsernsMode") or "",
        "workingDir": config.get("WorkingDir") or "",
    }
    if check := config.get("Healthcheck"):
        found["healthcheck"] = _health(check)
    for name, value in {
        "dns": host.get("Dns") or [],
        "dnsOpts": host.get("DnsOptions") or [],
        "dnsSearches": host.get("DnsSearch") or [],
        "groupAdds": host.get("GroupAdd") or [],
        "logOpts": host["LogConfig"].get("Config") or {},
        "storageOpts": host.get("StorageOpt") or {},
        "sysctls": host.get("Sysctls") or {},
        "tmpfs": host.get("Tmpfs") or {},
    }.items():
        found[name] = value if value or reading else known.get(name)
    found["securityOpts"] = host.get("SecurityOpt") or []
    return found


def _capabilities(host: Values) -> Values | None:
    adds, drops = host.get("CapAdd") or [], host.get("CapDrop") or []
    return {"adds": adds, "drops": drops} if adds or drops else None


def _megabytes(size: int) -> int:
    return size // MEGABYTE if size > 0 else size


def _health(check: Values) -> Values:
    return {
        "tests": check.get("Test") or [],
        "interval": duration(check.get("Interval") or 0),
        "timeout": duration(check.get("Timeout") or 0),
        "startPeriod": duration(check.get("StartPeriod") or 0),
        "startInterval": duration(check.get("StartInterval") or 0),
        "retries": check.get("Retries") or 0,
    }


def _network(name: str, data: Values) -> Values:
    return {
        "networkName": name,
        "ipAddress": data.get("IPAddress") or "",
        "ipPrefixLength": data.get("IPPrefixLen") or 0,
        "gateway": data.get("Gateway") or "",
        "globalIpv6Address": data.get("GlobalIPv6Address") or "",
        "globalIpv6PrefixLength": data.get("GlobalIPv6PrefixLen") or 0,
        "ipv6Gateway": data.get("IPv6Gateway") or "",
        "macAddress": data.get("MacAddress") or "",
    }


def _ports(published: dict[str, list[Values] | None]) -> list[Values]:
    """The ports that are open now: by the inner one, then in the order in which the daemon has its addresses."""
    found = [
        {
            "internal": int(inner.split("/")[0]),
            "external": int(binding["HostPort"]),
            "ip": binding["HostIp"],
            "protocol": inner.split("/")[1],
        }
        for inner, bindings in published.items()
        for binding in bindings or []
    ]
    return sorted(found, key=lambda port: port["internal"])

"""A container's inputs as the body of docker's "create container"."""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path
from typing import Any

from bench.plugins.base import Failed
from bench.plugins.docker.text import nanoseconds
from bench.plugins.values import Values

MEGABYTE = 1024 * 1024


def body(inputs: Values) -> Values:
    """The whole body, host's part included."""
    found = {
        "Image": inputs["image"],
        "Hostname": inputs.get("hostname", ""),
        "Domainname": inputs.get("domainname", ""),
        "Tty": inputs.get("tty", False),
        "OpenStdin": inputs.get("stdinOpen", False),
        "Env": inputs.get("envs"),
        "Cmd": inputs.get("command"),
        "Entrypoint": inputs.get("entrypoints"),
        "User": inputs.get("user", ""),
        "WorkingDir": inputs.get("workingDir", ""),
        "Labels": {label["label"]: label["value"] for label in inputs.get("labels") or []},
        "Healthcheck": _health(inputs.get("healthcheck")),
        "StopSignal": inputs.get("stopSignal"),
        "StopTimeout": inputs.get("stopTimeout"),
        "ExposedPorts": {_port(port): {} for port in inputs.get("ports") or []},
        "Volumes": {v["containerPath"]: {} for v in inputs.get("volumes") or [] if v["containerPath"]},
        "HostConfig": _host(inputs),
    }
    return {name: value for name, value in found.items() if value not in (None, {})}


def _host(inputs: Values) -> Values:
    capabilities = inputs.get("capabilities") or {}
    found: Values = {
        "Privileged": inputs.get("privileged", False),
        "PublishAllPorts": inputs.get("publishAllPorts", False),
        "RestartPolicy": {
            "Name": inputs.get("restart", "no"),
            "MaximumRetryCount": inputs.get("maxRetryCount") or 0,
        },
        "AutoRemove": inputs.get("rm", False),
        "ReadonlyRootfs": inputs.get("readOnly", False),
        "LogConfig": {"Type": inputs.get("logDriver") or "", "Config": inputs.get("logOpts") or {}},
        "PortBindings": _bindings(inputs.get("ports") or []),
        "Binds": [bind for volume in inputs.get("volumes") or [] if (bind := _bind(volume))],
        "VolumesFrom": [v["fromContainer"] for v in inputs.get("volumes") or [] if v["fromContainer"]],
        "Mounts": [_mount(mount) for mount in inputs.get("mounts") or []],
        "ExtraHosts": [f"{host['host']}:{host['ip']}" for host in inputs.get("hosts") or []],
        "Ulimits": [
            {"Name": limit["name"], "Soft": limit["soft"], "Hard": limit["hard"]}
            for limit in inputs.get("ulimits") or []
        ],
        "CapAdd": capabilities.get("adds"),
        "CapDrop": capabilities.get("drops"),
        "Devices": [
            {
                "PathOnHost": device["hostPath"],
                "PathInContainer": device["containerPath"] or device["hostPath"],
                "CgroupPermissions": device["permissions"] or "rwm",
            }
            for device in inputs.get("devices") or []
        ],
        "Init": inputs.get("init", False),
        "NanoCpus": round(float(inputs["cpus"]) * 1e9) if inputs.get("cpus") else None,
    }
    found |= {theirs: inputs.get(ours) for ours, theirs in SAME.items()}
    found |= limits(inputs)
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


# Properties that are the same in both but for their name.
SAME = {
    "tmpfs": "Tmpfs",
    "dns": "Dns",
    "dnsOpts": "DnsOptions",
    "dnsSearches": "DnsSearch",
    "securityOpts": "SecurityOpt",
    "networkMode": "NetworkMode",
    "usernsMode": "UsernsMode",
    "pidMode": "PidMode",
    "ipcMode": "IpcMode",
    "cgroupnsMode": "CgroupnsMode",
    "cgroupParent": "CgroupParent",
    "sysctls": "Sysctls",
    "storageOpts": "StorageOpt",
    "groupAdds": "GroupAdd",
    "runtime": "Runtime",
}


def limits(inputs: Values) -> Values:
    """The resource limits, in the daemon's units (bytes)."""
    swap = inputs.get("memorySwap") or 0
    return {
        "Memory": (inputs.get("memory") or 0) * MEGABYTE,
        "MemoryReservation": (inputs.get("memoryReservation") or 0) * MEGABYTE,
        "MemorySwap": swap * MEGABYTE if swap > 0 else swap,
        "ShmSize": (inputs.get("shmSize") or 0) * MEGABYTE or None,
        "CpuShares": inputs.get("cpuShares") or 0,
        "CpusetCpus": inputs.get("cpuSet") or "",
        "CpuPeriod": inputs.get("cpuPeriod") or 0,
        "CpuQuota": inputs.get("cpuQuota") or 0,
    }


def _health(check: Values | None) -> Values | None:
    if check is None:
        return None
    found = {
        "Test": check["tests"],
        "Interval": nanoseconds(check["interval"]),
        "Timeout": nanoseconds(check["timeout"]),
        "StartPeriod": nanoseconds(check["startPeriod"]),
        "Retries": check["retries"] or 0,
    }
    between = nanoseconds(check["startInterval"])
    return {**found, "StartInterval": between} if between else found


def _port(port: Values) -> str:
    return f"{port['internal']}/{port['protocol']}"


def _bindings(ports: list[Values]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        external = str(port["external"]) if port["external"] is not None else ""
        found.setdefault(_port(port), []).append({"HostIp": port["ip"], "HostPort": external})
    return found


def _bind(volume: Values) -> str | None:
    source = volume["volumeName"] or volume["hostPath"]
    if bool(volume["fromContainer"]) == bool(volume["containerPath"]):
        wrong = "Volume entry without container path or source container"
        if volume["fromContainer"]:
            wrong = "Both a container and a path specified in a volume entry"
        raise Failed(f"1 error occurred:\n\t* Unable to parse volumes: {wrong}\n\n")
    options = [
        "ro" if volume["readOnly"] else "rw",
        *([volume["selinuxRelabel"]] * bool(volume["selinuxRelabel"])),
    ]
    return f"{source}:{volume['containerPath']}:{','.join(options)}" if source else None


def _mount(mount: Values) -> Values:
    found: Values = {
        "Type": mount["type"],
        "Target": mount["target"],
        "Source": mount["source"],
        "ReadOnly": mount["readOnly"],
    }
    if mount["type"] == "bind" and mount["bindOptions"]:
        found["BindOptions"] = {"Propagation": mount["bindOptions"]["propagation"]}
    if mount["type"] == "tmpfs" and mount["tmpfsOptions"]:
        options = mount["tmpfsOptions"]
        found["TmpfsOptions"] = {"SizeBytes": options["sizeBytes"] or 0, "Mode": options["mode"] or 0}
    if mount["type"] == "volume" and mount["volumeOptions"]:
        options = mount["volumeOptions"]
        found["VolumeOptions"] = {
            "NoCopy": options["noCopy"],
            "Labels": {label["label"]: label["value"] for label in options["labels"]},
            "DriverConfig": {"Name": options["driverName"], "Options": options["driverOptions"] or {}},
        }
    return found


def archive(upload: Values) -> bytes:
    """One upload as the tar that docker unpacks at the container's root; raises Failed."""
    given: list[Any] = [upload[name] for name in ("content", "contentBase64", "source") if upload[name]]
    if len(given) != 1:
        which = "only one of" if given else "one of"
        may = "can" if given else "must"
        raise Failed(
            f"error with upload content: {which} 'content', 'content_base64', or 'source' {may} be set"
        )
    if upload["source"]:
        try:
            content = Path(upload["source"]).read_bytes()
        except OSError as error:
            raise Failed(f"could not read file: {error}") from error
    elif upload["contentBase64"]:
        content = base64.b64decode(upload["contentBase64"])
    else:
        content = upload["content"].encode()
    entry = tarfile.TarInfo(upload["file"])
    entry.size = len(content)
    entry.mode = int(upload["permissions"] or ("744" if upload["executable"] else "644"), 8)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()

"""The docker plugin's recordings, against a daemon in memory that is in the state in which the real one was."""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from bench.plugins.docker import DockerProvider
from bench.plugins.docker.text import nanoseconds
from bench.plugins.docker.transport import Daemon
from bench.plugins.values import Values
from bench.tests.plugins.fake_docker import FakeDocker, Fault, Serving
from bench.tests.plugins.recordings import Recorded, recorded
from bench.tests.plugins.replay import Replay

MEGABYTE = 1 << 20


def inspect_container(state: Values) -> Values:
    """What docker's "inspect" says of a container whose recorded outputs are `state`."""
    check = state.get("healthcheck")
    capabilities = state.get("capabilities") or {}
    ports: dict[str, list[dict[str, str]]] = {}
    for port in state["ports"]:
        binding = {"HostIp": port["ip"], "HostPort": str(int(port["external"]))}
        ports.setdefault(f"{int(port['internal'])}/{port['protocol']}", []).append(binding)
    running = bool(state["mustRun"])
    swap = state["memorySwap"] or 0
    return {
        "Id": state["id"],
        "Name": f"/{state['name']}",
        "Image": state["image"],
        "Platform": state["platform"],
        "State": {"Running": running, "ExitCode": state["exitCode"] or 0},
        "Config": {
            "Hostname": state["hostname"],
            "Domainname": state["domainname"],
            "Cmd": state["command"],
            "Entrypoint": state["entrypoints"] or None,
            "User": state["user"],
            "WorkingDir": state["workingDir"],
            "Tty": state["tty"],
            "OpenStdin": state["stdinOpen"],
            "StopSignal": state["stopSignal"],
            "StopTimeout": state["stopTimeout"],
            "Image": state["image"],
            "Healthcheck": check
            and {
                "Test": check["tests"],
                "Interval": nanoseconds(check["interval"]),
                "Timeout": nanoseconds(check["timeout"]),
                "StartPeriod": nanoseconds(check["startPeriod"]),
                "Retries": check["retries"],
            },
        },
        "HostConfig": {
            "AutoRemove": state["rm"],
            "CapAdd": capabilities.get("adds"),
            "CapDrop": capabilities.get("drops"),
            "CpusetCpus": state["cpuSet"],
            "CpuShares": state["cpuShares"],
            "Init": state["init"],
            "IpcMode": state["ipcMode"],
            "LogConfig": {"Type": state["logDriver"], "Config": state["logOpts"] or {}},
            "Memory": (state["memory"] or 0) * MEGABYTE,
            "MemoryReservation": (state["memoryReservation"] or 0) * MEGABYTE,
            "MemorySwap": swap * MEGABYTE,
            "NetworkMode": state["networkMode"],
            "PortBindings": ports,
            "Privileged": state["privileged"],
            "PublishAllPorts": state["publishAllPorts"],
            "ReadonlyRootfs": state["readOnly"],
            "RestartPolicy": {"Name": state["restart"], "MaximumRetryCount": state["maxRetryCount"] or 0},
            "Runtime": state["runtime"],
            "ShmSize": (state["shmSize"] or 0) * MEGABYTE,
            "UsernsMode": state["usernsMode"],
        },
        "NetworkSettings": {
            "Bridge": state["bridge"],
            "Ports": ports if running else {},
            "Networks": {data["networkName"]: address(data) for data in state["networkDatas"] or []},
        },
    }


def address(data: Values) -> Values:
    """A container's place in a network, in docker's words."""
    return {
        "IPAddress": data["ipAddress"],
        "IPPrefixLen": data["ipPrefixLength"],
        "Gateway": data["gateway"],
        "GlobalIPv6Address": data["globalIpv6Address"],
        "GlobalIPv6PrefixLen": data["globalIpv6PrefixLength"],
        "IPv6Gateway": data["ipv6Gateway"],
        "MacAddress": data["macAddress"],
    }


def inspect_network(state: Values) -> Values:
    """The same for a network."""
    return {
        "Id": state["id"],
        "Name": state["name"],
        "Driver": state["driver"],
        "Scope": state["scope"],
        "Attachable": state["attachable"],
        "Ingress": state["ingress"],
        "Internal": state["internal"],
        "EnableIPv6": state["ipv6"],
        "Options": state["options"],
        "IPAM": {
            "Driver": state["ipamDriver"],
            "Options": state["ipamOptions"],
            "Config": [
                {"Subnet": c["subnet"], "Gateway": c["gateway"], "IPRange": c["ipRange"]}
                for c in state["ipamConfigs"]
            ],
        },
    }


def place(daemon: FakeDocker, token: str, state: Values) -> None:
    """Put an object into the daemon's memory."""
    if token.endswith(":Container"):
        daemon.containers[state["id"]] = inspect_container(state)
    elif token.endswith(":Network"):
        daemon.networks[state["id"]] = inspect_network(state)
    elif token.endswith(":Volume"):
        daemon.volumes[state["name"]] = {
            "Name": state["name"],
            "Driver": state["driver"],
            "Mountpoint": state["mountpoint"],
            "Options": state["driverOpts"],
        }
    else:
        daemon.images[state["name"]] = {"Id": state["imageId"], "RepoDigests": []}


def _fail(daemon: FakeDocker, call: Recorded) -> None:
    """Let the daemon fail as it did when `call` was recorded."""
    text = call.error_text or ""
    said = text.split("Error response from daemon: ", 1)[-1].strip()
    if "unable to pull image" in text:
        daemon.faults["/images/create"] = Fault(500, said)
    elif "failed to be in healthy state" in text:
        daemon.health = "unhealthy"
    elif "Unable to start container" in text:
        daemon.faults["/start"] = Fault(400, said)
    elif "Conflict" in text:
        taken = re.search(r'container "(<hex64-\d+>)"', text)
        assert taken
        made = next(
            c for c in recorded("docker") if c.method == "Create" and c.name == "min" and c.case == "create"
        )
        assert made.response
        place(daemon, call.token, {**made.response["properties"], "id": taken[1]})


def _prepare(daemon: FakeDocker, call: Recorded) -> None:
    gone = call.error is not None and "No such container" in call.error
    reply = (call.response or {}).get("properties") or {}
    if call.method == "Create" and not call.token.startswith("pulumi:"):
        inputs = call.request["properties"]
        daemon.ids = [(call.response or {}).get("id") or f"{7:064x}"]
        wanted = inputs.get("image") or inputs.get("name")
        if call.error is None or "unable to pull" not in call.error:
            id = reply.get("imageId") or "sha256:1"
            daemon.images[wanted] = {"Id": id, "RepoDigests": [], "Config": _image_config(inputs)}
        daemon.addresses = [address(data) for data in reply.get("networkDatas") or []]
        daemon.exits = reply.get("exitCode") if reply.get("mustRun") is False else None
        daemon.logs = _framed(reply.get("containerLogs") or "")
        for pool in reply.get("ipamConfigs") or []:
            daemon.pools = [{"Subnet": pool["subnet"], "Gateway": pool["gateway"]}]
        _fail(daemon, call)
    elif call.method == "Read" and reply:
        place(daemon, call.token, reply)
    elif call.method in ("Update", "Delete") and not gone:
        place(daemon, call.token, call.request.get("olds") or call.request["properties"])


def _image_config(inputs: Values) -> Values:
    return {} if inputs.get("command") else {"Cmd": ["sleep", "3600"]}


def _framed(text: str) -> bytes:
    """Logs as docker sends them: each piece behind a header of its stream and length."""
    return b"\x01\0\0\0" + len(text).to_bytes(4, "big") + text.encode() if text else b""


@contextmanager
def world(call: Recorded) -> Iterator[DockerProvider]:
    """A provider before a daemon that is as the real one was."""
    daemon = FakeDocker()
    provider = DockerProvider()
    if call.method == "Configure":
        with _configured(call):
            yield provider
        return
    if "failed to create Docker client" in (call.error or ""):
        with _refusing_ssh(call.error_text or "") as daemon_behind_ssh:
            provider.daemon = daemon_behind_ssh
            yield provider
        return
    _prepare(daemon, call)
    # Waiting for health goes by a clock of its own: each look at it is ten seconds later.
    clock = mock.Mock(monotonic=mock.Mock(side_effect=itertools.count(0, 10)))
    with Serving(daemon) as socket, mock.patch("bench.plugins.docker.container.time", clock):
        provider.daemon = Daemon(f"unix://{socket}", [])
        yield provider


@contextmanager
def _refusing_ssh(text: str) -> Iterator[Daemon]:
    """A daemon behind an `ssh` that ends with what the real one said."""
    said = text.split("stderr=", 1)[1]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "said").write_text(said)
        ssh = Path(folder) / "ssh"
        ssh.write_text(f"#!/bin/sh\ncat {folder}/said >&2\nexit 255\n")
        ssh.chmod(0o755)
        command = re.search(r"command \[ssh -l root -p 18022 (.*) -o ConnectTimeout=30", text)
        assert command
        with mock.patch.dict("os.environ", {"PATH": f"{folder}:{os.environ['PATH']}"}):
            yield Daemon("ssh://root@127.0.0.1:18022", command[1].split())


@contextmanager
def _configured(call: Recorded) -> Iterator[None]:
    """The official plugin's own daemon was at a place of its own; a daemon answers there unless it did not."""
    if call.error is not None:
        with mock.patch.dict("os.environ", {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}):
            yield
        return
    host = call.request["args"].get("host", "")
    with Serving(FakeDocker()) as socket, mock.patch.dict("os.environ", {"DOCKER_HOST": f"unix://{socket}"}):
        if host.startswith("unix://"):
            call.request["args"]["host"] = f"unix://{socket}"
        yield


def normal(call: Recorded, reply: Values) -> Values:
    """Networks were recorded with no auxAddress; a second run of the same version had an empty one."""
    properties = reply.get("properties", {})
    if not isinstance(properties.get("ipamConfigs"), list):
        return reply
    pools = [{k: v for k, v in pool.items() if k != "auxAddress" or v} for pool in properties["ipamConfigs"]]
    return {**reply, "properties": {**properties, "ipamConfigs": pools}}


REPLAY = Replay(
    plugin="docker",
    provider=DockerProvider,
    tokens=(
        "docker:index/container:Container",
        "docker:index/network:Network",
        "docker:index/volume:Volume",
        "docker:index/remoteImage:RemoteImage",
        "pulumi:providers:docker",
    ),
    world=world,
    normal=normal,
)

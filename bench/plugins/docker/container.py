"""docker:index/container:Container."""

from __future__ import annotations

import contextlib
import time
from typing import Any, ClassVar

import docker

from bench.plugins.base import Call, CheckFailed, Failed, Found
from bench.plugins.docker import container_config as config
from bench.plugins.docker import container_state as state
from bench.plugins.docker.bridge import Bridged
from bench.plugins.docker.image import find_image
from bench.plugins.docker.text import one_error, saying
from bench.plugins.values import Values

RESOURCES = [
    "restart",
    "maxRetryCount",
    "memory",
    "memorySwap",
    "memoryReservation",
    "cpuShares",
    "cpuSet",
    "cpuPeriod",
    "cpuQuota",
]
REFUSED = ["deviceReadBps", "deviceReadIops", "deviceRequests", "deviceWriteBps", "deviceWriteIops", "gpus"]


class Container(Bridged):
    """A container. A failure after its creation keeps it in the state, as the official plugin does."""

    token = "docker:index/container:Container"  # noqa: S105 - a type, no secret
    defaults: ClassVar = {
        "containerReadRefreshTimeoutMilliseconds": 15000,
        "mustRun": True,
        "networkMode": "bridge",
        "removeVolumes": True,
        "restart": "no",
        "start": True,
        "waitTimeout": 60,
    }
    inner_defaults: ClassVar = {
        "ContainerPort": {"ip": "0.0.0.0", "protocol": "tcp"},
        "ContainerHealthcheck": dict.fromkeys(("interval", "startInterval", "startPeriod", "timeout"), "0s"),
        "ContainerDevice": {"permissions": "rwm"},
    }
    # An empty user or working directory means the image's.
    computed = state.COMPUTED | {"user", "workingDir"}
    sets = frozenset(
        [
            "devices",
            "dns",
            "dnsOpts",
            "dnsSearches",
            "envs",
            "groupAdds",
            "hosts",
            "labels",
            "mounts",
            "networksAdvanced",
            "securityOpts",
            "ulimits",
            "uploads",
            "volumes",
        ]
    )
    string_sets = frozenset({"dns", "dnsOpts", "dnsSearches", "envs", "groupAdds", "securityOpts"})
    patterns: ClassVar = {"restart": "^(no|on-failure|always|unless-stopped)$"}
    least: ClassVar = {"memory": 0, "memorySwap": -1, "cpuShares": 0, "shmSize": 0}

    def check(self, call: Call) -> Values:
        found = super().check(call)
        refused = [
            (n, f"{n} is not known to the bench; use the official docker plugin")
            for n in REFUSED
            if n in found
        ]
        if refused:
            raise CheckFailed(*refused, inputs=found)
        return found

    def create(self, call: Call) -> tuple[str, Values]:
        inputs = self.state(call.news)
        if call.preview:
            return "", state.blank() | inputs
        client = self._client()
        image = inputs["image"]
        with saying(f"Unable to create container with image {image}: "):
            find_image(client, image, self.provider.registry_auth(image))
        with saying("Unable to create container: "):
            made = client.create_container_from_config(config.body(inputs), name=inputs["name"])
        id = made["Id"]
        logs = self._start(client, call, id, inputs)
        with saying("", call.urn, "creating", id, state.half_made(id, inputs)):
            known = {**inputs, "containerLogs": logs}
            return id, state.outputs(client.inspect_container(id), known, reading=False)

    def _start(self, client: Any, call: Call, id: str, inputs: Values) -> str | None:
        """All that comes between a container's creation and its state; its logs if they were asked for."""

        def step(text: str) -> contextlib.AbstractContextManager[None]:
            return saying(text, call.urn, "creating", id, state.half_made(id, inputs))

        try:
            with step("Unable to connect to network: "):
                self._connect(client, id, inputs)
            for upload in inputs.get("uploads") or []:
                with step("Unable to upload volume content: "):
                    client.put_archive(id, "/", config.archive(upload))
            if inputs.get("start"):
                with step("Unable to start container: "):
                    client.start(id)
            if inputs.get("start") and inputs.get("wait"):
                with step("error inspecting container state: "):
                    _wait_until_healthy(client, id, inputs["waitTimeout"])
            if inputs.get("attach"):
                with step("Unable to wait container end of execution: "):
                    client.wait(id)
                    return client.logs(id).decode(errors="replace") if inputs.get("logs") else None
        except Failed as error:
            if error.id:
                raise
            half = state.half_made(id, inputs)
            text = one_error(error.message, call.urn, "creating")
            raise Failed(text, id=id, properties=half) from error
        return None

    @staticmethod
    def _connect(client: Any, id: str, inputs: Values) -> None:
        networks = inputs.get("networksAdvanced") or []
        if networks:
            try:
                client.disconnect_container_from_network(id, "bridge")
            except docker.errors.APIError as error:
                if "is not connected to" not in str(error.explanation):
                    raise
        for network in networks:
            client.connect_container_to_network(
                id,
                network["name"],
                aliases=network["aliases"] or None,
                ipv4_address=network["ipv4Address"] or None,
                ipv6_address=network["ipv6Address"] or None,
                link_local_ips=network["linkLocalIps"] or None,
                mac_address=network["macAddress"] or None,
            )

    def read(self, call: Call) -> Found | None:
        try:
            with saying("", call.urn, "reading"):
                info = self._client().inspect_container(call.id)
        except Failed as error:
            if isinstance(error.__cause__, docker.errors.NotFound):
                return None
            raise
        known = {n: v for n, v in call.olds.items() if not n.startswith("__")}
        known |= {
            "networksAdvanced": self.state({"networksAdvanced": known.get("networksAdvanced") or []}, 0)[
                "networksAdvanced"
            ]
        }
        return self.found(call, info["Id"], state.outputs(info, known, reading=True))

    def update(self, call: Call) -> Values:
        changed = self.diff(call).diffs
        new = self.state(call.news, zero=0)
        gone: Values = {name: None if call.preview else 0 for name in changed if name not in new}
        found = {n: v for n, v in call.olds.items() if not n.startswith("__")} | new | gone
        if call.preview:
            return found
        if not changed:  # an earlier failure is to be settled: the official plugin just looks again
            read = self.read(call)
            if read is None:
                raise Failed(one_error(f"No such container: {call.id}", call.urn, "updating"))
            return read.properties
        client = self._client(call.urn, "updating")
        if any(name in RESOURCES for name in changed):
            with saying("Unable to update a container: ", call.urn, "updating"):
                _update(client, call.id, {**new, **gone})
        if "mustRun" in changed and new.get("mustRun"):
            with saying("Unable to start container: ", call.urn, "updating"):
                client.start(call.id)
        return found

    def delete(self, call: Call) -> None:
        if call.olds.get("rm"):
            return
        client = self._client(call.urn, "deleting")
        grace = call.olds.get("destroyGraceSeconds") or 0
        if grace > 0 and not call.olds.get("attach"):
            with saying(f"Error stopping container {call.id}: ", call.urn, "deleting"), _absent_is_fine():
                client.stop(call.id, timeout=int(grace))
        with saying(f"Error deleting container {call.id}: ", call.urn, "deleting"), _absent_is_fine():
            client.remove_container(call.id, v=bool(call.olds.get("removeVolumes")), force=True)

    def _client(self, urn: str = "", doing: str = "") -> Any:
        try:
            return self.provider.daemon.client()
        except Failed as error:
            raise Failed(one_error(error.message, urn, doing)) from error


@contextlib.contextmanager
def _absent_is_fine() -> Any:
    with contextlib.suppress(docker.errors.NotFound):
        yield


def _update(client: Any, id: str, inputs: Values) -> None:
    bounds = config.limits(inputs)
    client.update_container(
        id,
        cpu_period=bounds["CpuPeriod"] or None,
        cpu_quota=bounds["CpuQuota"] or None,
        cpu_shares=bounds["CpuShares"] or None,
        cpuset_cpus=bounds["CpusetCpus"] or None,
        mem_limit=bounds["Memory"] or None,
        mem_reservation=bounds["MemoryReservation"] or None,
        memswap_limit=bounds["MemorySwap"] or None,
        restart_policy={"Name": inputs["restart"], "MaximumRetryCount": inputs.get("maxRetryCount") or 0},
    )


def _wait_until_healthy(client: Any, id: str, seconds: float) -> None:
    """Wait for the container's health check; raises Failed when it takes longer than `seconds`."""
    end = time.monotonic() + seconds
    while True:
        health = client.inspect_container(id)["State"].get("Health")
        if health is None:
            raise Failed(
                "wait is set, but neither the program nor the image gives the container a health check"
            )
        if health["Status"] == "healthy":
            return
        if time.monotonic() > end:
            raise Failed("container failed to be in healthy state")
        time.sleep(0.2)

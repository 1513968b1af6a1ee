"""docker:index/network:Network and docker:index/volume:Volume: any change replaces them, labels too."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

import docker

from bench.plugins.base import Call, Failed, Found
from bench.plugins.docker.bridge import Bridged
from bench.plugins.docker.text import one_error, saying
from bench.plugins.values import UNKNOWN, Values

PATIENCE = 30.0  # seconds for what still uses an object to let go of it


def _labels(inputs: Values) -> dict[str, str]:
    return {label["label"]: label["value"] for label in inputs.get("labels") or []}


class _Simple(Bridged):
    """What both have in common."""

    what: ClassVar[str]
    blank: ClassVar[
        Values
    ]  # the outputs that are not inputs, and of inputs not given, before the object exists
    sets = frozenset({"labels", "ipamConfigs"})

    def _inspect(self, client: Any, id: str) -> Values:
        raise NotImplementedError

    def _outputs(self, info: Values, known: Values, reading: bool) -> Values:
        raise NotImplementedError

    def read(self, call: Call) -> Found | None:
        try:
            with saying("", call.urn, "reading"):
                info = self._inspect(self._client(), call.id)
        except Failed as error:
            if isinstance(error.__cause__, docker.errors.NotFound):
                return None
            raise
        known = {name: value for name, value in call.olds.items() if not name.startswith("__")}
        return self.found(call, call.id, self._outputs(info, known, reading=True))

    def update(self, call: Call) -> Values:
        """Nothing changes in place; an earlier failure is settled by looking again."""
        found = self.read(call)
        if found is None:
            raise Failed(one_error(f"no such {self.what}: {call.id}", call.urn, "updating"))
        return found.properties

    def _remove(self, call: Call, remove: Callable[[str], Any]) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with saying(f"Unable to remove {self.what}: ", call.urn, "deleting"):
                    remove(call.id)
                return
            except Failed as error:
                cause = error.__cause__
                if isinstance(cause, docker.errors.NotFound):
                    return
                used = isinstance(cause, docker.errors.APIError) and cause.status_code in (403, 409)
                if not used or time.monotonic() > end:
                    raise
            time.sleep(0.5)

    def _client(self) -> Any:
        try:
            return self.provider.daemon.client()
        except Failed as error:
            raise Failed(one_error(error.message)) from error


class Network(_Simple):
    """A network."""

    token = "docker:index/network:Network"  # noqa: S105 - a type, no secret
    what = "network"
    defaults: ClassVar = {"ipamDriver": "default"}
    computed = frozenset({"driver", "internal", "ipamConfigs", "options"})
    blank: ClassVar = dict.fromkeys(("attachable", "ingress", "ipamOptions", "ipv6")) | {
        **dict.fromkeys(("driver", "id", "internal", "ipamConfigs", "options", "scope"), UNKNOWN),
        "labels": [],
    }

    def create(self, call: Call) -> tuple[str, Values]:
        inputs = self.state(call.news)
        if call.preview:
            return "", self.blank | inputs
        client = self._client()
        pools = [
            docker.types.IPAMPool(
                subnet=pool["subnet"] or None,
                iprange=pool["ipRange"] or None,
                gateway=pool["gateway"] or None,
                aux_addresses=pool["auxAddress"] or None,
            )
            for pool in inputs.get("ipamConfigs") or []
        ]
        ipam = docker.types.IPAMConfig(inputs["ipamDriver"], pools or None, inputs.get("ipamOptions"))
        with saying("Unable to create network: "):
            made = client.create_network(
                inputs["name"],
                driver=inputs.get("driver"),
                options=inputs.get("options"),
                ipam=ipam,
                check_duplicate=True,
                internal=inputs.get("internal", False),
                labels=_labels(inputs) or None,
                enable_ipv6=inputs.get("ipv6", False),
                attachable=inputs.get("attachable"),
                ingress=inputs.get("ingress"),
            )
            return made["Id"], self._outputs(client.inspect_network(made["Id"]), inputs, reading=False)

    def _inspect(self, client: Any, id: str) -> Values:
        found: Values = client.inspect_network(id)
        return found

    def _outputs(self, info: Values, known: Values, reading: bool) -> Values:
        ipam = info["IPAM"]
        pools = [
            {
                "subnet": pool.get("Subnet") or "",
                "gateway": pool.get("Gateway") or "",
                "ipRange": pool.get("IPRange") or "",
                "auxAddress": pool.get("AuxiliaryAddresses") or {},
            }
            for pool in ipam.get("Config") or []
        ]
        return {
            "id": info["Id"],
            "name": info["Name"],
            "driver": info["Driver"],
            "attachable": bool(info.get("Attachable")),
            "ingress": bool(info.get("Ingress")),
            "internal": bool(info.get("Internal")),
            "ipv6": bool(info.get("EnableIPv6")),
            "scope": info.get("Scope") or "",
            "options": info.get("Options") or {},
            "ipamDriver": ipam.get("Driver") or "",
            "ipamOptions": ipam.get("Options") or ({} if reading else None),
            "ipamConfigs": [
                {**pool, "auxAddress": pool.get("auxAddress") or {}}
                for pool in known.get("ipamConfigs") or pools
            ],
            "labels": known.get("labels") or [],
        }

    def delete(self, call: Call) -> None:
        self._remove(call, self._client().remove_network)


class Volume(_Simple):
    """A volume; its id is its name."""

    token = "docker:index/volume:Volume"  # noqa: S105 - a type, no secret
    what = "volume"
    computed = frozenset({"driver", "cluster"})
    blank: ClassVar = dict.fromkeys(("driver", "id", "mountpoint"), UNKNOWN) | {
        **dict.fromkeys(("cluster", "driverOpts")),
        "labels": [],
    }

    def create(self, call: Call) -> tuple[str, Values]:
        inputs = self.state(call.news)
        if call.preview:
            return "", self.blank | inputs
        with saying("Unable to create volume: "):
            info = self._client().create_volume(
                inputs["name"],
                driver=inputs.get("driver"),
                driver_opts=inputs.get("driverOpts"),
                labels=_labels(inputs) or None,
            )
        return info["Name"], self._outputs(info, inputs, reading=False)

    def _inspect(self, client: Any, id: str) -> Values:
        found: Values = client.inspect_volume(id)
        return found

    def _outputs(self, info: Values, known: Values, reading: bool) -> Values:
        return {
            "id": info["Name"],
            "name": info["Name"],
            "driver": info["Driver"],
            "driverOpts": info.get("Options") or ({} if reading else None),
            "mountpoint": info["Mountpoint"],
            "cluster": known.get("cluster"),
            "labels": known.get("labels") or [],
        }

    def delete(self, call: Call) -> None:
        self._remove(call, self._client().remove_volume)

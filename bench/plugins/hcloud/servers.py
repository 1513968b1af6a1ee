"""Servers."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from hcloud import APIException
from hcloud.actions.domain import ActionFailedException
from hcloud.firewalls import Firewall, FirewallResource
from hcloud.images import BoundImage
from hcloud.locations import Location
from hcloud.primary_ips import PrimaryIP
from hcloud.server_types import BoundServerType
from hcloud.servers import BoundServer, Server
from hcloud.servers.domain import ServerCreatePublicNetwork

from bench.plugins.base import Call, Failed, Found
from bench.plugins.hcloud.bridged import Sdk, bare
from bench.plugins.hcloud.errors import gone, listed, sdk, sdk_text
from bench.plugins.hcloud.network import change_addresses, first_address
from bench.plugins.hcloud.retired import refuse_image, refuse_type
from bench.plugins.values import UNKNOWN, Values, has_unknown

_COMPUTED = (
    "backupWindow", "datacenter", "firewallIds", "image", "ipv4Address", "ipv6Address", "ipv6Network",
    "location", "primaryDiskSize", "status",
)  # fmt: skip
# What the state says of what the program left out, and keeps whatever the API says.
_UNSET: Values = {
    "allowDeprecatedImages": None, "backups": False, "deleteProtection": False, "ignoreRemoteFirewallIds": False,
    "iso": None, "keepDisk": False, "networks": [], "publicNets": [], "rebuildProtection": False, "rescue": None,
    "shutdownBeforeDeletion": False, "sshKeys": None, "userData": None,
}  # fmt: skip
_REFUSED = ("datacenter", "iso", "networks", "placementGroupId", "rescue")


def hashed(user_data: Any) -> Any:
    """The form of user data in the state: not the text but its hash, a trailing newline included."""
    if not isinstance(user_data, str) or user_data == UNKNOWN:
        return user_data
    digest = hashlib.sha1(user_data.encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def _nets(given: Any, ipv6: Any) -> Any:
    """Public networks as the state has them: whole. `ipv6` stands for an address that was not named."""
    if not isinstance(given, list):
        return given
    whole = {"ipv4": 0, "ipv4Enabled": True, "ipv6": ipv6, "ipv6Enabled": True}
    return [whole | {k: v for k, v in net.items() if v is not None} for net in given]


class ServerResource(Sdk):
    kind = "hcloud:index/server:Server"
    replacing = ("datacenter", "image", "location", "sshKeys", "userData")
    computed = (*_COMPUTED, "name", "placementGroupId")
    unordered = ("firewallIds", "networks")
    sets = ("firewallIds", "networks")

    def check(self, call: Call) -> Values:
        asked = [k for k in _REFUSED if call.news.get(k)]
        if asked:
            raise Failed(
                f"the stand-in for hcloud knows no server's {', '.join(asked)}; use the official plugin"
            )
        return super().check(call)

    def as_state(self, old: Values, new: Values) -> Values:
        state = dict(new)
        text, kept = new.get("userData"), old.get("userData")
        state["userData"] = kept if text == kept else hashed(text)
        if "publicNets" in new:
            # An address that is not named is only known again once the networks are set.
            before = _nets(old.get("publicNets"), 0)
            after = _nets(new["publicNets"], 0)
            state["publicNets"] = after if after == before else _nets(new["publicNets"], UNKNOWN)
        return {k: v for k, v in state.items() if v is not None}

    def _differs(self, name: str, old: Any, new: Any, given: bool) -> bool:
        if name == "userData" and not given:
            return bool(old)
        return super()._differs(name, old, new, given)

    def refreshed(self, call: Call, outputs: Values) -> Values:
        inputs = super().refreshed(call, outputs)
        if not call.old_inputs and not call.olds:
            missing = dict.fromkeys(("ignoreRemoteFirewallIds", "keepDisk", "shutdownBeforeDeletion"))
            return inputs | missing
        # State and inputs have these in different forms, and the API doesn't tell them at all.
        for name in ("userData", "publicNets", "sshKeys"):
            if name in call.old_inputs:
                inputs[name] = bare(call.old_inputs[name])
        return inputs

    def _planned(self, new: Values) -> Values:
        planned = dict.fromkeys(("id", *_COMPUTED), UNKNOWN) | _UNSET | {"placementGroupId": None} | new
        for name in ("firewallIds", "sshKeys"):
            if has_unknown(planned[name]):
                planned[name] = UNKNOWN
        planned["publicNets"] = _nets(planned["publicNets"], UNKNOWN)
        return planned | {"userData": hashed(new.get("userData"))}

    @staticmethod
    def _outputs(server: BoundServer, program: Values) -> Values:
        """The state: of `program`, in the state's form, what the API doesn't tell."""
        net = server.public_net
        network = net.ipv6.ip if net and net.ipv6 else None
        firewalls = [f.firewall.id for f in net.firewalls or []] if net else []
        image = server.image.name or str(server.image.id) if server.image else program.get("image")
        protection: Values = dict(server.protection or {})
        return {k: program.get(k, v) for k, v in _UNSET.items()} | {
            "backupWindow": server.backup_window or "",
            "backups": bool(server.backup_window),
            "datacenter": None,
            "deleteProtection": bool(protection.get("delete")),
            "firewallIds": firewalls,
            "id": str(server.id),
            "image": image,
            "ipv4Address": net.ipv4.ip if net and net.ipv4 else "",
            "ipv6Address": first_address(network) if network else "",
            "ipv6Network": network or "<nil>",
            "labels": dict(server.labels or {}),
            "location": server.location.name if server.location else None,
            "name": server.name,
            "placementGroupId": 0,
            "primaryDiskSize": server.primary_disk_size,
            "rebuildProtection": bool(protection.get("rebuild")),
            "serverType": server.server_type.name if server.server_type else None,
            "status": server.status,
        }

    @staticmethod
    def _as_kept(new: Values) -> Values:
        """The program's own values, in the state's form."""
        kept = {k: new[k] for k in _UNSET if k in new} | {"image": new.get("image")}
        nets = {"publicNets": _nets(new["publicNets"], 0)} if "publicNets" in new else {}
        return kept | nets | {"userData": hashed(new.get("userData"))}

    def _type(self, name: str) -> BoundServerType:
        found: BoundServerType | None = self.provider.client.server_types.get_by_name(name)
        if found is None:
            raise LookupError(f"server type {name} not found")
        return found

    def _image(self, name: str, architecture: str) -> BoundImage:
        client = self.provider.client.images
        found: BoundImage | None = client.get_by_name_and_architecture(
            name, architecture, include_deprecated=True
        )
        if found is None and name.isdecimal():
            found = client.get_by_id(int(name))
        if found is None:
            raise LookupError(f"image {name} for architecture {architecture} not found")
        return found

    def create(self, call: Call) -> tuple[str, Values]:
        new = bare(call.news)
        if call.preview:
            return "", self._planned(new)
        client = self.provider.client
        with sdk():
            kind = self._type(new["serverType"])
            refuse_type(kind, new.get("location"))
            image = self._image(new["image"], kind.architecture or "x86")
            refuse_image(image, allowed=bool(new.get("allowDeprecatedImages")))
            keys = [_key(client, wanted) for wanted in new.get("sshKeys") or []]
            firewalls = [Firewall(id=int(number)) for number in new.get("firewallIds") or []]
            nets = new.get("publicNets")
            made = client.servers.create(
                new["name"],
                kind,
                image,
                ssh_keys=keys or None,
                firewalls=firewalls or None,
                user_data=new.get("userData"),
                labels=new.get("labels"),
                location=Location(name=new["location"]) if "location" in new else None,
                public_net=_asked(nets[0]) if nets else None,
            )
        this = Server(id=made.server.id)
        what = f"creating {call.urn}"
        with sdk(what):
            try:
                for action in (made.action, *made.next_actions):
                    action.wait_until_finished()
            except ActionFailedException as error:
                # The server exists all the same: the engine keeps it, and the next `up` only reads it.
                state = self._planned(new) | dict.fromkeys((*_COMPUTED, "placementGroupId"), None)
                state |= {k: v for k, v in self._as_kept(new).items() if v is not None}
                state |= {k: new[k] for k in ("location", "image", "firewallIds") if k in new}
                raise listed(sdk_text(error), what, str(this.id), state | {"id": str(this.id)}) from None
            if new.get("backups"):
                client.servers.enable_backup(this).wait_until_finished()
            self._protect(this, {}, new)
            return str(this.id), self._outputs(client.servers.get_by_id(this.id), self._as_kept(new))

    def _protect(self, this: Server, old: Values, new: Values) -> None:
        names = ("deleteProtection", "rebuildProtection")
        wanted = [bool(new.get(name)) for name in names]
        if wanted != [bool(old.get(name)) for name in names]:
            servers = self.provider.client.servers
            servers.change_protection(this, delete=wanted[0], rebuild=wanted[1]).wait_until_finished()

    def read(self, call: Call) -> Found | None:
        client = self.provider.client.servers
        with sdk():
            try:
                server = client.get_by_id(int(call.id))
            except APIException as error:
                if not gone(error):
                    raise
                # The official plugin takes the id for a name then.
                server = client.get_by_name(call.id)
        if server is None:
            return None
        program = call.olds or dict.fromkeys(_UNSET, None) | {"networks": [], "publicNets": []}
        return self.found(call, str(server.id), self._outputs(server, program))

    def update(self, call: Call) -> Values:
        old, new = call.olds, bare(call.news)
        if call.preview:
            changed = {k: v for k, v in self.as_state(old, new).items() if not has_unknown(v)}
            return old | changed
        client, this = self.provider.client, Server(id=int(call.id))
        with sdk(f"updating {call.urn}"):
            changes = {"name": new["name"]} if new["name"] != old.get("name") else {}
            if new.get("labels", {}) != old.get("labels", {}):
                changes["labels"] = new.get("labels", {})
            if changes:
                client.servers.update(this, **changes)
            if new["serverType"] != old.get("serverType"):
                kind = self._type(new["serverType"])
                client.servers.power_off(this).wait_until_finished()
                upgrade = not new.get("keepDisk", False)
                client.servers.change_type(this, kind, upgrade).wait_until_finished()
            if bool(new.get("backups")) != bool(old.get("backups")):
                change = client.servers.enable_backup if new.get("backups") else client.servers.disable_backup
                change(this).wait_until_finished()
            if "publicNets" in new and _nets(new["publicNets"], 0) != _nets(old.get("publicNets"), 0):
                change_addresses(client, this, (old.get("publicNets") or [{}])[0], new["publicNets"][0])
            if "firewallIds" in new and not new.get("ignoreRemoteFirewallIds"):
                self._set_firewalls(this, old.get("firewallIds") or [], new["firewallIds"])
            self._protect(this, old, new)
            program = self._as_kept(new)
            if new.get("userData") == old.get("userData"):
                program["userData"] = old.get("userData")
            return self._outputs(client.servers.get_by_id(this.id), program)

    def _set_firewalls(self, this: Server, before: list[int], after: list[int]) -> None:
        client, target = self.provider.client.firewalls, [FirewallResource("server", server=this)]
        for number in [n for n in before if n not in after]:
            for action in client.remove_from_resources(Firewall(id=int(number)), target):
                action.wait_until_finished()
        for number in [n for n in after if n not in before]:
            for action in client.apply_to_resources(Firewall(id=int(number)), target):
                action.wait_until_finished()

    def delete(self, call: Call) -> None:
        client, this = self.provider.client.servers, Server(id=int(call.id))
        with sdk(f"deleting {call.urn}"):
            if call.olds.get("shutdownBeforeDeletion"):
                client.shutdown(this).wait_until_finished()
            client.delete(this).wait_until_finished()


def _key(client: Any, wanted: str) -> Any:
    """A key by its id or its name."""
    if not str(wanted).isdecimal():
        found = client.ssh_keys.get_by_name(wanted)
        if found is None:
            raise LookupError(f"SSH key {wanted} not found")
        return found
    return client.ssh_keys.get_by_id(int(wanted))


def _asked(net: Values) -> ServerCreatePublicNetwork:
    return ServerCreatePublicNetwork(
        ipv4=PrimaryIP(id=int(net["ipv4"])) if net.get("ipv4") else None,
        ipv6=PrimaryIP(id=int(net["ipv6"])) if net.get("ipv6") else None,
        enable_ipv4=net.get("ipv4Enabled", True),
        enable_ipv6=net.get("ipv6Enabled", True),
    )

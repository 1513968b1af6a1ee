"""SSH keys, primary IPs and reverse names."""

from __future__ import annotations

from typing import Any, ClassVar

from hcloud import APIException
from hcloud.locations import Location
from hcloud.primary_ips import BoundPrimaryIP, PrimaryIP
from hcloud.servers import BoundServer
from hcloud.ssh_keys import BoundSSHKey, SSHKey

from bench.plugins.base import Call, Failed, Found
from bench.plugins.hcloud.bridged import Framework
from bench.plugins.hcloud.errors import framework, gone
from bench.plugins.values import UNKNOWN, Values


class SshKey(Framework):
    kind = "hcloud:index/sshKey:SshKey"
    replacing = ("publicKey",)
    computed = ("name",)
    unset: ClassVar[Values] = {"labels": {}}

    @staticmethod
    def _outputs(key: BoundSSHKey) -> Values:
        return {
            "fingerprint": key.fingerprint,
            "id": str(key.id),
            "labels": dict(key.labels or {}),
            "name": key.name,
            "publicKey": key.public_key,
        }

    def create(self, call: Call) -> tuple[str, Values]:
        new = call.news
        labels = new.get("labels", {})
        if call.preview:
            return "", {"fingerprint": UNKNOWN, "id": UNKNOWN, "labels": labels} | new
        with framework():
            key = self.provider.client.ssh_keys.create(new["name"], new["publicKey"], labels)
        return str(key.id), self._outputs(key)

    def read(self, call: Call) -> Found | None:
        with framework():
            try:
                key = self.provider.client.ssh_keys.get_by_id(int(call.id))
            except APIException as error:
                if gone(error):
                    return None
                raise
        return self.found(call, str(key.id), self._outputs(key))

    def update(self, call: Call) -> Values:
        new: Values = {"labels": {}} | call.news
        if call.preview:
            return call.olds | new
        changes = {k: new[k] for k in ("name", "labels") if new[k] != call.olds.get(k)}
        keys = self.provider.client.ssh_keys
        with framework():
            if not changes:
                return self._outputs(keys.get_by_id(int(call.id)))
            return self._outputs(keys.update(SSHKey(id=int(call.id)), **changes))

    def delete(self, call: Call) -> None:
        with framework():
            _unless_gone(lambda: self.provider.client.ssh_keys.delete(SSHKey(id=int(call.id))))


def _unless_gone(action: Any) -> None:
    try:
        action()
    except APIException as error:
        if not gone(error):
            raise


class PrimaryIp(Framework):
    kind = "hcloud:index/primaryIp:PrimaryIp"
    replacing = ("datacenter", "location", "type")
    computed = ("assigneeId", "assigneeType", "datacenter", "location", "name")
    unset: ClassVar[Values] = {"labels": {}}

    def unknown_on_update(self) -> tuple[str, ...]:
        return ("assigneeId",)

    def wrong(self, call: Call, inputs: Values) -> list[tuple[str, str]]:
        if "assigneeType" in inputs and "assigneeId" not in inputs:
            reason = (
                "This attribute is now optional and is only required together with the assigneeId attribute."
            )
            text = f'[WARNING] property "assigneeType": {reason} Please remove it from your configuration.'
            self.provider.log("WARNING", text, call.urn)
        if sum(k in inputs for k in ("location", "datacenter", "assigneeId")) == 1:
            return []
        reason = "Exactly one of these attributes must be configured: [location,datacenter,assignee_id]."
        return [("", f"Invalid Attribute Combination. {reason} Examine values at '{call.name}.location'.")]

    @staticmethod
    def _outputs(ip: BoundPrimaryIP) -> Values:
        outputs = {
            "assigneeId": ip.assignee_id or 0,
            "assigneeType": ip.assignee_type,
            "autoDelete": ip.auto_delete,
            "deleteProtection": bool(ip.protection and ip.protection["delete"]),
            "id": str(ip.id),
            "ipAddress": ip.ip,
            "labels": dict(ip.labels or {}),
            "location": ip.location.name if ip.location else None,
            "name": ip.name,
            "type": ip.type,
        }
        if ip.type == "ipv6" and ip.ip:
            outputs |= {"ipAddress": ip.ip.partition("/")[0], "ipNetwork": ip.ip}
        return outputs

    def create(self, call: Call) -> tuple[str, Values]:
        new = call.news
        if call.preview:
            known = {"autoDelete": False, "deleteProtection": False, "labels": {}}
            asked = ("assigneeId", "assigneeType", "datacenter", "id", "ipAddress", "ipNetwork", "location")
            return "", dict.fromkeys(asked, UNKNOWN) | known | new
        if "datacenter" in new:
            raise Failed("Hetzner has removed datacenters: use location")
        with framework():
            made = self.provider.client.primary_ips.create(
                type=new["type"],
                name=new["name"],
                location=Location(name=new["location"]) if "location" in new else None,
                assignee_id=new.get("assigneeId"),
                assignee_type="server",
                auto_delete=new.get("autoDelete", False),
                labels=new.get("labels", {}),
            )
            if made.action is not None:
                made.action.wait_until_finished()
            if new.get("deleteProtection"):
                made.primary_ip.change_protection(delete=True).wait_until_finished()
            ip = self.provider.client.primary_ips.get_by_id(made.primary_ip.id)
        return str(ip.id), self._outputs(ip)

    def read(self, call: Call) -> Found | None:
        with framework():
            try:
                ip = self.provider.client.primary_ips.get_by_id(int(call.id))
            except APIException as error:
                if gone(error):
                    return None
                raise
        return self.found(call, str(ip.id), self._outputs(ip))

    def update(self, call: Call) -> Values:
        old = call.olds
        new: Values = {"labels": {}} | call.news
        if call.preview:
            return old | {"assigneeId": UNKNOWN} | new
        with framework():
            ip = self.provider.client.primary_ips.get_by_id(int(call.id))
            wanted = {"name": "name", "labels": "labels", "autoDelete": "auto_delete"}
            changes = {
                theirs: new[our] for our, theirs in wanted.items() if our in new and new[our] != old.get(our)
            }
            if changes:
                ip = ip.update(**changes)
            assignee = new.get("assigneeId", old.get("assigneeId"))
            if assignee != old.get("assigneeId"):
                if old.get("assigneeId"):
                    ip.unassign().wait_until_finished()
                if assignee:
                    ip.assign(assignee, "server").wait_until_finished()
            if bool(new.get("deleteProtection")) != bool(old.get("deleteProtection")):
                ip.change_protection(delete=bool(new.get("deleteProtection"))).wait_until_finished()
            return self._outputs(self.provider.client.primary_ips.get_by_id(int(call.id)))

    def delete(self, call: Call) -> None:
        with framework():
            _unless_gone(lambda: self.provider.client.primary_ips.delete(PrimaryIP(id=int(call.id))))


class Rdns(Framework):
    kind = "hcloud:index/rdns:Rdns"
    replacing = ("floatingIpId", "ipAddress", "loadBalancerId", "primaryIpId", "serverId")

    def wrong(self, call: Call, inputs: Values) -> list[tuple[str, str]]:
        owners = ("floatingIpId", "loadBalancerId", "primaryIpId", "serverId")
        if sum(k in inputs for k in owners) == 1:
            return []
        listed = "server_id,primary_ip_id,floating_ip_id,load_balancer_id"
        reason = f"Exactly one of these attributes must be configured: [{listed}]."
        return [("", f"Invalid Attribute Combination. {reason} Examine values at '{call.name}.serverId'.")]

    def _owner(self, properties: Values) -> tuple[str, BoundServer | BoundPrimaryIP]:
        if "serverId" in properties:
            return "s", self.provider.client.servers.get_by_id(int(properties["serverId"]))
        if "primaryIpId" in properties:
            return "p", self.provider.client.primary_ips.get_by_id(int(properties["primaryIpId"]))
        raise Failed("the stand-in for hcloud sets reverse names of servers and primary IPs only")

    def create(self, call: Call) -> tuple[str, Values]:
        new = call.news
        if call.preview:
            return "", {"id": UNKNOWN} | new
        with framework():
            kind, owner = self._owner(new)
            owner.change_dns_ptr(new["ipAddress"], new["dnsPtr"]).wait_until_finished()
        id = f"{kind}-{owner.id}-{new['ipAddress']}"
        return id, {"id": id} | new

    def read(self, call: Call) -> Found | None:
        kind, owner_id, address = call.id.split("-", 2)
        key = "serverId" if kind == "s" else "primaryIpId"
        with framework():
            try:
                _, owner = self._owner({key: owner_id})
            except APIException as error:
                if gone(error):
                    return None
                raise
        name = _pointer(owner, address)
        if name is None:
            return None
        outputs = {"dnsPtr": name, "id": call.id, "ipAddress": address, key: int(owner_id)}
        return self.found(call, call.id, outputs)

    def update(self, call: Call) -> Values:
        if not call.preview:
            with framework():
                _, owner = self._owner(call.news)
                owner.change_dns_ptr(call.news["ipAddress"], call.news["dnsPtr"]).wait_until_finished()
        return {"id": call.id} | call.news

    def delete(self, call: Call) -> None:
        def forget() -> None:
            _, owner = self._owner(call.olds)
            nothing: Any = None  # the API takes null, whatever the client's annotation says
            owner.change_dns_ptr(call.olds["ipAddress"], nothing).wait_until_finished()

        with framework():
            _unless_gone(forget)


def _pointer(owner: BoundServer | BoundPrimaryIP, address: str) -> str | None:
    if isinstance(owner, BoundPrimaryIP):
        return next((str(p["dns_ptr"]) for p in owner.dns_ptr or [] if p["ip"] == address), None)
    net = owner.public_net
    if net is None:
        return None
    if net.ipv4 is not None and net.ipv4.ip == address:
        return str(net.ipv4.dns_ptr)
    pointers = net.ipv6.dns_ptr if net.ipv6 is not None else []
    return next((str(p["dns_ptr"]) for p in pointers or [] if p["ip"] == address), None)

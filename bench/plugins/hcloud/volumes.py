"""Volumes and their attachments."""

from __future__ import annotations

from hcloud import APIException
from hcloud.locations import Location
from hcloud.servers import Server
from hcloud.volumes import BoundVolume, Volume

from bench.plugins.base import Call, Found
from bench.plugins.hcloud.bridged import Sdk, bare
from bench.plugins.hcloud.errors import CRASHED, gone, sdk
from bench.plugins.values import UNKNOWN, Values


class VolumeResource(Sdk):
    kind = "hcloud:index/volume:Volume"
    replacing = ("location",)
    computed = ("location", "serverId", "name")

    @staticmethod
    def _outputs(volume: BoundVolume, program: Values) -> Values:
        """`program`: what was known before. The API tells nothing of automount, and a volume that is free is
        not noticed: the official plugin keeps the server it knew."""
        return {
            "automount": program.get("automount"),
            "deleteProtection": bool(volume.protection and volume.protection["delete"]),
            "format": program.get("format"),
            "id": str(volume.id),
            "labels": dict(volume.labels or {}),
            "linuxDevice": volume.linux_device,
            "location": volume.location.name if volume.location else None,
            "name": volume.name,
            "serverId": volume.server.id if volume.server else program.get("serverId"),
            "size": volume.size,
        }

    def create(self, call: Call) -> tuple[str, Values]:
        new = bare(call.news)
        if call.preview:
            known: Values = {"automount": None, "deleteProtection": False, "format": None, "labels": {}}
            asked = dict.fromkeys(("id", "linuxDevice", "location", "serverId"), UNKNOWN)
            return "", asked | known | new
        client = self.provider.client.volumes
        with sdk():
            made = client.create(
                new["size"],
                new["name"],
                labels=new.get("labels"),
                location=Location(name=new["location"]) if "location" in new else None,
                server=Server(id=int(new["serverId"])) if "serverId" in new else None,
                automount=new.get("automount"),
                format=new.get("format"),
            )
        this = made.volume.id
        with sdk(f"creating {call.urn}"):
            for action in (made.action, *(made.next_actions or [])):
                if action is not None:
                    action.wait_until_finished()
            if new.get("deleteProtection"):
                client.change_protection(Volume(id=this), delete=True).wait_until_finished()
            return str(this), self._outputs(client.get_by_id(this), new)

    def read(self, call: Call) -> Found | None:
        with sdk():
            try:
                volume = self.provider.client.volumes.get_by_id(int(call.id))
            except APIException as error:
                if gone(error):
                    return None
                raise
        program = call.olds or {"format": volume.format}
        return self.found(call, str(volume.id), self._outputs(volume, program))

    def update(self, call: Call) -> Values:
        old = call.olds
        new: Values = bare(call.news)
        if call.preview:
            return old | new
        client, this = self.provider.client.volumes, Volume(id=int(call.id))
        protect = bool(new.get("deleteProtection"))
        with sdk(f"updating {call.urn}"):
            try:
                client.get_by_id(this.id)
            except APIException as error:
                raise CRASHED if gone(error) else error from None
            changes = {"name": new["name"]} if new["name"] != old.get("name") else {}
            if new.get("labels", {}) != old.get("labels", {}):
                changes["labels"] = new.get("labels", {})
            if changes:
                client.update(this, **changes)
            if "serverId" in new and new["serverId"] != old.get("serverId"):
                if old.get("serverId"):
                    client.detach(this).wait_until_finished()
                server = Server(id=int(new["serverId"]))
                client.attach(this, server, new.get("automount")).wait_until_finished()
            if new["size"] != old.get("size"):
                client.resize(this, new["size"]).wait_until_finished()
            if protect != bool(old.get("deleteProtection")):
                client.change_protection(this, delete=protect).wait_until_finished()
            known = {"serverId": old.get("serverId")} | new
            return self._outputs(client.get_by_id(this.id), known)

    def delete(self, call: Call) -> None:
        client, this = self.provider.client.volumes, Volume(id=int(call.id))
        with sdk(f"deleting {call.urn}"):
            try:
                if call.olds.get("serverId") and client.get_by_id(this.id).server:
                    client.detach(this).wait_until_finished()
                client.delete(this)
            except APIException as error:
                if not gone(error):
                    raise


class VolumeAttachment(Sdk):
    kind = "hcloud:index/volumeAttachment:VolumeAttachment"
    replacing = ("serverId", "volumeId")

    def create(self, call: Call) -> tuple[str, Values]:
        new = {"automount": None} | bare(call.news)
        if call.preview:
            return "", {"id": UNKNOWN} | new
        client = self.provider.client.volumes
        volume, server = Volume(id=int(new["volumeId"])), Server(id=int(new["serverId"]))
        with sdk():
            # The official plugin leaves out automount: false, which is the API's default.
            client.attach(volume, server, new["automount"] or None).wait_until_finished()
        return str(volume.id), {"id": str(volume.id)} | new

    def read(self, call: Call) -> Found | None:
        with sdk():
            try:
                volume = self.provider.client.volumes.get_by_id(int(call.id))
            except APIException as error:
                if gone(error):
                    return None
                raise
        if volume.server is None:
            return None
        outputs = {
            "automount": call.olds.get("automount"),
            "id": call.id,
            "serverId": volume.server.id,
            "volumeId": volume.id,
        }
        return self.found(call, call.id, outputs)

    def update(self, call: Call) -> Values:
        # Only automount can change in place, and it acts at the next attachment only.
        return call.olds | {"automount": call.news.get("automount")}

    def delete(self, call: Call) -> None:
        client, this = self.provider.client.volumes, Volume(id=int(call.olds["volumeId"]))
        with sdk(f"deleting {call.urn}"):
            try:
                if client.get_by_id(this.id).server is not None:
                    client.detach(this).wait_until_finished()
            except APIException as error:
                if not gone(error):
                    raise

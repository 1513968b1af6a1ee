"""Firewalls, and their attachment to servers as a resource of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from hcloud import APIException
from hcloud.firewalls import BoundFirewall, Firewall, FirewallResource, FirewallRule
from hcloud.firewalls.domain import FirewallResourceLabelSelector
from hcloud.servers import Server

from bench.plugins.base import Call, Failed, Found
from bench.plugins.hcloud.bridged import Sdk, bare
from bench.plugins.hcloud.errors import CRASHED, gone, sdk
from bench.plugins.values import UNKNOWN, Values, has_unknown

_RULE: Values = {
    "description": "", "destinationIps": [], "direction": "", "port": "", "protocol": "", "sourceIps": [],
}  # fmt: skip


def _whole(rule: Values) -> Values:
    """A rule with all that the program left out; both lists are sets."""
    given = {k: v for k, v in rule.items() if v is not None}
    whole = _RULE | given
    for name in ("sourceIps", "destinationIps"):
        if isinstance(whole[name], list) and not has_unknown(whole[name]):
            whole[name] = sorted(whole[name])
    return whole


def _in_order(rules: list[Values]) -> list[Values]:
    """The rules in a fixed order, as the official plugin has them in that of a hash."""
    return sorted(map(_whole, rules), key=lambda rule: sorted(map(repr, rule.items())))


def _to_api(rule: Values) -> FirewallRule:
    return FirewallRule(
        direction=rule["direction"],
        protocol=rule["protocol"],
        source_ips=rule.get("sourceIps") or [],
        destination_ips=rule.get("destinationIps") or [],
        port=rule.get("port") or None,
        description=rule.get("description") or None,
    )


def _targets(program: Values) -> list[FirewallResource]:
    found = []
    for target in program.get("applyTos") or []:
        if target.get("server"):
            found.append(FirewallResource("server", server=Server(id=int(target["server"]))))
        else:
            selector = FirewallResourceLabelSelector(target["labelSelector"])
            found.append(FirewallResource("label_selector", label_selector=selector))
    return found


class FirewallRules(Sdk):
    kind = "hcloud:index/firewall:Firewall"
    replacing = ()
    computed = ("applyTos", "labels", "name")
    unordered = ("applyTos", "rules")
    sets = ("applyTos", "rules")

    def _differs(self, name: str, old: Any, new: Any, given: bool) -> bool:
        if name == "rules" and not has_unknown(new):
            return _in_order(old or []) != _in_order(new or [])
        return super()._differs(name, old, new, given)

    @staticmethod
    def _outputs(firewall: BoundFirewall) -> Values:
        applied = []
        for target in firewall.applied_to or []:
            selector = target.label_selector.selector if target.label_selector else ""
            applied.append({"labelSelector": selector, "server": target.server.id if target.server else 0})
        rules = [
            {
                "description": rule.description or "",
                "destinationIps": rule.destination_ips,
                "direction": rule.direction,
                "port": rule.port or "",
                "protocol": rule.protocol,
                "sourceIps": rule.source_ips,
            }
            for rule in firewall.rules or []
        ]
        return {
            "applyTos": applied,
            "id": str(firewall.id),
            "labels": dict(firewall.labels or {}),
            "name": firewall.name,
            "rules": _in_order(rules),
        }

    def create(self, call: Call) -> tuple[str, Values]:
        new = bare(call.news)
        if call.preview:
            known = {"applyTos": [], "labels": UNKNOWN, "rules": []} | new
            if not has_unknown(known["rules"]):
                known["rules"] = _in_order(known["rules"])
            return "", {"id": UNKNOWN} | known
        client = self.provider.client.firewalls
        with sdk():
            made = client.create(
                new["name"],
                rules=[_to_api(rule) for rule in new.get("rules") or []] or None,
                labels=new.get("labels"),
                resources=_targets(new) or None,
            )
            for action in made.actions or []:
                action.wait_until_finished()
            firewall = client.get_by_id(made.firewall.id)
        return str(firewall.id), self._outputs(firewall)

    def read(self, call: Call) -> Found | None:
        with sdk():
            try:
                firewall = self.provider.client.firewalls.get_by_id(int(call.id))
            except APIException as error:
                if gone(error):
                    return None
                raise
        return self.found(call, str(firewall.id), self._outputs(firewall))

    def update(self, call: Call) -> Values:
        old = call.olds
        new: Values = bare(call.news)
        if call.preview:
            known: Values = old | new
            if not has_unknown(known["rules"]):
                known["rules"] = _in_order(known["rules"])
            return known
        client, this = self.provider.client.firewalls, Firewall(id=int(call.id))
        with sdk(f"updating {call.urn}"):
            changes = {"name": new["name"]} if new["name"] != old.get("name") else {}
            if "labels" in new and new["labels"] != old.get("labels"):
                changes["labels"] = new["labels"]
            if changes:
                client.update(this, **changes)
            if _in_order(new.get("rules") or []) != _in_order(old.get("rules") or []):
                rules = [_to_api(rule) for rule in new.get("rules") or []]
                for action in client.set_rules(this, rules):
                    action.wait_until_finished()
            if "applyTos" in new and self._differs("applyTos", old.get("applyTos"), new["applyTos"], True):
                raise Failed("the stand-in for hcloud changes firewalls' servers through the servers only")
            return self._outputs(client.get_by_id(this.id))

    def delete(self, call: Call) -> None:
        client, this = self.provider.client.firewalls, Firewall(id=int(call.id))
        with sdk(f"deleting {call.urn}"):
            try:
                firewall = client.get_by_id(this.id)
            except APIException as error:
                raise CRASHED if gone(error) else error from None
            if firewall.applied_to:
                for action in client.remove_from_resources(this, firewall.applied_to):
                    action.wait_until_finished()
            client.delete(this)


class FirewallAttachment(Sdk):
    kind = "hcloud:index/firewallAttachment:FirewallAttachment"
    replacing = ("firewallId",)
    unordered = ("serverIds", "labelSelectors")
    sets: ClassVar[tuple[str, ...]] = ("serverIds", "labelSelectors")

    @staticmethod
    def _servers(ids: list[int]) -> list[FirewallResource]:
        return [FirewallResource("server", server=Server(id=int(number))) for number in ids]

    def check(self, call: Call) -> Values:
        if call.news.get("labelSelectors"):
            raise Failed("the stand-in for hcloud attaches firewalls to servers only, not by labels")
        return super().check(call)

    def create(self, call: Call) -> tuple[str, Values]:
        new = {"labelSelectors": None} | bare(call.news)
        if has_unknown(new.get("serverIds")):
            new["serverIds"] = UNKNOWN
        if call.preview:
            return "", {"id": UNKNOWN} | new
        client, this = self.provider.client.firewalls, Firewall(id=int(new["firewallId"]))
        with sdk():
            for action in client.apply_to_resources(this, self._servers(new["serverIds"])):
                action.wait_until_finished()
            client.get_by_id(this.id)
        return str(this.id), {"id": str(this.id)} | new

    def read(self, call: Call) -> Found | None:
        with sdk():
            try:
                firewall = self.provider.client.firewalls.get_by_id(int(call.id))
            except APIException as error:
                if gone(error):
                    return None
                raise
        servers = [target.server.id for target in firewall.applied_to or [] if target.server]
        # With nothing to say, the official plugin keeps what it knew: a server that is gone stays listed.
        servers = servers or call.olds.get("serverIds", [])
        outputs = {"firewallId": firewall.id, "id": call.id, "labelSelectors": [], "serverIds": servers}
        return self.found(call, call.id, outputs)

    def update(self, call: Call) -> Values:
        old = call.olds
        new: Values = {"labelSelectors": None} | bare(call.news)
        if call.preview:
            planned: Values = old | bare(call.news)
            return planned | ({"serverIds": UNKNOWN} if has_unknown(new.get("serverIds")) else {})
        client, this = self.provider.client.firewalls, Firewall(id=int(call.id))
        before, after = old.get("serverIds") or [], new.get("serverIds") or []
        with sdk(f"updating {call.urn}"):
            lost, added = [s for s in before if s not in after], [s for s in after if s not in before]
            actions = client.remove_from_resources(this, self._servers(lost)) if lost else []
            actions += client.apply_to_resources(this, self._servers(added)) if added else []
            for action in actions:
                action.wait_until_finished()
        return {"id": call.id} | new

    def delete(self, call: Call) -> None:
        client, this = self.provider.client.firewalls, Firewall(id=int(call.id))
        with sdk(f"deleting {call.urn}"):
            for action in client.remove_from_resources(this, self._servers(call.olds["serverIds"])):
                action.wait_until_finished()

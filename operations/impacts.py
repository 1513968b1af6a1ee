"""What a change interrupts, in the operator's words: one row for each type of resource that gatehouse can declare.

A row is found by the type, and for containers by the name too; the longest key that fits counts, so that a row may
stand for a family of authentik's kinds. Seconds are those that were measured (see where the constants come from).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pulumi.automation import OpType

from components.containers.services import SERVICES
from components.host.dns import TTL_SECONDS
from operations.resource_labels import longest_prefix_match

FEW = 3
"""Things for each of which the same sentence is written out."""


@dataclass(frozen=True)
class Impact:
    """What is said of a resource's changes; nothing where nobody notices. `{name}` is the resource's name."""

    delete: str = ""
    update: str = ""
    """Of an update, where `fields` says nothing of what changes."""
    create: str = ""
    replace: str | None = None
    """None: as for a delete."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Of an update of these fields."""
    covers: tuple[str, ...] = ()
    """Beginnings of keys of what goes along when this is deleted or replaced, and need not be spoken of."""

    def words(self, operation: OpType, changed: Iterable[str]) -> Iterator[str]:
        """Templates for one change."""
        if operation is OpType.UPDATE:
            yield from [self.fields[name] for name in sorted(changed) if name in self.fields] or [self.update]
        elif operation is OpType.REPLACE:
            yield self.delete if self.replace is None else self.replace
        else:
            yield {OpType.CREATE: self.create, OpType.DELETE: self.delete}.get(operation, "")


_NOBODY = Impact()
_LOGIN = "nobody can log in to {name} any more"
_RENEWED = "can renew its tokens until ./gatehouse offboard with --app ends that"
_WHO = f"who may use {{name}} changes at once; for whoever loses it, it {_RENEWED}"
_RULES = "who gets past {name} changes at once"
_DECIDES = "what the binding {name} decides changes at once"
_TOLD = "what apps are told by {name} changes with the next login"


def _app(**fields: str) -> Impact:
    """Something without which nobody gets to an app."""
    return Impact(delete=_LOGIN, replace="nobody can log in to {name} until it is made anew", fields=fields)


_SYNC = Impact(delete="people are not brought to {name} any more", replace="")
_STEP = Impact(update="people find {name} changed when they log in from now on")
_LOSES = "{name} loses its login until it is given "
_SERVER_GOES = ("docker:", "command:", "hcloud:index/firewall", "hcloud:index/volumeAttachment", "npm.")
_DATA_GO = ("docker:", "authentik_", "gatehouse.", "npm.")

TABLE: Mapping[str, Impact] = {
    # Server
    "hcloud:index/server:Server": Impact(
        delete="deletes the server: nobody can log in any more",
        replace="the server is made anew: nobody can log in, and nothing behind it is reached, until its containers "
        "run again; the volume and its data stay",
        fields={
            "serverType": "the server is switched off to get its new type: nobody can log in until it is up again",
            "publicNets": "the server is switched off to get its new addresses: nobody can log in until it is up again",
        },
        covers=_SERVER_GOES,
    ),
    "hcloud:index/volume:Volume": Impact(
        delete="deletes the volume with all of the client's data, authentik's database and the certificates among them",
        covers=_DATA_GO,
    ),
    "hcloud:index/volumeAttachment:VolumeAttachment": Impact(
        delete="takes the data off the server: nobody can log in until they are back"
    ),
    "hcloud:index/primaryIp:PrimaryIp": Impact(
        delete="gives the {name} address up: another client of Hetzner's may get it"
    ),
    "hcloud:index/firewall:Firewall": Impact(
        delete="nothing keeps anybody off the server at Hetzner any more; the box's own firewall stays",
        fields={"rules": "who reaches which port of the server changes at once"},
    ),
    "hcloud:index/firewallAttachment:FirewallAttachment": Impact(
        delete="nothing keeps anybody off the server at Hetzner any more; the box's own firewall stays"
    ),
    "hcloud:index/sshKey:SshKey": _NOBODY,  # read at a server's first boot only
    "hcloud:index/rdns:Rdns": _NOBODY,
    "command:local:Command": _NOBODY,
    "command:local:Command/backups": Impact(
        delete="the box is not backed up any more; what the repository has stays there", replace=""
    ),
    # DNS
    "cloudflare:index/dnsRecord:DnsRecord": Impact(
        delete="{name} leads nowhere any more",
        replace=f"{{name}}: some are still led to the former address for {TTL_SECONDS // 60} minutes",
        fields={
            "content": f"{{name}}: some are still led to the former address for {TTL_SECONDS // 60} minutes"
        },
    ),
    # Containers
    "docker:index/network:Network": Impact(
        replace="the network {name} is made anew: nobody can log in until the containers on it run again"
    ),
    "docker:index/remoteImage:RemoteImage": _NOBODY,
    # Docker changes a container's memory and restart policy as it runs, and makes it anew for all else.
    "docker:index/container:Container": Impact(
        delete="deletes the container {name} and what it serves",
        replace="{name} restarts, and what it serves with it",
    ),
    **{
        f"docker:index/container:Container/{name}": Impact(delete=service.gone, replace=service.restarts)
        for name, service in SERVICES.items()
    },
    # Certificates and routes: a certificate is another one, of another name, before the route leaves the former one.
    "npm.certificate": _NOBODY,
    "npm.proxy_host": Impact(
        delete="{name} is not served any more", replace="{name} is not served for a moment"
    ),
    # People and groups
    "authentik_core.user": Impact(
        delete="deletes the account {name} and what it owns",
        fields={
            "password": "the former first password of {name} is refused",
            "username": "{name} logs in with another user name from now on",
            "is_active": "the account {name} is switched on or off",
            "groups": f"what {{name}} may use changes at once; an app that they lose {_RENEWED}",
        },
    ),
    "authentik_core.group": Impact(
        delete="what the group {name} lets people into is closed to them",
        fields={"is_superuser": "whether the group {name} may do everything in authentik changes at once"},
    ),
    "authentik_rbac.role": Impact(
        delete="what the role {name} lets people do is refused to them",
        update="what people with the role {name} may do changes at once",
    ),
    "authentik_rbac.initialpermissions": _NOBODY,
    # Apps
    "gatehouse.access": Impact(
        delete=_LOGIN, update=_WHO, replace="nobody can log in to {name} until it is made anew"
    ),
    "gatehouse.ldap_search": Impact(
        delete="{name} finds nobody any more", replace="{name} finds nobody for a moment"
    ),
    "gatehouse.fresh_logins": Impact(
        create="administrators who have no security key yet are logged out, and set one up at their next login",
        update="who needs a security key and has none yet is logged out, and sets one up at the next login",
    ),
    "gatehouse.server_settings": Impact(
        create="administrators cannot act as somebody else any more",
        update="whether administrators may act as somebody else changes at once",
        delete="administrators can act as somebody else again",
    ),
    "authentik_policies.policybinding": Impact(delete=_DECIDES, update=_DECIDES),
    "authentik_policies.policybinding:authentik_core.application": _NOBODY,  # the app's access speaks of it
    "authentik_core.application": _app(),
    "authentik_core.applicationentitlement": Impact(delete="apps are not told of {name} any more"),
    "authentik_providers_": _app(),
    "authentik_providers_oauth2.oauth2provider": _app(
        client_id=f"{_LOSES}the new client id",
        client_secret=f"{_LOSES}the new secret",
        encryption_key=f"{_LOSES}the new key to read its tokens with",
        issuer_mode=f"{_LOSES}its new issuer",
        redirect_uris="{name}: logins that come back to an address which is not listed any more are refused",
        signing_key="{name} refuses logins until it has fetched the new key",
        sub_mode="{name} takes everybody for somebody new, where it knows people by `sub`",
    ),
    "authentik_providers_oauth2.scopemapping": Impact(delete=_TOLD, update=_TOLD),
    "authentik_providers_proxy.proxyprovider": _app(),
    "authentik_providers_saml.samlprovider": _app(
        acs_url="{name}: logins are sent to its new address only",
        audience="{name} refuses logins until it is told the new audience",
        encryption_kp=f"{_LOSES}the new key to read its logins with",
        signing_kp=f"{_LOSES}the new certificate",
        verification_kp="{name}: what it signs with the former certificate is refused",
    ),
    "authentik_providers_saml.samlpropertymapping": Impact(delete=_TOLD, update=_TOLD),
    "authentik_providers_ldap.ldapprovider": _app(),
    "authentik_providers_radius.radiusprovider": _app(
        client_networks="{name}: devices outside of the new networks are refused",
        shared_secret=f"{_LOSES}the new secret",
    ),
    "authentik_providers_radius.radiusproviderpropertymapping": Impact(delete=_TOLD, update=_TOLD),
    "authentik_providers_rac.racpropertymapping": Impact(delete=_TOLD, update=_TOLD),
    "authentik_providers_rac.endpoint": Impact(
        delete="nobody gets to the machine {name} by the browser any more"
    ),
    "authentik_providers_google_workspace.googleworkspaceprovider": _SYNC,
    "authentik_providers_google_workspace.googleworkspaceprovidermapping": _NOBODY,
    "authentik_providers_microsoft_entra.microsoftentraprovider": _SYNC,
    "authentik_providers_microsoft_entra.microsoftentraprovidermapping": _NOBODY,
    "authentik_providers_scim.scimprovider": _SYNC,
    "authentik_providers_scim.scimmapping": _NOBODY,
    "authentik_providers_ssf.ssfprovider": Impact(delete="{name} is not told any more of sessions that end"),
    "authentik_outposts.outpost": Impact(
        delete="the apps behind the outpost {name} are not reached any more",
        fields={
            "providers": "which apps the outpost {name} answers for changes at once",
            "token": "an outpost {name} that you run yourself is refused until it has the new token",
        },
    ),
    "authentik_outposts.": Impact(delete="authentik does not look after the outposts at {name} any more"),
    # Login
    "authentik_brands.brand": Impact(
        delete="people who come by {name} see authentik's own pages",
        fields={
            "flow_authentication": "people who come by {name} log in another way from now on",
            "flow_recovery": "people who come by {name} get at forgotten passwords another way from now on",
        },
    ),
    "authentik_flows.flow": Impact(delete="nobody can go through {name} any more"),
    "authentik_flows.flowstagebinding": Impact(
        create="people meet the step {name} when they log in from now on",
        update="people find the step {name} changed when they log in from now on",
        delete="the step {name} of a login falls away",
        replace="people find the step {name} changed when they log in from now on",
    ),
    "authentik_stages_": _STEP,
    "authentik_stages_prompt.prompt": _STEP,
    "authentik_stages_invitation.invitation": Impact(delete="the invitation {name} is not taken any more"),
    "authentik_endpoints.endpointstage": _STEP,
    "authentik_sources_": Impact(
        delete="nobody can log in by {name} any more",
        fields={"slug": "{name} refuses logins until it is given the new address to send people back to"},
    ),
    "authentik_policies_": Impact(update=_RULES),  # one that goes has its bindings gone before
    # Other objects of authentik
    "authentik_core.token": Impact(
        delete="what uses the token {name} is refused",
        fields={"key": "what uses the token {name} is refused until it is given the new one"},
    ),
    "authentik_core.objectattribute": _NOBODY,
    "authentik_crypto.certificatekeypair": Impact(
        delete="what {name} signs has to be signed by another key",
        fields={
            "certificate_data": "who checks signatures of {name} refuses them until they have the new certificate",
            "key_data": "who checks signatures of {name} refuses them until they have the new certificate",
        },
    ),
    "authentik_blueprints.blueprintinstance": Impact(
        create="what the blueprint {name} says is written over what is there",
        update="what the blueprint {name} says is written over what is there",
    ),
    "authentik_endpoints.deviceaccessgroup": Impact(delete=_RULES, update=_RULES),
    "authentik_endpoints_connectors_": Impact(delete="devices are not known by {name} any more"),
    "authentik_endpoints_connectors_agent.enrollmenttoken": Impact(
        delete="no device is enrolled with {name} any more"
    ),
    "authentik_events.notificationrule": Impact(delete="nobody is notified by {name} any more"),
    "authentik_events.notificationtransport": Impact(delete="nobody is notified by {name} any more"),
    "authentik_events.notificationwebhookmapping": _NOBODY,
    "authentik_lifecycle.lifecyclerule": Impact(delete="nobody is asked to look through {name} any more"),
    "authentik_requests.": Impact(delete="nobody can ask for {name} any more"),
}


@dataclass(frozen=True)
class ResourceChange:
    """A change as the table is asked about it."""

    operation: OpType
    type: str
    name: str
    fields: frozenset[str] = frozenset()
    """Which of the resource's properties change."""

    @property
    def key(self) -> str:
        """What the keys of the table are beginnings of."""
        return f"{self.type}/{self.name}"


def find_impact(key: str) -> Impact | None:
    """The row for a `ResourceChange.key`; None if the table does not know the type."""
    return longest_prefix_match(TABLE, key)


def interruptions(changes: Iterable[ResourceChange]) -> list[str]:
    """What all of these changes interrupt: each sentence once, the same for many things in two lines."""
    known = [(each, found) for each in changes if (found := find_impact(each.key))]
    covered = tuple(
        beginning
        for each, found in known
        if each.operation in (OpType.DELETE, OpType.REPLACE)
        for beginning in found.covers
    )
    names: dict[str, dict[str, None]] = {}
    for each, found in known:
        if not each.key.startswith(covered):
            for words in found.words(each.operation, each.fields):
                names.setdefault(words, {})[_called(each)] = None
    names.pop("", None)
    return [line for words, of in names.items() for line in _lines(words, list(of))]


def _called(change: ResourceChange) -> str:
    """Its name; a DNS record is called by the host that it leads somewhere, without the record's type."""
    return change.name.rpartition("-")[0] if change.type.startswith("cloudflare:") else change.name


def _lines(words: str, names: list[str]) -> Iterator[str]:
    if "{name}" not in words:
        yield words
        return
    whole = names if len(names) <= FEW else names[:1]
    yield from (words.format(name=name) for name in whole)
    if others := names[len(whole) :]:
        yield f"the same for {', '.join(others)}"

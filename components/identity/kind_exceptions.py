"""What is special about a few of authentik's kinds, and neither the schema nor `kinds.json` says: a table a subject."""

from __future__ import annotations

from collections.abc import Mapping

from components.objects.dialect import Effect, Setter

SETTERS: Mapping[str, Mapping[str, Setter]] = {
    "authentik_core.user": {"password": Setter("set_password/", "password")},
    "authentik_core.token": {"key": Setter("set_key/", "key")},
    # authentik's worker makes the token of an outpost some time after the outpost.
    "authentik_outposts.outpost": {"token": Setter("/core/tokens/{token_identifier}/set_key/", "key", 90.0)},
}
"""Fields that the API takes by a call of their own and never gives back; the schema does not list them."""

EFFECTS: Mapping[str, Effect] = {
    "authentik_blueprints.blueprintinstance": Effect(
        path="apply/",
        verb="apply",
        fields=frozenset({"content", "path", "context"}),
        only={"enabled": True},
        moment="last_applied",
        status="status",
        good=frozenset({"successful"}),
        digest=("last_applied_hash", "content"),
    ),
}
"""Kinds whose objects do nothing by being there. Recorded: the hash is that of the content as authentik gives it."""

OWNED_BY_OTHER_SIDE: Mapping[str, Mapping[str, str]] = {
    "authentik_core.group": {"users": "the groups of each user", "children": "the parent of each group"},
}
"""Fields that are one relation with a field of another kind, both replaced whole: only the other side is managed."""

EXCLUSIVE: Mapping[str, frozenset[str]] = {
    "authentik_core.application": frozenset({"provider", "backchannel_providers"}),
}
"""Fields that name what belongs to one object only."""

UNIQUE: Mapping[str, tuple[str, ...]] = {
    "authentik_providers_oauth2.oauth2provider": ("client_id",),
    "authentik_providers_proxy.proxyprovider": ("client_id",),
    "authentik_sources_kerberos.kerberossource": ("realm",),
}
"""Fields besides the natural key that no two objects may have alike. Source: authentik's models."""

RELEASED: Mapping[str, frozenset[str]] = {
    "authentik_core.application": frozenset({"backchannel_providers"}),
}
"""Reverse relations: authentik deletes these members together with the object, unless it let go of them before."""

OWNERS: Mapping[str, tuple[str, str, str]] = {
    "@any_provider": ("authentik_core.application", "provider", "assigned_application_slug"),
}
"""Families each of whose objects another object has to itself: that one's kind, its field, and theirs with its name."""

MERGED: Mapping[str, frozenset[str]] = {"authentik_outposts.outpost": frozenset({"config"})}
"""Objects with settings of many owners, which authentik replaces whole."""

SHARED: Mapping[str, frozenset[str]] = {"authentik_outposts.outpost": frozenset({"providers"})}
"""Lists that the apps of this stack are put into, beside those that others have put there."""

TOGETHER: Mapping[str, tuple[str, str]] = {
    "@any_provider": ("/providers/all/", "name"),
    "@any_policy": ("/policies/all/", "name"),
    "@any_property_mapping": ("/propertymappings/all/", "name"),
    "@any_source": ("/sources/all/", "slug"),
    "@any_stage": ("/stages/all/", "name"),
    "@any_service_connection": ("/outposts/service_connections/all/", "name"),
}
"""Families that share one name space and have one list for all: group -> (path, key)."""

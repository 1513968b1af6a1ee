"""The functions: server types, locations, images."""

from __future__ import annotations

from typing import Any

from hcloud import APIException
from hcloud.deprecation import DeprecationInfo
from hcloud.images import BoundImage
from hcloud.locations import BoundLocation
from hcloud.server_types import BoundServerType

from bench.plugins.base import Failed
from bench.plugins.hcloud.errors import framework, gone
from bench.plugins.values import Values


def _one(client: Any, what: str, arguments: Values) -> Any:
    """The object with the id or name of the arguments."""
    number, name = arguments.get("id"), arguments.get("name")
    if not number and not name:
        raise Failed(f"please specify an id or a name to look up the {what}")
    with framework():
        if not number:
            found = client.get_by_name(name)
            wanted = f'name="{name}"'
        else:
            wanted = f"id={number}"
            try:
                found = client.get_by_id(int(number))
            except APIException as error:
                if not gone(error):
                    raise
                found = None
    if found is None:
        raise Failed(f"Resource not found: Resource ({what}) was not found: {wanted}")
    return found


def _deprecation(info: DeprecationInfo | None) -> Values:
    return {
        "deprecationAnnounced": info.announced.isoformat() if info and info.announced else "",
        "isDeprecated": info is not None,
        "unavailableAfter": info.unavailable_after.isoformat() if info and info.unavailable_after else "",
    }


def server_type(provider: Any, arguments: Values, preview: bool) -> Values:
    """getServerType."""
    del preview
    found: BoundServerType = _one(provider.client.server_types, "server type", arguments)
    places = [
        {
            "available": place.available,
            "id": place.location.id,
            "name": place.location.name,
            "recommended": place.recommended,
        }
        | _deprecation(place.deprecation)
        for place in found.locations or []
    ]
    return {
        "architecture": found.architecture,
        "category": found.category,
        "cores": found.cores,
        "cpuType": found.cpu_type,
        "description": found.description,
        "disk": found.disk,
        "id": found.id,
        "includedTraffic": next((price.get("included_traffic") for price in found.prices or []), None) or 0,
        "locations": places,
        "memory": found.memory,
        "name": found.name,
        "storageType": found.storage_type,
    } | _deprecation(None)


def location(provider: Any, arguments: Values, preview: bool) -> Values:
    """getLocation."""
    del preview
    found: BoundLocation = _one(provider.client.locations, "location", arguments)
    return {
        "city": found.city,
        "country": found.country,
        "description": found.description,
        "id": found.id,
        "latitude": found.latitude,
        "longitude": found.longitude,
        "name": found.name,
        "networkZone": found.network_zone,
    }


def image(provider: Any, arguments: Values, preview: bool) -> Values:
    """getImage: by id, or by name and architecture (x86 unless said otherwise)."""
    del preview
    if arguments.get("withSelector") or arguments.get("selector"):
        raise Failed("the stand-in for hcloud finds images by id or name only")
    architecture = arguments.get("withArchitecture") or "x86"
    client = provider.client.images
    found: BoundImage | None
    if arguments.get("id"):
        found = _one(client, "image", arguments)
    else:
        name, deprecated = arguments.get("name"), bool(arguments.get("includeDeprecated"))
        with framework():
            found = client.get_by_name_and_architecture(name, architecture, include_deprecated=deprecated)
    if found is None:
        wanted = f'name="{name}" architecture="{architecture}"'
        raise Failed(f"Resource not found: Resource (image) was not found: {wanted}")
    return {
        "architecture": found.architecture,
        "created": found.created.isoformat() if found.created else "",
        "deprecated": _deprecation(found.deprecation)["deprecationAnnounced"],
        "description": found.description,
        "id": found.id,
        "labels": dict(found.labels or {}),
        "name": found.name,
        "osFlavor": found.os_flavor,
        "osVersion": found.os_version,
        "rapidDeploy": found.rapid_deploy,
        "type": found.type,
    } | {k: v for k, v in arguments.items() if k not in ("id", "name")}

"""What Hetzner offers: locations, server types and images, in the form of the API of autumn 2026.

Sizes and ids as published; net prices a month in the EU locations from a public copy of the price list of
2026-09-08 (after the increases of April and June 2026). Types for which no price was found have no prices,
rather than invented ones. 19 % VAT makes gross out of net, 672 hours (28 days) hourly prices out of monthly.
"""

from __future__ import annotations

from typing import Any

_EU = ("fsn1", "nbg1", "hel1")
_US = ("ash", "hil")
_WORLD = (*_EU, *_US, "sin")
_TB = 1024**4
_VAT = 1.19

_LOCATIONS = (
    (1, "fsn1", "Falkenstein DC Park 1", "DE", "Falkenstein", 50.47612, 12.370071, "eu-central"),
    (2, "nbg1", "Nuremberg DC Park 1", "DE", "Nuremberg", 49.452102, 11.076665, "eu-central"),
    (3, "hel1", "Helsinki DC Park 1", "FI", "Helsinki", 60.169855, 24.938379, "eu-central"),
    (4, "ash", "Ashburn, VA", "US", "Ashburn, VA", 39.045821, -77.487073, "us-east"),
    (5, "hil", "Hillsboro, OR", "US", "Hillsboro, OR", 45.54222, -122.951924, "us-west"),
    (6, "sin", "Singapore", "SG", "Singapore", 1.283333, 103.833333, "ap-southeast"),
)

# id, name, category, cores, memory GB, disk GB, cpu, architecture, net EUR a month in the EU, where
_TYPES: tuple[tuple[int, str, str, int, float, int, str, str, float | None, tuple[str, ...]], ...] = (
    (22, "cpx11", "regular_performance", 2, 2, 40, "shared", "x86", None, (*_US, "sin")),
    (45, "cax11", "cost_optimized", 2, 4, 40, "shared", "arm", None, _EU),
    (93, "cax21", "cost_optimized", 4, 8, 80, "shared", "arm", None, _EU),
    (96, "ccx13", "general_purpose", 2, 8, 80, "dedicated", "x86", 42.99, _WORLD),
    (97, "ccx23", "general_purpose", 4, 16, 160, "dedicated", "x86", 85.99, _WORLD),
    (109, "cpx22", "regular_performance", 2, 4, 80, "shared", "x86", 19.49, (*_EU, "sin")),
    (110, "cpx32", "regular_performance", 4, 8, 160, "shared", "x86", 35.49, (*_EU, "sin")),
    (111, "cpx42", "regular_performance", 8, 16, 320, "shared", "x86", 69.49, (*_EU, "sin")),
    (114, "cx23", "cost_optimized", 2, 4, 40, "shared", "x86", 5.49, _EU),
    (115, "cx33", "cost_optimized", 4, 8, 80, "shared", "x86", 8.49, _EU),
    (116, "cx43", "cost_optimized", 8, 16, 160, "shared", "x86", 15.99, _EU),
    (117, "cx53", "cost_optimized", 16, 32, 320, "shared", "x86", 29.49, _EU),
)

_IMAGES = (
    (114690387, "debian-12", "debian", "12", "x86", "2023-06-13T06:00:21+00:00", True),
    (114690389, "debian-12", "debian", "12", "arm", "2023-06-13T06:00:22+00:00", True),
    (310557660, "debian-13", "debian", "13", "x86", "2025-08-18T06:02:32+00:00", True),
    (310557661, "debian-13", "debian", "13", "arm", "2025-08-18T06:02:33+00:00", True),
    (161547269, "ubuntu-24.04", "ubuntu", "24.04", "x86", "2024-04-25T13:26:27+00:00", True),
    (161547270, "ubuntu-24.04", "ubuntu", "24.04", "arm", "2024-04-25T13:26:51+00:00", True),
)


def _location(row: tuple[Any, ...]) -> dict[str, Any]:
    names = ("id", "name", "description", "country", "city", "latitude", "longitude", "network_zone")
    return dict(zip(names, row, strict=True))


def _money(net: float) -> dict[str, str]:
    return {"net": f"{net:.10f}", "gross": f"{net * _VAT:.16f}"}


def _price(location: str, net: float) -> dict[str, Any]:
    return {
        "location": location,
        "price_hourly": _money(round(net / 672, 4)),
        "price_monthly": _money(net),
        "included_traffic": 20 * _TB,
        "price_per_tb_traffic": _money(1.0),
    }


def _server_type(row: tuple[Any, ...]) -> dict[str, Any]:
    number, name, category, cores, memory, disk, cpu, architecture, net, where = row
    places = [entry for entry in LOCATIONS if entry["name"] in where]
    return {
        "id": number,
        "name": name,
        "description": name.upper(),
        "category": category,
        "cores": cores,
        "memory": float(memory),
        "disk": disk,
        "deprecated": False,
        "deprecation": None,
        "prices": [_price(p["name"], net) for p in places if net is not None and p["name"] in _EU],
        "storage_type": "local",
        "cpu_type": cpu,
        "architecture": architecture,
        "included_traffic": 20 * _TB,
        "locations": [
            {"id": p["id"], "name": p["name"], "deprecation": None, "available": True, "recommended": True}
            for p in places
        ],
    }


def _image(row: tuple[Any, ...]) -> dict[str, Any]:
    number, name, flavor, version, architecture, created, rapid = row
    return {
        "id": number,
        "type": "system",
        "status": "available",
        "name": name,
        "description": f"{flavor.capitalize()} {version}",
        "image_size": None,
        "disk_size": 5.0,
        "created": created,
        "created_from": None,
        "bound_to": None,
        "os_flavor": flavor,
        "os_version": version,
        "rapid_deploy": rapid,
        "protection": {"delete": False},
        "deprecation": None,
        "deprecated": None,  # the API dropped it in September 2026; older clients still read it
        "deleted": None,
        "labels": {},
        "architecture": architecture,
    }


LOCATIONS = [_location(row) for row in _LOCATIONS]
SERVER_TYPES = [_server_type(row) for row in _TYPES]
IMAGES = [_image(row) for row in _IMAGES]


def find(table: list[dict[str, Any]], wanted: object) -> dict[str, Any] | None:
    """The row with this id or name, as the API takes either."""
    return next((r for r in table if wanted in (r["id"], r["name"]) or wanted == str(r["id"])), None)

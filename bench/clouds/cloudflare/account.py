"""The account's memory: zones and records."""

from __future__ import annotations

import datetime
import hashlib
import re
import uuid
from collections.abc import Callable

from bench.clouds.cloudflare.records import CloudflareError, check_free, checked
from bench.clouds.store import Record, Store


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def zone_id(name: str) -> str:
    """The id that a zone gets on the bench when none is given: always the same for a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def token_of_one_zone(token: str, zone: str) -> str:
    """The account's token that may read and change this zone alone, by the account's token that may do all."""
    return hashlib.sha256(f"{token} {zone}".encode()).hexdigest()[:40]


class Account:
    """The zones of one account, and their records."""

    def __init__(self, store: Store, zones: dict[str, str | None], new_id: Callable[[], str] | None) -> None:
        """`zones` maps names to ids (None: derived from the name); `new_id` makes ids of records."""
        self.store = store
        self.data = store.data.setdefault("cloudflare", {"zones": {}, "records": {}})
        self.new_id = new_id or (lambda: uuid.uuid4().hex)
        for name, number in zones.items():
            self.declare(name.lower().rstrip("."), number)

    def declare(self, name: str, number: str | None = None) -> None:
        """A zone of the account, if there is none of that name."""
        if any(zone["name"] == name for zone in self.data["zones"].values()):
            return
        number = number or zone_id(name)
        self.data["zones"][number] = {"id": number, "name": name, "created_on": _now()}

    def zone(self, number: str) -> Record:
        """A zone by its id."""
        if not re.fullmatch(r"[0-9a-f]{32}", number):
            message = f"Could not route to /zones/{number}, perhaps your object identifier is invalid?"
            raise CloudflareError(400, 7003, message)
        found: Record | None = self.data["zones"].get(number)
        if found is None:
            raise CloudflareError(403, 9109, "Unauthorized to access requested resource")
        return found

    def records(self, zone: str | None = None) -> list[Record]:
        """The records of one zone, or of all."""
        return [r for r in self.data["records"].values() if zone in (None, r["zone"])]

    def record(self, zone: str, number: str) -> Record:
        """A record of a zone."""
        found: Record | None = self.data["records"].get(number)
        if found is None or found["zone"] != self.zone(zone)["id"]:
            raise CloudflareError(404, 81044, "Record does not exist.")
        return found

    def create(self, zone: str, body: Record) -> Record:
        """A new record."""
        record = checked(body, self.zone(zone)["name"])
        check_free(record, self.records(zone))
        stamp = _now()
        record |= {"id": self.new_id(), "zone": zone, "created_on": stamp, "modified_on": stamp}
        if record["comment"]:
            record["comment_modified_on"] = stamp
        self.data["records"][record["id"]] = record
        return record

    def update(self, zone: str, number: str, body: Record) -> Record:
        """Replace a record's fields."""
        old = self.record(zone, number)
        record = checked(body, self.zone(zone)["name"])
        check_free(record, [r for r in self.records(zone) if r["id"] != number])
        kept = {k: old[k] for k in ("id", "zone", "created_on")}
        record |= kept | {"modified_on": _now()}
        if record["comment"]:
            same = record["comment"] == old["comment"]
            record["comment_modified_on"] = old["comment_modified_on"] if same else record["modified_on"]
        self.data["records"][number] = record
        return record

    def delete(self, zone: str, number: str) -> Record:
        """Remove a record."""
        del self.data["records"][self.record(zone, number)["id"]]
        return {"id": number}

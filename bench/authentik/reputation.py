"""How often somebody, or an address, was right or wrong lately."""

from __future__ import annotations

import uuid

from bench.authentik import crypto
from bench.authentik.store import Data, Store

SCORES, POLICY = "/policies/reputation/scores/", "/policies/reputation/"
LOWEST, HIGHEST = -5, 5
"""Scores stay between these, as in a new installation's settings."""
ADDRESS = "127.0.0.1"


def note(store: Store, identifier: str, change: int) -> None:
    """Somebody was right (1) or wrong (-1)."""
    row = store.find(SCORES, identifier=identifier, ip=ADDRESS)
    score = max(LOWEST, min(HIGHEST, int(row["score"] if row else 0) + change))
    if row is not None:
        store.replace(SCORES, row["pk"], {**row, "score": score, "updated": crypto.now()})
        return
    pk = str(uuid.uuid4())
    fresh = {
        "pk": pk,
        "identifier": identifier,
        "ip": ADDRESS,
        "ip_geo_data": None,
        "ip_asn_data": None,
        "score": score,
        "updated": crypto.now(),
    }
    store.insert(SCORES, pk, fresh)


def passes(store: Store, policy: Data, username: str) -> bool:
    """Whether a reputation policy passes, which it does where the score is low enough."""
    score = 0
    for row in store.all(SCORES):
        about = (policy.get("check_ip") and row["ip"] == ADDRESS) or (
            policy.get("check_username") and row["identifier"] == username
        )
        score += int(row["score"]) if about else 0
    return score <= int(policy.get("threshold", -5))

"""How people log in, as objects of authentik's: its default flows, extended.

What each extension does was tried on a running authentik. Where a policy decides whether a stage that protects is run,
it is looked at when the stage's turn comes (`evaluate_on_plan: false`: on planning nobody is known yet, and the stage
would be left out for everybody), and its failure counts as yes.
"""

from __future__ import annotations

from collections.abc import Iterator

from components.identity.fresh_logins import FRESH_LOGINS
from components.identity.server_settings import SERVER_SETTINGS
from components.login import invitations, keys, mfa, recovery, rules
from components.login.invitations import links
from components.login.parts import Part, merged
from components.settings import Settings

__all__ = ["OWN", "Part", "links", "parts"]

OWN = frozenset({FRESH_LOGINS, SERVER_SETTINGS})
"""Kinds that are no objects of authentik's."""


def parts(settings: Settings) -> Iterator[Part]:
    """All objects that `gatehouse:login` wants."""
    topics = (keys, mfa, rules, recovery, invitations)
    yield from merged(part for topic in topics for part in topic.parts(settings))

"""Each protocol is in every table that speaks of protocols: none is forgotten without a word."""

from __future__ import annotations

from typing import get_args

import pytest

from components.apps.protocols import PROTOCOLS
from components.settings import app_fields, protocol_checks
from components.settings.apps import SETTINGS_OF, Protocol
from tests.apps.test_declare import settings
from tests.cases.test_apps import EVERYTHING

TABLES = {
    "its modules": PROTOCOLS,
    "its settings": SETTINGS_OF,
    "its checks": protocol_checks._CHECKS,
    "its words": protocol_checks._SPEAKS,
    "its providers": app_fields.PROVIDERS,
}


@pytest.mark.parametrize("table", TABLES)
def test_every_protocol_is_in_every_table(table: str) -> None:
    assert set(TABLES[table]) == set(get_args(Protocol))


@pytest.mark.parametrize("protocol", get_args(Protocol))
def test_what_a_provider_gets_is_said_by_a_setting_or_kept_back(protocol: Protocol) -> None:
    said = app_fields.SETTINGS[app_fields.PROVIDERS[protocol]]
    own = {name for names in said.values() for name in names}
    assert SETTINGS_OF[protocol].model_fields.keys() & own, "settings of the protocol reach its provider"


def test_an_app_says_why_no_login_can_be_tried() -> None:
    found = settings(apps={key: app for key, app in EVERYTHING.items() if "forward" not in str(app)})
    why = {app.speaks: PROTOCOLS[app.speaks].out_of_reach(app, found) for app in found.apps}
    assert {protocol for protocol, text in why.items() if text} == why.keys() - {"oidc", "proxy"}
    assert len(why) > 2

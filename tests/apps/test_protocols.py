"""What each protocol has to say of itself, where mypy cannot see it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from components.settings import presets
from components.settings.app_fields import said_by
from components.settings.apps import App, AppContext, NoLogin
from components.settings.protocols import PROTOCOLS
from tests.apps.test_declare import WIFI, settings
from tests.cases.test_apps import EVERYTHING

FOUND = settings(
    apps={
        **{key: app for key, app in EVERYTHING.items() if "forward" not in str(app)},
        "wifi": {**WIFI, "everyone": True},
    }
)
APPS: Mapping[str, App] = {app.speaks: app for app in FOUND.apps}
CONTEXT = AppContext(FOUND, FOUND.derived())


def test_each_is_shown_by_an_app() -> None:
    assert APPS.keys() == PROTOCOLS.keys()
    spoken = {each for name in presets.names(own=False) for each in presets.built_in(name).protocols}
    assert spoken <= PROTOCOLS.keys()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_a_setting_says_reaches_the_provider(protocol: str) -> None:
    app = APPS[protocol]
    for field, names in app.provider_settings.items():
        assert set(names) <= type(app).model_fields.keys()
        assert (said_by(app, app.provider, field) is None) is (names == ())
    sent = app.provider_fields(CONTEXT).keys() | {"name"}
    other_lines = {"backchannel_logout_uri", "issuer", "basic_auth_enabled", "basic_auth_user_attribute",
                   "basic_auth_password_attribute"}  # fmt: skip
    assert app.provider_settings.keys() - sent <= other_lines


def test_an_app_says_why_no_login_can_be_tried() -> None:
    ways = {protocol: app.login(CONTEXT) for protocol, app in APPS.items()}
    assert {name for name, way in ways.items() if isinstance(way, NoLogin)} == ways.keys() - {"oidc", "proxy"}
    assert all(way.why for way in ways.values() if isinstance(way, NoLogin))

"""Apps behind authentik's proxy, which have no login of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.apps.protocols.common import Given, flows
from components.settings import App, Elsewhere, Settings
from components.settings.app_proxy import BasicAuth


def fields(app: App, _: Given) -> Mapping[str, Any]:
    """The fields of the app's proxy provider."""
    auth = app.basic_auth
    if auth is True:
        auth = BasicAuth.model_validate(
            {"userAttribute": f"{app.key}_username", "passwordAttribute": f"{app.key}_password"}
        )
    return {
        **flows(app),
        "mode": app.mode,
        "external_host": app.url,
        "internal_host": app.upstream,
        "internal_host_ssl_validation": None if app.verify_upstream else False,
        "cookie_domain": app.cookie_domain,
        # Said where nothing is open as well, so that a path that somebody opened by hand is closed again.
        "skip_path_regex": "\n".join(app.skip_path_regex),
        "intercept_header_auth": None if app.intercept_header_auth else False,
        "access_token_validity": app.access_token_validity,
        "refresh_token_validity": app.refresh_token_validity,
        **(
            {
                "basic_auth_enabled": True,
                "basic_auth_user_attribute": auth.user_attribute,
                "basic_auth_password_attribute": auth.password_attribute,
            }
            if isinstance(auth, BasicAuth)
            else {}
        ),
    }


def told(app: App, given: Given) -> Mapping[str, str]:
    """Whom the app's own web server has to ask about each request, where it asks. gatehouse's own box answers nobody
    there: its proxy lets no visitor say which app is meant.
    """
    if app.mode == "proxy" or not isinstance(given.settings.box, Elsewhere):
        return {}
    return {"outpostUrl": f"{given.authentik}/outpost.goauthentik.io"}


def secrets(_: App) -> Mapping[str, str]:
    """None."""
    return {}


def out_of_reach(_: App, settings: Settings) -> str:
    """The box's own proxy stands before the app."""
    if isinstance(settings.box, Elsewhere):
        return "with `box: none`, gatehouse has no proxy in front of it, and does not know yours; open it by hand"
    return ""

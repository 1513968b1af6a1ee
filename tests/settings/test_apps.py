"""What works in an app's settings and is advised against, and what is taken without a word."""

from __future__ import annotations

from typing import Any

import pytest

from components.problems import Problems
from components.settings import Settings, parse
from tests.settings.files import NO_BOX, decrypted, good, laid_over

NOWHERE = {
    **NO_BOX, "secrets": None,
    "authentik": {"version": "2026.8.3", "url": "https://sso.acme.example", "token": "t" * 40},
}  # fmt: skip


def settings(app: dict[str, Any], **changes: Any) -> Settings:
    own = {"cloudflareToken": {"secure": "cloudflare-token-of-forty-characters-0123"}, "secrets": None}
    return parse(decrypted(laid_over(good(), {**own, **changes, "apps": {"wiki": app}})))


def warned(*uris: Any) -> list[tuple[str, str]]:
    """(end of the path, what) of the warnings about redirect URIs."""
    app = {
        "everyone": True,
        "protocol": "oidc",
        "url": "https://wiki.acme.example",
        "redirectUris": list(uris),
    }
    return [
        (warning.where.removeprefix("gatehouse:apps.wiki.redirectUris"), warning.what)
        for warning in settings(app).warnings
    ]


@pytest.mark.parametrize("uri", [
    "app.immich:///oauth-callback",
    "com.example.app:/callback",
    "audiobookshelf://oauth",
    "http://localhost:8000",
    "http://127.0.0.1:18000/callback",
    "http://[::1]:8250/oidc/callback",
    "https://localhost/callback",
    "https://wiki.acme.example:8006",
    "https://wiki.acme.example/below/callback?provider=authentik",
    {"regex": r"https://wiki\.acme\.example/.*"},
    {"regex": r"^http://127\.0\.0\.1:\d+/callback$"},
    {"regex": r"https://[a-z-]+\.preview\.acme\.example/callback"},
    {"regex": r"app\.immich:///.*"},
])  # fmt: skip
def test_redirect_uris_that_are_taken_without_a_word(uri: Any) -> None:
    assert warned(uri) == []


@pytest.mark.parametrize(("uri", "about"), [
    ("https://team.cloudaccess.example/cb", "team.cloudaccess.example is another host than the app's"),
    ({"regex": r"https://wiki.acme\.example/cb"}, "a dot in its host stands for any character"),
    ({"regex": r"https://wiki\.acme\.example.*"}, "its host is open"),
    ({"regex": r"https://.+\.example/cb"}, "its host is open"),
    ({"regex": r".*"}, "addresses of any host match it"),
    ({"regex": r"https://wiki\.acme\.example/|.*"}, "addresses of any host match it"),
])  # fmt: skip
def test_redirect_uris_that_are_wider_than_they_look(uri: Any, about: str) -> None:
    ((place, what),) = warned(uri)
    assert place == "[0]"
    assert about in what


def behind(**more: Any) -> dict[str, Any]:
    return {
        "everyone": True,
        "protocol": "proxy",
        "url": "https://wiki.acme.example",
        "upstream": "http://wiki:80",
        **more,
    }


def test_open_paths_and_who_may_be_believed_there() -> None:
    """gatehouse's own proxy empties the headers; another web server may not."""
    assert settings(behind(skipPathRegex=["^/api/"])).warnings == ()
    (warning, _) = settings(behind(skipPathRegex=["^/api/"]), **NOWHERE).warnings
    assert "X-authentik-*" in warning.what
    (warning,) = settings(behind(skipPathRegex=["api"])).warnings
    assert warning.remedy == "Write ^/api to open what begins with it"


def test_a_client_secret_of_ones_own_takes_the_place_of_the_derived_one() -> None:
    app = {"everyone": True, "preset": "grafana", "url": "https://wiki.acme.example", "clientId": "wiki"}
    own = settings({**app, "clientSecret": {"secure": "theirs-0123456789"}}).derived()
    assert own.value("app/wiki/client-id") == "wiki"
    assert own.value("app/wiki/client-secret") == "theirs-0123456789"
    with pytest.raises(Problems, match="clientSecret: this value does not fit") as caught:
        settings({**app, "clientSecret": {"secure": "short"}})
    assert "short" not in str(caught.value)


def test_scopes_that_something_gives() -> None:
    raw = {"kind": "authentik_providers_oauth2.scopemapping", "name": "minio", "fields": {"scope_name": "s3"}}
    app = {"everyone": True,
        "protocol": "oidc", "url": "https://wiki.acme.example", "redirectUris": ["https://wiki.acme.example/cb"],
        "scopes": ["openid", "profile", "groups", "s3", "quota"],
        "claims": {"quota": {"attribute": "quota", "scope": "quota"}},
    }  # fmt: skip
    assert settings(app, objects=[raw]).warnings == ()

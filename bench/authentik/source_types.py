"""The providers that an OAuth source may be of, with the addresses that authentik knows of each.

Facts of `authentik/sources/oauth/types/` (2026.2). Types that know no addresses want them from whoever makes a source.
"""

from __future__ import annotations

from typing import Any

URLS = (
    "request_token_url",
    "authorization_url",
    "access_token_url",
    "profile_url",
    "oidc_well_known_url",
    "oidc_jwks_url",
)
MICROSOFT, GITHUB = (
    "https://login.microsoftonline.com/common",
    "https://token.actions.githubusercontent.com/.well-known",
)
ENTRA = (True, f"{MICROSOFT}/oauth2/v2.0/authorize", f"{MICROSOFT}/oauth2/v2.0/token",
         "https://graph.microsoft.com/v1.0/me", None, f"{MICROSOFT}/discovery/keys")  # fmt: skip
NOTHING = (True, None, None, None, None, None)
# Type, how it is called, whether its addresses can be changed, then these from the authorization URL on.
ROWS: tuple[tuple[Any, ...], ...] = (
    ("apple", "Apple", False, "https://appleid.apple.com/auth/authorize", "https://appleid.apple.com/auth/token", "",
     None, "https://appleid.apple.com/auth/keys"),
    ("openidconnect", "OpenID Connect", *NOTHING),
    ("entraid", "Entra ID", *ENTRA),
    ("azuread", "Azure AD", *ENTRA),
    ("discord", "Discord", False, "https://discord.com/api/oauth2/authorize", "https://discord.com/api/oauth2/token",
     "https://discord.com/api/users/@me", None, None),
    ("facebook", "Facebook", False, "https://www.facebook.com/v7.0/dialog/oauth",
     "https://graph.facebook.com/v7.0/oauth/access_token",
     "https://graph.facebook.com/v7.0/me?fields=id,name,email", None, None),
    ("github", "GitHub", True, "https://github.com/login/oauth/authorize",
     "https://github.com/login/oauth/access_token", "https://api.github.com/user",
     f"{GITHUB}/openid-configuration", f"{GITHUB}/jwks"),
    ("gitlab", "GitLab", True, "https://gitlab.com/oauth/authorize", "https://gitlab.com/oauth/token",
     "https://gitlab.com/oauth/userinfo", "https://gitlab.com/.well-known/openid-configuration",
     "https://gitlab.com/oauth/discovery/keys"),
    ("google", "Google", False, "https://accounts.google.com/o/oauth2/auth", "https://oauth2.googleapis.com/token",
     "https://www.googleapis.com/oauth2/v1/userinfo", "https://accounts.google.com/.well-known/openid-configuration",
     "https://www.googleapis.com/oauth2/v3/certs"),
    ("mailcow", "Mailcow", *NOTHING),
    ("okta", "Okta", *NOTHING),
    ("patreon", "Patreon", False, "https://www.patreon.com/oauth2/authorize",
     "https://www.patreon.com/api/oauth2/token", "https://www.patreon.com/api/oauth2/api/current_user", None, None),
    ("reddit", "Reddit", False, "https://www.reddit.com/api/v1/authorize",
     "https://www.reddit.com/api/v1/access_token", "https://oauth.reddit.com/api/v1/me", None, None),
    ("slack", "Slack", False, "https://slack.com/oauth/v2/authorize", "https://slack.com/api/oauth.v2.access",
     "https://slack.com/api/openid.connect.userInfo", None, None),
    ("twitch", "Twitch", False, "https://id.twitch.tv/oauth2/authorize", "https://id.twitch.tv/oauth2/token",
     "https://id.twitch.tv/oauth2/userinfo", None, None),
    ("twitter", "Twitter", False, "https://twitter.com/i/oauth2/authorize", "https://api.twitter.com/2/oauth2/token",
     "https://api.twitter.com/2/users/me", None, None),
    ("wechat", "WeChat", False, "https://open.weixin.qq.com/connect/qrconnect",
     "https://api.weixin.qq.com/sns/oauth2/access_token", "https://api.weixin.qq.com/sns/userinfo", None, None),
)  # fmt: skip
SOURCE_TYPES: dict[str, dict[str, Any]] = {
    name: {
        "name": name,
        "verbose_name": title,
        "urls_customizable": free,
        **dict(zip(URLS, (None, *urls), strict=True)),
    }
    for name, title, free, *urls in ROWS
}

"""Presets: each is one, every line of authentik takes its app, and people are sent where the app expects them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components import release_lines
from components.problems import Problems
from components.settings import Settings, parse, presets
from tests.apps.test_declare import Recorded, planned
from tests.presets.samples import PAIRS, app, compare, facts
from tests.settings.files import decrypted, good, laid_over

OWN = """\
name: Ticketing
about: tickets
protocols:
  oidc:
    why: its only one
    app: {redirectUris: ['${url}/sso/${provider}'], claims: {email_verified: true}, scopes: [openid, email]}
parameters:
  provider: {what: its name for authentik}
existing: Nothing happens to them.
version: '4'
read: 2026-11-30
sources: [the handbook]
confidence: docs
"""
WIKI = {"preset": "tickets", "url": "https://wiki.acme.example", "everyone": True}


def client(line: str = "", **apps: Any) -> Settings:
    changes = {"apps": apps, "authentik": {"version": f"{line or release_lines.newest_line()}.0"}}
    return parse(decrypted(laid_over(good(), changes)))


def mistakes(**apps: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(Problems) as raised:
        client(**apps)
    return [(each.where, each.what, each.remedy) for each in raised.value.problems]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of presets of one's own."""
    monkeypatch.setattr(presets, "OWN", tmp_path)
    presets._read.cache_clear()
    return tmp_path


def test_there_are_many(record_figure: Callable[..., None]) -> None:
    names = presets.names(own=False)
    record_figure("test", presets=(len(names), 45))
    assert len(names) >= 45
    assert [name for name in names if presets.mistakes(name)] == []


@pytest.mark.parametrize("name", presets.names(own=False))
def test_each_says_where_it_is_from_and_what_to_mind(name: str) -> None:
    preset = presets.built_in(name)
    assert all("/" in source or " " in source for source in preset.sources)
    assert preset.traps
    assert any(way.settings for way in preset.protocols.values())
    for way in preset.protocols.values():
        formats = {each.format for each in way.settings}
        assert all(each.instead_of in formats for each in way.settings if each.instead_of)
        mentioned = {each for each in preset.parameters if f"${{{each}" in str(way)}
        assert mentioned <= preset.parameters.keys()
    assert all(f"{each}" in str(preset.protocols) for each in preset.parameters)


@pytest.mark.parametrize("line", release_lines.known_lines())
def test_every_line_takes_all_of_them_in_every_protocol(line: str) -> None:
    apps = {
        f"{name}-{protocol}": app(name, protocol, url=f"https://{name}-{protocol}.acme.example")
        for name, protocol in PAIRS
    }
    found = client(line, **apps)
    assert len(found.apps) == len(PAIRS)
    assert planned(found).problems() == []


def test_people_are_sent_where_the_apps_expect_them() -> None:
    plans: dict[str, Recorded] = {}

    def registered(name: str, protocol: str) -> list[str]:
        if protocol not in plans:
            plans[protocol] = planned(
                client(**{each: app(each, protocol) for each, p in PAIRS if p == protocol})
            )
        (fields,) = [
            fields
            for (kind, key), fields in plans[protocol].objects.items()
            if key == name and "_providers_" in kind
        ]
        if protocol == "saml":
            return [fields["acs_url"]]
        return [
            each["url"] for each in fields["redirect_uris"] if each["redirect_uri_type"] == "authorization"
        ]

    assert compare(PAIRS, registered) == len([pair for pair in PAIRS if pair in facts()]) >= 60
    assert {pair for pair in PAIRS if pair[1] in ("oidc", "saml")} <= facts().keys()


def test_what_the_stack_file_says_wins_and_claims_are_laid_together() -> None:
    grafana = app(
        "grafana", redirectUris=["https://grafana.acme.example/mine"], name="Boards", subMode="user_id"
    )
    outline = app("outline", claims={"level": 3})
    found = {each.key: each for each in client(grafana=grafana, outline=outline).apps}
    assert found["grafana"].redirect_uris == ("https://grafana.acme.example/mine",)
    assert (found["grafana"].name, found["grafana"].sub_mode) == ("Boards", "user_id")
    assert found["grafana"].logout_uri == "https://grafana.acme.example/logout"
    assert set(found["outline"].claims) == {"email_verified", "level"}


def test_what_only_the_preset_says_is_no_reason_to_change_what_is_taken_over() -> None:
    grafana = app("grafana", adopt=True, clientId="grafana", clientSecret="s" * 40, scopes=["openid"])
    provider = planned(client(grafana=grafana)).objects[
        "authentik_providers_oauth2.oauth2provider", "grafana"
    ]
    assert {"redirect_uris", "logout_uri", "sub_mode"} <= provider["defaulted"]
    assert "property_mappings" not in provider["defaulted"]


def test_what_an_older_line_does_not_know_is_left_out_of_a_preset_and_refused_in_a_file() -> None:
    oauth2 = "authentik_providers_oauth2.oauth2provider"
    old = planned(client("2025.8", grafana=app("grafana"))).objects[oauth2, "grafana"]
    assert [each["url"] for each in old["redirect_uris"]] == facts()["grafana", "oidc"]
    assert old["backchannel_logout_uri"] is None  # Grafana's is for the browser
    with pytest.raises(Problems, match="sends nobody back"):
        client("2025.8", grafana=app("grafana", postLogoutUris=["https://grafana.acme.example/"]))


def test_mistakes_of_apps_with_presets() -> None:
    assert mistakes(wiki={**WIKI, "preset": "graphana"})[0][0] == "gatehouse:apps.wiki.preset"
    assert mistakes(wiki=app("bookstack", "ldap")) == [
        (
            "gatehouse:apps.wiki.protocol",
            "the preset bookstack speaks oidc or saml",
            "Take protocol out, or preset",
        ),
    ]
    assert mistakes(wiki=app("gitea", parameters={"sourec": "sso"})) == [
        (
            "gatehouse:apps.wiki.parameters.sourec",
            "the preset gitea has no parameter 'sourec'",
            "Write source",
        ),
    ]
    assert mistakes(wiki=app("wikijs", parameters={})) == [
        (
            "gatehouse:apps.wiki.parameters",
            "the preset wikijs needs strategy_uuid",
            "Add strategy_uuid: the UUID in the Callback URL that Wiki.js shows once the strategy is added",
        ),
    ]
    assert mistakes(wiki={"protocol": "proxy", "url": "https://wiki.acme.example", "upstream": "http://wiki",
                          "everyone": True, "parameters": {"a": "b"}}) == [
        ("gatehouse:apps.wiki.parameters", "this is for apps with a preset", "Take it out"),
    ]  # fmt: skip


def test_a_preset_of_ones_own(own: Path) -> None:
    (own / "tickets.yaml").write_text(OWN)
    (found,) = client(wiki={**WIKI, "parameters": {"provider": "sso"}}).apps
    assert found.redirect_uris == ("https://wiki.acme.example/sso/sso",)
    (own / "grafana.yaml").write_text(OWN.replace("/sso/", "/oidc/"))
    presets._read.cache_clear()
    (found,) = client(wiki={**WIKI, "preset": "grafana", "parameters": {"provider": "y"}}).apps
    assert found.redirect_uris == ("https://wiki.acme.example/oidc/y",)


@pytest.mark.parametrize(
    ("there", "instead", "where", "what"),
    [
        ("about: tickets\n", "", "tickets.yaml:1", "about is missing"),
        ("existing:", "existin:", "tickets.yaml:9", "existin is nothing that a preset has"),
        ("confidence: docs", "confidence: sure", "tickets.yaml:13", "confidence: Input should be"),
        ("    why: its only one", "    why: its only one\n    why: x", "tickets.yaml:6", "'why' is there twice"),
        ("  provider:", "  url:", "tickets.yaml:1", "a parameter may not be called url"),
    ],
)  # fmt: skip
def test_a_broken_preset_is_reported_by_its_line(
    own: Path, there: str, instead: str, where: str, what: str
) -> None:
    assert there in OWN
    (own / "tickets.yaml").write_text(OWN.replace(there, instead))
    assert [each for each in mistakes(wiki=WIKI) if each[0].endswith(where) and what in each[1]]


def test_a_broken_preset_is_right_once_its_remedy_was_followed(own: Path) -> None:
    file = own / "tickets.yaml"
    for broken, remedy in (
        (OWN.replace("handbook", "Handbüchlein").encode("latin-1"), "Save it as UTF-8"),
        (OWN.replace("sources: [the", "sources: [the: [").encode(), "Correct what is there"),
        (OWN.replace("version", "versoin").encode(), "Compare it with docs/presets.md"),
    ):
        file.write_bytes(broken)
        presets._read.cache_clear()
        assert [each for each in presets.mistakes("tickets") if each.remedy.startswith(remedy)]
        file.write_text(OWN)
        presets._read.cache_clear()
        assert presets.mistakes("tickets") == []
        assert client(wiki={**WIKI, "parameters": {"provider": "sso"}})

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from components.problems import Problems
from components.settings import Elsewhere, ExistingBox, NewServer, Settings, memory_problems, parse
from components.settings.host import SERVER_TYPES
from tests.settings.files import NO_BOX, decrypted, good, laid_over


def settings(**changes: Any) -> Settings:
    own = {"cloudflareToken": {"secure": "cloudflare-token-of-forty-characters-0123"}}
    return parse(decrypted(laid_over(good(), {**own, **changes})))


def test_a_good_file_is_read_whole() -> None:
    found = settings()
    assert (found.client, found.domain, found.auth_host) == ("acme", "acme.example", "auth.acme.example")
    assert found.issuer_base == "https://auth.acme.example"
    assert found.authentik.line == "2026.8"
    assert [app.key for app in found.apps] == ["dashboard", "files", "grafana", "wiki"]
    assert [(group.name, group.superuser) for group in found.groups][2] == ("admins", True)
    assert found.people[1].active is False
    assert isinstance(found.box, NewServer)
    assert found.protect is False
    assert found.warnings == ()


def test_a_sealed_file_is_as_good() -> None:
    found = parse(good(), sealed=True)
    assert found.root_secret.get_secret_value() == ""
    assert found.apps == settings().apps


def test_values_as_the_engine_hands_them_out_are_taken() -> None:
    found = settings(protect="false", redis="false", rebuild="3")
    assert (found.protect, found.redis, found.rebuild) == (False, False, 3)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        settings().client = "other"  # type: ignore[misc]


def test_no_secret_is_in_a_print() -> None:
    raw = decrypted(good())
    text = repr(parse(raw))
    assert raw["rootSecret"] not in text
    assert "something" not in text
    assert "correct-horse" not in text


def test_an_app_keeps_its_id_when_it_is_renamed() -> None:
    apps = {
        "metrics": {
            "everyone": True,
            "id": "grafana",
            "preset": "grafana",
            "url": "https://grafana.acme.example",
        }
    }
    before, after = settings(), settings(apps=apps)
    name = "app/{}/client-id"
    assert after.apps[0].key == "metrics"
    root = {"root": decrypted(good())["rootSecret"]}
    assert before.apps[2].id == after.apps[0].id == "grafana"
    assert name.format(after.apps[0].id) == "app/grafana/client-id"
    assert root


def test_a_box_that_exists() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDpaXSKuU4Elyz1e6p8u772NmCs+vi2N07kMvvoFt5la"
    box = settings(server=None, box={"host": "192.0.2.7", "hostKey": key, "port": 2222}).box
    assert isinstance(box, ExistingBox)
    assert (box.host, box.host_key, box.user, box.port) == ("192.0.2.7", key, "root", 2222)


def test_no_box_needs_a_token_when_it_runs() -> None:
    authentik = {"version": "2026.8.3", "url": "https://sso.acme.example"}
    raw = laid_over(good(), {**NO_BOX, "authentik": authentik, "apps": None})
    assert [warning.where for warning in parse(raw, sealed=True).warnings] == [
        "gatehouse:authentik.token",
        "gatehouse:login.administrators",
    ]
    with pytest.raises(Problems, match=r"gatehouse:authentik\.token: `box: none` needs it"):
        parse(decrypted(raw))


def test_no_box() -> None:
    authentik = {"version": "2026.8.3", "url": "http://127.0.0.1:9000", "token": "t" * 40}
    found = settings(**NO_BOX, operators=None, authentik=authentik, apps=None, secrets=None)
    assert isinstance(found.box, Elsewhere) and found.box.url == "http://127.0.0.1:9000"
    assert found.issuer_base == "http://127.0.0.1:9000"


@pytest.mark.parametrize(("redis", "version", "wanted"), [
    (True, "2026.8.3", True), ("auto", "2026.8.3", False), ("auto", "2025.8.6", True), (False, "2025.8.6", False),
])  # fmt: skip
def test_redis(redis: bool | str, version: str, wanted: bool) -> None:
    assert settings(redis=redis, authentik={"version": version}).wants_redis is wanted


def test_redis_that_is_not_used_is_mentioned_once() -> None:
    found = settings(redis=True)
    assert [warning.where for warning in found.warnings] == ["gatehouse:redis"]
    assert "2026.8 does not use Redis" in found.warnings[0].what
    assert settings(redis=True, authentik={"version": "2025.8.6"}).warnings == ()


def test_a_cloudflare_token_that_only_the_environment_has_is_warned_of() -> None:
    (warning,) = settings(cloudflareToken=None).warnings
    assert warning.where == "gatehouse:cloudflareToken"
    assert "renewals fail once the old one is revoked" in warning.what
    assert "pulumi config set --secret gatehouse:cloudflareToken --stack acme" in warning.remedy
    elsewhere = {"version": "2026.8.3", "url": "https://sso.acme.example", "token": "t" * 40}
    nowhere = {**NO_BOX, "authentik": elsewhere, "apps": None, "secrets": None}
    assert [each.where for each in settings(**nowhere).warnings] == ["gatehouse:login.administrators"]


def test_who_may_use_ssh_is_not_decided_here_on_a_box_that_was_there() -> None:
    box = {"host": "198.51.100.7", "hostKey": good()["operators"][0]["sshKey"]}
    (warning,) = settings(server=None, box=box).warnings
    assert warning.where == "gatehouse:network.sshFrom"
    assert settings(server=None, box=box, network=None).warnings == ()


def many_apps(count: int) -> dict[str, Any]:
    return {
        f"app{n}": {"everyone": True, "preset": "grafana", "url": f"https://app{n}.acme.example"}
        for n in range(count)
    }


def test_little_memory_for_many_apps_is_advised_against() -> None:
    small = {"type": "cpx11", "location": "nbg1"}
    changes = {"server": small, "secrets": None}
    assert settings(apps=many_apps(6), **changes).warnings == ()
    (warning,) = settings(apps=many_apps(7), **changes).warnings
    assert warning.where == "gatehouse:server.type"
    assert "cpx11 has 2 GB of memory for 7 apps" in warning.what
    assert settings(apps=many_apps(7), secrets=None).warnings == ()


def test_too_little_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SERVER_TYPES, "tiny", 1)
    with pytest.raises(Problems) as caught:
        settings(server={"type": "tiny", "location": "nbg1"})
    (problem,) = caught.value.problems
    assert problem.where == "gatehouse:server.type"
    assert "tiny has 1 GB of memory" in problem.what
    assert [each.refuses for each in memory_problems("p", "x", 1.9, 0)] == [True]
    assert list(memory_problems("p", "x", 2, 6)) == []


def test_a_server_type_that_is_not_known_passes() -> None:
    found = settings(server={"type": "cx99", "location": "nbg1"}).server
    assert found is not None
    assert found.type == "cx99"


def test_checking_a_file_imports_no_engine() -> None:
    program = "import sys, components.settings; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

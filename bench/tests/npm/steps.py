"""In which order the recordings were made, and what was done in between."""

from __future__ import annotations

import time

from bench.tests.npm import replay
from bench.tests.npm.session import Session


def first_setup(one: Session) -> None:
    one.run(
        "00-setup",
        "health-not-setup",
        "users-list-not-setup",
        "login-default-creds-removed",
        "create-first-user-short-password",
    )


def setup_and_tokens(one: Session) -> None:
    one.run("00-setup", "create-first-user", "health-setup", "create-second-user-unauthenticated")
    one.replay.tokens["admin"] = one.replay.ask("01-tokens/login", token=None)["token"]
    one.run(
        "01-tokens",
        "login-bad-password",
        "login-bad-user",
        "login-missing-field",
        "login-extra-field",
        "login-bad-expiry",
        "login-expiry-1y",
        "refresh",
        "refresh-expiry",
    )
    one.replay.tokens["short"] = one.replay.ask("01-tokens/refresh-1s")["token"]
    began = time.monotonic()
    one.replay.tokens["garbage"] = "garbage"
    one.replay.tokens["tampered"] = one.replay.tokens["admin"][:-4] + "AAAA"
    one.run("02-auth-errors", "me", "me-expand", "unknown-route", "bad-json")
    one.run("02-auth-errors", "no-token-list", "no-token-post", token=None)
    one.run("02-auth-errors", "garbage-token-list", token="garbage")
    one.run("02-auth-errors", "tampered-token-me", token="tampered")
    proxy_hosts(one)
    time.sleep(max(0.0, began + 1.1 - time.monotonic()))
    one.run("02-auth-errors", "expired-token-list", "expired-token-get", token="short")
    uploads(one)
    headers(one)
    letsencrypt(one)
    hazards(one)
    default_site(one)
    recommended(one)
    limited_user(one)


def proxy_hosts(one: Session) -> None:
    one.run(
        "03-proxy-hosts",
        "create",
        "get",
        "get-expand",
        "create-minimal",
        "create-ssl-flags-without-cert",
        "create-nonexistent-cert",
        "create-nonexistent-acl",
        "create-coerced-types",
        "create-duplicate",
        "create-duplicate-case",
        "create-bad-missing",
        "create-bad-domain",
        "create-bad-extra",
        "create-bad-port",
        "create-bad-scheme",
        "create-bad-nginx-syntax",
        "get-bad-nginx-syntax",
        "list",
        "update-bad-nginx-syntax",
        "update-fix",
        "update-partial",
        "update-empty",
        "update-missing-id",
        "update-put-readback-extra-fields",
        "update-enabled-false",
        "update-enabled-true",
        "disable",
        "disable-twice",
        "enable",
        "get-missing-id",
        "get-bad-expand",
        "delete",
        "get-deleted",
        "delete-again",
        "recreate-after-delete",
    )


def uploads(one: Session) -> None:
    one.run(
        "04-certificates",
        "create-other-with-domain_names",
        "create-other",
        "create-other-duplicate-name",
        "get-before-upload",
        "upload-nofile",
    )
    one.replay.ask("04-certificates/upload", files=one.files)
    one.run("04-certificates", "get-after-upload")
    one.replay.ask("04-certificates/upload-mismatched-key", files=one.files)
    one.replay.ask("04-certificates/validate", files=one.files)
    garbage = {"certificate": ("c.pem", "garbage"), "certificate_key": ("k.pem", "garbage")}
    one.replay.ask("04-certificates/validate-garbage", files=garbage)
    one.run(
        "04-certificates",
        "put-not-supported",
        "create-bad-provider",
        "create-bad-meta",
        "create-le-no-domains",
        "list",
    )


def headers(one: Session) -> None:
    host = {
        "domain_names": ["hdr.example.test"],
        "forward_scheme": "http",
        "forward_host": "127.0.0.1",
        "forward_port": 19000,
        "certificate_id": 2,
        "ssl_forced": True,
        "locations": [],
    }
    one.replay.setup("POST", "/nginx/proxy-hosts", host, recorded=9)
    for recording in sorted(path.stem for path in (replay.RECORDINGS / "05-headers").glob("[A-I]_*.json")):
        one.run("05-headers", recording)
        if (replay.RECORDINGS / "05-headers" / f"{recording}.conf").exists():
            one.compare_conf(f"05-headers/{recording}", 9)
    one.run("06-upstream", "plain")


def letsencrypt(one: Session) -> None:
    certbot = one.served.emulator.manager.certbot
    authority, certbot.authority = certbot.authority, None
    one.run("04-certificates", "create-le-cloudflare-no-internet", "list-after-le-failure")
    certbot.authority = authority
    one.run(
        "04-certificates",
        "create-le-unknown-dns-provider",
        "create-le-cloudflare-malformed-credentials",
        "create-le-cloudflare-unknown-zone",
        "create-le-cloudflare-ok",
        "get-le",
        "create-le-same-domains-again",
        "renew-le",
        "get-expand",
        "create-le-httpchallenge-pebble",
    )
    one.replay.ask("04-certificates/upload-to-le", files={"certificate": ("c.pem", one.certificate)})
    one.run("04-certificates", "delete-custom")
    one.run("03-proxy-hosts", "create-certificate-new-failing")
    left = one.replay.setup("GET", "/nginx/proxy-hosts?query=new-bad.example.test")
    one.replay.ids["host", 10] = left[0]["id"]
    one.run("03-proxy-hosts", "list-after-certificate-new-failing", "create-certificate-new-retry")
    before = one.replay.setup("GET", "/nginx/certificates")
    one.replay.ids["certificate", 13] = max(row["id"] for row in before) + 2
    one.run("03-proxy-hosts", "create-certificate-new-ok", "get-certificate-new-ok")
    one.run("04-certificates", "create-le-cloudflare-bad-token", "dns-providers")


def hazards(one: Session) -> None:
    one.run("07-access-lists", "create", "get", "get-expand")
    one.run("08-hazards", "host-with-cert-and-acl")
    one.compare_conf("08-hazards/acl-host-before", 12)
    one.run("08-hazards", "failing-cert-for-same-domain", "get-host-after-failed-le")
    one.compare_conf("08-hazards/acl-host-after-failed-le", 12)
    one.run("08-hazards", "heal-by-put", "own-location-acl")
    one.run("07-access-lists", "delete-in-use")
    one.run(
        "08-hazards",
        "hsts-aa-hsts.example.test",
        "hsts-zz-hsts.example.test",
        "location-unresolvable",
        "location-unresolvable-get",
        "host-with-le",
    )
    one.replay.setup("DELETE", "/nginx/certificates/9")
    one.run(
        "08-hazards",
        "host-get-after-cert-delete",
        "unrelated-create-after-cert-delete",
        "unrelated-create-after-cert-delete-retry",
        "settings-put-while-broken",
    )
    one.replay.setup("DELETE", "/nginx/proxy-hosts/16")
    one.run(
        "08-hazards",
        "hsts-last-file",
        "hsts-last-file2",
        "host-custom-cert",
        "successful-cert-for-in-use-domain",
        "switch-cert",
    )
    one.run("04-certificates", "delete-le-in-use")
    one.run("08-hazards", "get-cert-deleted", "heal-put-certificate-0", "heal-delete-host")


def default_site(one: Session) -> None:
    one.run(
        "10-settings",
        "put-444",
        "list",
        "get",
        "get-missing",
        "put-404",
        "put-congrats",
        "put-html",
        "put-redirect",
        "put-bad",
        "put-444-final",
    )


def recommended(one: Session) -> None:
    one.run("09-recommended", "post", "put", "get")
    one.compare_conf("09-recommended/generated", 20)
    one.run("09-recommended", "server-level-only")
    one.compare_conf("09-recommended/generated-server-level-only", 21)


def limited_user(one: Session) -> None:
    one.run("02-auth-errors", "create-limited-user")
    login = {"identity": "lim@example.test", "secret": "Limited-Passw0rd"}
    one.replay.tokens["limited"] = one.api.post("/tokens", json=login).json()["token"]
    one.run("02-auth-errors", "limited-change-own-password", token="limited")
    one.run("02-auth-errors", "permissions-hidden")
    one.run(
        "02-auth-errors",
        "limited-get-existing-host",
        "limited-post",
        "limited-put",
        "limited-delete",
        "limited-cert-post",
        token="limited",
    )
    one.run("02-auth-errors", "delete-limited-user")
    one.run("02-auth-errors", "deleted-users-token-get-host", token="limited")


def access_list_in_use(one: Session) -> None:
    one.run("07-access-lists", "create-clients-only")
    one.replay.setup("POST", "/nginx/certificates", {"provider": "other", "nice_name": "w"}, recorded=3)
    upload = one.api.post(
        f"/nginx/certificates/{one.replay.ids['certificate', 3]}/upload",
        files=one.files,
        headers={"authorization": f"Bearer {one.replay.tokens['admin']}"},
    )
    assert upload.status_code == 200
    host = {
        "domain_names": ["acl3.example.test"],
        "forward_scheme": "http",
        "forward_host": "127.0.0.1",
        "forward_port": 19000,
        "certificate_id": 3,
        "ssl_forced": True,
        "access_list_id": 1,
    }
    one.replay.setup("POST", "/nginx/proxy-hosts", host, recorded=7)
    one.run("07-access-lists", "put")

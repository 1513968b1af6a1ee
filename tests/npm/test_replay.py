"""The emulator against everything that was recorded from the real one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bench.npm import auth
from bench.npm.testing import ADMIN_EMAIL, ADMIN_PASSWORD, Served, serve
from tests.figures import record
from tests.npm import conf, replay
from tests.npm.conftest import needs_nginx
from tests.npm.replay import Replay

pytestmark = [needs_nginx, pytest.mark.nginx]


class Session:
    """A replay with what several parts of it need."""

    def __init__(self, served: Served, directory: Path, upstream: int, wildcard: tuple[str, str]) -> None:
        self.served = served
        self.directory = directory
        self.api = httpx.Client(base_url=f"{served.url}/api", timeout=30)
        self.replay = Replay(self.api, upstream, str(directory))
        self.certificate, self.key = wildcard
        self.confs: dict[str, list[str]] = {}

    @property
    def files(self) -> dict[str, tuple[str, str]]:
        return {"certificate": ("c.pem", self.certificate), "certificate_key": ("k.pem", self.key)}

    def run(self, folder: str, *names: str, token: str | None = "admin") -> None:
        """Ask recordings of one folder, one after the other."""
        for name in names:
            self.replay.ask(f"{folder}/{name}", token=token)

    def log_in(self) -> None:
        answer = self.api.post("/tokens", json={"identity": ADMIN_EMAIL, "secret": ADMIN_PASSWORD})
        self.replay.tokens["admin"] = answer.json()["token"]

    def compare_conf(self, recording: str, host: int) -> None:
        """Compare the file that was generated for a host with the recorded one, directive by directive."""
        ours = self.replay.ids["host", host]
        text = (self.directory / "data" / "nginx" / "proxy_host" / f"{ours}.conf").read_text()
        text = text.replace(f"proxy-host-{ours}_", f"proxy-host-{host}_")
        text = text.replace(f"{self.directory}/data", "/data").replace(
            f"set $port {self.replay.upstream}", "set $port 19000"
        )
        text = text.replace(f"127.0.0.1:{self.replay.upstream}", "127.0.0.1:19000")
        for kind, folder in (("certificate", "npm-"), ("access", "access/")):
            for (what, number), mapped in self.replay.ids.items():
                if what == kind:
                    text = text.replace(f"{folder}{mapped}/", f"{folder}#{number}/").replace(
                        f"{folder}{mapped};", f"{folder}#{number};"
                    )
        text = (
            text.replace("#", "") if "# ---" not in text else "\n".join(text.split("\n")[3:]).replace("#", "")
        )
        recorded = (replay.RECORDINGS / f"{recording}.conf").read_text()
        got, wanted = _plain(conf.parse(text)), _plain(conf.parse(recorded))
        self.confs[recording] = [] if got == wanted else [f"{got}\n      recorded\n{wanted}"]


def _plain(block: list) -> list:
    """Without addresses of `listen`; HTTP/2 as one mark, whether it is a directive or a flag of `listen`."""
    marks = set()
    plain: list = []
    for one in block:
        if isinstance(one[0], tuple):
            plain.append((one[0], _plain(one[1])))
        elif one[0] == "listen":
            marks.add("tls" if "ssl" in one else "plain")
            if "http2" in one:
                marks.add("http2")
        elif one[0] == "http2":
            if one[1] == "on":
                marks.add("http2")
        else:
            plain.append(one)
    return [*plain, *sorted(marks)]


@contextmanager
def session(
    directory: Path, upstream: int, cloudflare: str, wildcard: tuple[str, str], *, admin: bool = True
) -> Iterator[Session]:
    directory.mkdir()
    with serve(directory, {"GATEHOUSE_BENCH_CLOUDFLARE": cloudflare}, admin=admin) as served:
        one = Session(served, directory, upstream, wildcard)
        if admin:
            one.log_in()
        yield one


def test_every_recording(tmp_path: Path, upstream: int, cloudflare: str, wildcard: tuple[str, str]) -> None:
    """Status and body of every recorded request, and every recorded configuration file."""
    parts = (first_setup, setup_and_tokens, concurrency, access_list_in_use)
    checked: dict[str, list[str]] = {}
    confs: dict[str, list[str]] = {}
    for part in parts:
        with session(
            tmp_path / part.__name__, upstream, cloudflare, wildcard, admin=part not in parts[:2]
        ) as one:
            part(one)
            checked |= one.replay.checked
            confs |= one.confs
    expected = set(replay.names())
    assert checked.keys() == expected, f"not asked: {sorted(expected - checked.keys())}"
    assert confs.keys() == {f"{path.parent.name}/{path.stem}" for path in replay.RECORDINGS.rglob("*.conf")}
    wrong = {name: differences for name, differences in (checked | confs).items() if differences}
    good, all_ = len(checked | confs) - len(wrong), len(checked | confs)
    print(f"{good} of {all_} recordings (requests and configuration files) answered as by the real one")
    record("test", npm_recordings_share=(round(good / all_, 4), 1.0))
    report = "\n".join(
        f"{name}: {difference}" for name, found in sorted(wrong.items()) for difference in found
    )
    assert not wrong, f"{good} of {all_}:\n{report}"


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
    secret = one.replay.ask("01-tokens/2fa-start", token="limited")["secret"]
    code = {"code": auth.codes(secret)[1]}
    one.replay.ask("01-tokens/2fa-enable", token="limited", json=code)
    challenge = {"challenge_token": one.replay.ask("01-tokens/login-with-2fa-enabled")["challenge_token"]}
    one.replay.ask("01-tokens/2fa-bad-code", json=challenge)
    one.replay.ask("01-tokens/2fa-verify", json=challenge | code)
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


def concurrency(one: Session) -> None:
    """Requests at the same moment: which of them wins is chance, what the losers hear is not."""

    def together(*names: str) -> None:
        def send(name: str) -> tuple[str, httpx.Response]:
            recorded = json.loads((replay.RECORDINGS / f"{name}.json").read_text())
            return name, one.replay.send(recorded["request"])

        with ThreadPoolExecutor(len(names)) as pool:
            answers = [response for _, response in pool.map(send, names)]
        for name in names:
            recorded = json.loads((replay.RECORDINGS / f"{name}.json").read_text())
            status = recorded["response"]["status"]
            fitting = [answer for answer in answers if answer.status_code == status]
            if not fitting:
                one.replay.checked[name] = [f"none of the answers at the same moment is a {status}"]
                continue
            asked = recorded["request"]["body"]["domain_names"][0]
            text = fitting[0].text.replace(_domain(fitting[0]), asked)
            answers.remove(fitting[0])
            one.replay.note(
                name,
                recorded,
                httpx.Response(status, text=text, headers={"content-type": "application/json"}),
            )

    together("08-hazards/concurrent-le-1", "08-hazards/concurrent-le-2")
    together("08-hazards/concurrent-host-0", "08-hazards/concurrent-host-1", "08-hazards/concurrent-host-2")
    mixed(one)
    one.run("03-proxy-hosts", "list-query")
    one.run("02-auth-errors", "create-user-uppercase-email", "login-uppercase-email")


def _domain(answer: httpx.Response) -> str:
    found = answer.json()
    text = json.dumps(found)
    return next(name for name in ("c1.example.test", "c2.example.test", "race.example.test") if name in text)


def mixed(one: Session) -> None:
    """Four hosts at once, one of them with a bad configuration: each is taken or fails with a bare 500."""
    names = [f"08-hazards/concurrent-host-mix{number}" for number in range(4)]
    recordings = {name: json.loads((replay.RECORDINGS / f"{name}.json").read_text()) for name in names}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda name: one.replay.send(recordings[name]["request"]), names))
    kinds = {recording["response"]["status"]: recording for recording in recordings.values()}
    for name, answer in zip(names, answers, strict=True):
        like = kinds.get(answer.status_code, recordings[name])
        domain = recordings[name]["request"]["body"]["domain_names"][0]
        text = json.dumps(like["response"]["body"])
        for other in names:
            text = text.replace(recordings[other]["request"]["body"]["domain_names"][0], domain)
        wanted = {**like["response"], "body": json.loads(text)}
        advanced = recordings[name]["request"]["body"]["advanced_config"]
        if answer.status_code == 201:
            wanted["body"] |= {"advanced_config": advanced}
            one.replay.ids["host", wanted["body"]["id"]] = answer.json()["id"]
        one.replay.note(name, {**recordings[name], "response": wanted}, answer)
    rows = one.replay.setup("GET", "/nginx/proxy-hosts?query=mix2.example.test")
    one.replay.ids["host", 5] = rows[0]["id"]
    # Beside the bad one it may have been taken offline; another write heals it.
    one.replay.setup("PUT", "/nginx/proxy-hosts/5", {"enabled": True})


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

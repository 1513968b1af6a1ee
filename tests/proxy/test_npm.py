"""The dialect against the emulator and a real nginx: what NPM leaves to its clients is done."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import threading
import time
from types import SimpleNamespace
from typing import Any

import dill
import pytest

from bench.control import Fault
from bench.npm.testing import ADMIN_EMAIL, ADMIN_PASSWORD
from components.objects import journal
from components.objects.errors import ObjectError
from components.objects.http import Endpoint
from components.objects.preflight import ENVIRONMENT
from components.objects.reconcile import Reconciler
from components.proxy import dialect
from components.proxy.dialect import Npm
from components.proxy.provider import NpmProvider
from tests.proxy.conftest import Client


def get(client: Client, host: str, path: str = "/", **headers: str) -> tuple[str, dict[str, str], bytes]:
    """One HTTPS request to the nginx of the test: status line, headers, body.

    NPM answers when it has told nginx to reload, and nginx takes a moment to do so.
    """
    for _ in range(20):
        try:
            return _get(client, host, path, headers)
        except ssl.SSLError:
            time.sleep(0.05)
    return _get(client, host, path, headers)


def _get(client: Client, host: str, path: str, headers: dict[str, str]) -> tuple[str, dict[str, str], bytes]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", client.served.https), 5) as plain,
        context.wrap_socket(plain, server_hostname=host) as tls,
    ):
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n".encode())
        data = b""
        while block := tls.recv(65536):
            data += block
    head, _, body = data.partition(b"\r\n\r\n")
    status, *rest = head.decode().split("\r\n")
    return status, {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in rest}, body


def put_up(client: Client) -> tuple[Any, Any]:
    return client.engine.create(client.certificate()), client.engine.create(client.host())


def test_a_host_is_served_with_tls_and_the_headers_of_the_recipe(client: Client) -> None:
    put_up(client)
    status, headers, body = get(
        client,
        "auth.example.test",
        X_Forwarded_Proto="http",
        X_Forwarded_Host="evil.test",
        X_Forwarded_For="6.6.6.6",
    )
    assert status.split()[1] == "200"
    assert headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert "x-powered-by" not in headers and "x-served-by" not in headers
    # What a client claims about itself does not get through.
    assert b"evil.test" not in body and b"6.6.6.6" not in body and b'["X-Forwarded-Proto", "https"]' in body


def test_nobody_says_by_a_header_who_they_are_or_where_from(client: Client) -> None:
    """What an app or authentik's outpost may believe comes from the proxy alone; the names are authentik's own."""
    app = "app.example.test"
    for name in (app, "auth.example.test"):
        client.engine.create(client.certificate(name))
        client.engine.create(client.host(name))
    claims = """X_authentik_username x_AUTHENTIK_meta_app X_authentik_anything_new X_authentik_CSRF Forwarded X_Real_IP
        X_Forwarded_Uri X_Forwarded_Method X_Forwarded_Groups X_Forwarded_Port X_Original_URI X_Original_URL"""
    sent = dict.fromkeys(claims.split(), "evil")
    seen = {
        name: json.loads(get(client, name, "/", Accept="*/*", **sent)[2])["headers"]
        for name in (app, "auth.example.test")
    }
    own = {"Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Forwarded-For", "X-Real-IP",
           "Accept"}  # fmt: skip
    assert {name for name, _ in seen[app]} == own | {"Connection"}
    # authentik's pages send this one with every write, and authentik believes none of them.
    assert ["X-authentik-CSRF", "evil"] in seen["auth.example.test"]
    assert not [
        value
        for name, value in seen["auth.example.test"]
        if value == "evil" and "authentik" not in name.lower()
    ]


def test_headers_are_on_error_pages_and_large_answers_pass(client: Client) -> None:
    put_up(client)
    status, headers, _ = get(client, "auth.example.test", "/missing")
    assert status.split()[1] == "404" and "strict-transport-security" in headers
    status, headers, _ = get(client, "auth.example.test", "/large/28000")
    assert status.split()[1] == "200" and len(headers["x-large"]) == 28000


def test_nothing_is_written_when_nothing_changed(client: Client) -> None:
    certificate, host = put_up(client)
    client.writes()
    again = Reconciler(client.npm)
    assert again.read(client.npm.kind("npm.certificate"), certificate) == certificate
    assert again.read(client.npm.kind("npm.proxy_host"), host) == host
    assert again.update(host, client.host()) == host
    assert client.writes() == []


def test_a_change_by_hand_is_seen_and_repaired(client: Client) -> None:
    _, host = put_up(client)
    client.npm.request("PUT", f"/api/nginx/proxy-hosts/{host.pk}", body={"ssl_forced": False})
    fresh = Reconciler(client.npm)
    seen = fresh.read(client.npm.kind("npm.proxy_host"), host)
    assert seen is not None and seen.fields["ssl_forced"] is False
    assert fresh.update(seen, client.host()).fields["ssl_forced"] is True


def test_a_configuration_that_nginx_refuses_is_undone(client: Client) -> None:
    client.engine.create(client.certificate())
    with pytest.raises(ObjectError, match=r"nginx does not take it, it was undone: .*emerg"):
        client.engine.create(client.host(advanced_config="more_set_headers Broken"))
    assert client.npm.list_objects(client.npm.kind("npm.proxy_host")) == []
    host = client.engine.create(client.host())
    with pytest.raises(ObjectError, match="it was undone"):
        client.engine.update(host, client.host(advanced_config="more_set_headers Broken"))
    assert get(client, "auth.example.test")[0].split()[1] == "200"


def test_a_failed_certificate_says_why_and_leaves_the_site_up(client: Client) -> None:
    put_up(client)
    with pytest.raises(ObjectError) as caught:
        client.engine.create(client.certificate(token="BAD-TOKEN", mark=" 2"))
    assert "Invalid access token" in str(caught.value)
    assert "BAD-TOKEN" not in str(caught.value) + repr(caught.value.__dict__)
    # The request took TLS from the host of that name; it was given back.
    assert get(client, "auth.example.test")[0].split()[1] == "200"
    assert len(client.npm.list_objects(client.npm.kind("npm.certificate"))) == 1


def test_another_certificate_takes_over_before_the_old_one_goes(client: Client) -> None:
    old, host = put_up(client)
    client.engine.create(client.certificate(mark=" 2"))
    assert get(client, "auth.example.test")[0].split()[1] == "200"
    with pytest.raises(ObjectError, match=r"in use by auth\.example\.test"):
        Reconciler(client.npm).delete(client.npm.kind("npm.certificate"), "old", old)
    host = client.engine.update(host, client.host(mark=" 2"))
    assert host.fields["certificate_id"] == "gatehouse auth.example.test 2"
    fresh = Reconciler(client.npm)
    assert fresh.delete(client.npm.kind("npm.certificate"), "old", old) == "deleted"
    assert get(client, "auth.example.test")[0].split()[1] == "200"


def test_hosts_go_before_their_certificate(client: Client) -> None:
    certificate, host = put_up(client)
    later = Reconciler(client.npm)
    assert later.delete(client.npm.kind("npm.proxy_host"), "auth.example.test", host) == "deleted"
    assert later.delete(client.npm.kind("npm.certificate"), "c", certificate) == "deleted"
    assert Reconciler(client.npm).read(client.npm.kind("npm.proxy_host"), host) is None
    assert later.delete(client.npm.kind("npm.certificate"), "c", certificate) == "was gone already"


def test_a_host_that_is_there_already_is_left_alone(client: Client) -> None:
    put_up(client)
    client.writes()
    shutil.rmtree(journal.FOLDER)  # it was not this machine that made it
    with pytest.raises(ObjectError, match="is there already"):
        Reconciler(client.npm).create(client.host())
    assert client.writes() == []


def test_a_certificate_whose_answer_was_lost_is_not_made_twice(client: Client) -> None:
    faults = client.served.emulator.app.faults
    faults.append(Fault(path="certificates$", method="POST", cut="after"))
    client.engine.create(client.certificate())
    assert len(client.npm.list_objects(client.npm.kind("npm.certificate"))) == 1


def test_a_certificate_that_was_never_got_does_not_count(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "UNFINISHED_SECONDS", 0.0)
    store = client.served.emulator.manager.store
    made = client.certificate()
    first = client.engine.create(made)
    number = int(first.pk)
    store.patch("certificate", number, expires_on=store.get("certificate", number)["created_on"])
    assert Reconciler(client.npm).create(made).pk != first.pk


def test_a_certificate_that_is_being_got_is_waited_for(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = client.engine.create(client.certificate())
    store = client.served.emulator.manager.store
    number = int(held.pk)
    row = dict(store.get("certificate", number))
    store.patch("certificate", number, expires_on=row["created_on"])

    def later(_: float) -> None:
        store.patch("certificate", number, expires_on=row["expires_on"])

    monkeypatch.setattr("tenacity.nap.time.sleep", later)
    assert Reconciler(client.npm).read(client.npm.kind("npm.certificate"), held) == held


def test_writes_go_one_at_a_time(client: Client) -> None:
    names = [f"app{n}.example.test" for n in range(4)]
    errors: list[Exception] = []

    def one(name: str) -> None:
        try:
            client.engine.create(client.certificate(name))
            client.engine.create(client.host(name))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert all(get(client, name)[0].split()[1] == "200" for name in names)


def test_a_token_that_no_longer_counts_is_renewed_once(client: Client) -> None:
    put_up(client)
    faults = client.served.emulator.app.faults
    unseen = {"error": {"code": 404, "message": "Not Found - /nginx/proxy-hosts"}}
    faults.append(Fault(path="/api/nginx/proxy-hosts", method="GET", status=404, body=unseen))
    assert len(client.npm.list_objects(client.npm.kind("npm.proxy_host"))) == 1
    faults.append(Fault(path="/api/nginx/proxy-hosts", method="GET", times=2, status=404, body=unseen))
    with pytest.raises(ObjectError, match="is not allowed to"):
        client.npm.list_objects(client.npm.kind("npm.proxy_host"))


def test_a_missing_permission_is_not_a_deletion(client: Client) -> None:
    _, host = put_up(client)
    unseen = {"error": {"code": 404, "message": f"Not Found - /nginx/proxy-hosts/{host.pk}"}}
    client.served.emulator.app.faults.append(
        Fault(path="/api/nginx/proxy-hosts/", method="DELETE", times=2, status=404, body=unseen)
    )
    with pytest.raises(ObjectError, match="is not allowed to"):
        Reconciler(client.npm).delete(client.npm.kind("npm.proxy_host"), "auth.example.test", host)


def test_a_wrong_password_says_what_to_do(client: Client) -> None:
    wrong = Npm("NPM of acme", lambda: Endpoint(client.served.url), "admin@example.test", "Wrong-Passw0rd")
    with pytest.raises(ObjectError, match=r"(?s)cannot log in: .*gatehouse:secrets.overrides") as caught:
        wrong.list_objects(wrong.kind("npm.proxy_host"))
    assert "Wrong-Passw0rd" not in str(caught.value)


def test_one_login_a_process(client: Client) -> None:
    put_up(client)
    journal = client.served.emulator.app.journal
    assert sum(entry["path"] == "/api/tokens" for entry in journal) == 1


def test_state_names_the_provider_and_holds_nothing_of_it() -> None:
    pickled = dill.dumps(NpmProvider(), recurse=True)
    assert len(pickled) < 100
    assert b"components.proxy.provider" in pickled and b"NpmProvider" in pickled


def test_a_preview_that_may_look_says_the_truth_about_whether_npm_answers(
    client: Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ENVIRONMENT, "1")
    wanted = client.host()
    props = {**wanted.fields, "gatehouse": {"kind": wanted.kind, "logical": wanted.logical}}
    for address, unheard in ((client.served.url, 0), ("http://127.0.0.1:9", 1)):
        provider = NpmProvider()
        values = {"address": address, "identity": ADMIN_EMAIL, "secret": ADMIN_PASSWORD}
        request: Any = SimpleNamespace(config=values)
        provider.configure(request)
        provider.check({}, props)
        assert capfd.readouterr().err.count("does not answer, so names") == unheard


@pytest.mark.case("4")
def test_a_container_that_is_down_is_waited_for_and_said(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a tunnel gives then: the connection stands, and is cut at once."""
    monkeypatch.setenv("GATEHOUSE_PATIENCE", "1")
    faults = client.served.emulator.app.faults
    faults.append(Fault(path="/api/", times=10_000, cut="before"))
    down = Npm("NPM of acme", lambda: Endpoint(client.served.url), ADMIN_EMAIL, ADMIN_PASSWORD)
    try:
        with pytest.raises(
            ObjectError, match=r"NPM of acme: the connection broke .* since 1 s \(POST /api/tokens\)"
        ):
            down.list_objects(down.kind("npm.proxy_host"))
        faults[-1].times = 2
        again = Npm("NPM of acme", lambda: Endpoint(client.served.url), ADMIN_EMAIL, ADMIN_PASSWORD)
        monkeypatch.setenv("GATEHOUSE_PATIENCE", "30")
        again.list_objects(again.kind("npm.proxy_host"))
    finally:
        faults.clear()

"""The parts of the bench's machine that need neither root nor a box."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import httpx
import psutil
import pytest

from bench import ca, images, packages, processes, registry, sources
from bench.images import store
from bench.machine import image, network
from bench.processes import Recorded
from bench.tests.machine.conftest import until

SOURCES = """\
Types: deb deb-src
# a comment
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://other.example/thing
Suites: nodistro
Components: main
Signed-By: /usr/share/keyrings/other.gpg

Types: deb
Enabled: no
URIs: https://off.example/debian
Suites: bookworm
Components: main
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    monkeypatch.setattr(sources, "APT", tmp_path)
    return tmp_path


def test_only_debians_own_archives_are_taken(apt: Path) -> None:
    (apt / "sources.list.d/debian.sources").write_text(SOURCES)
    (apt / "sources.list.d/cloud.list").write_text("deb https://cloud.example/apt cloud-sdk-bookworm main\n")
    (apt / "sources.list").write_text(
        "# deb http://commented.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
        "http://security.example/debian-security bookworm-security main\n"
    )
    found = sources.debian_sources()
    assert [(s.uri, s.suites) for s in found] == [
        ("http://security.example/debian-security", ("bookworm-security",)),
        ("https://mirror.example/debian", ("bookworm", "bookworm-updates")),
    ]
    assert sources.allowed_hosts() == {"security.example", "mirror.example"}


def test_the_package_proxy_speaks_to_the_archives_only_and_keeps_packages(
    apt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, stream=httpx.ByteStream(b"a package"), headers={"Content-Length": "9"})

    (apt / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n")
    monkeypatch.setattr(packages, "CACHE", tmp_path / "cache")
    proxy = packages.Proxy()
    proxy.upstream = httpx.Client(transport=httpx.MockTransport(answer))
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()

    def get(method: str, url: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.server_address[1], timeout=5)
        connection.request(method, url)
        response = connection.getresponse()
        return response.status, response.read()

    try:
        for _ in range(2):
            assert get("GET", "http://mirror.example/debian/pool/a.deb") == (200, b"a package")
            # The client has all of it a moment before the cache has it under its name.
            until(
                lambda: any(
                    len(p.read_bytes()) == 9 and not p.name.startswith("tmp")
                    for p in (tmp_path / "cache").rglob("*")
                    if p.is_file()
                ),
                "the package is kept",
            )
        assert asked == ["/debian/pool/a.deb"]
        for _ in range(2):
            assert get("GET", "http://mirror.example/debian/dists/InRelease")[0] == 200
        assert len(asked) == 3
        assert get("GET", "http://elsewhere.example/a.deb")[0] == 403
        assert get("CONNECT", "elsewhere.example:443")[0] == 403
        assert get("CONNECT", "mirror.example:22")[0] == 403
        assert len(asked) == 3
    finally:
        proxy.shutdown()
        proxy.server_close()


def test_what_is_baked_in_is_what_the_hardening_installs() -> None:
    baked = image.baked()
    assert {"docker.io", "ufw", "fail2ban", "unattended-upgrades"} <= set(baked)
    assert list(baked) == sorted(baked)


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        (
            {"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["0.0.0.0/0", "::/0"]},
            ["ip saddr 0.0.0.0/0 tcp dport 22 accept", "ip6 saddr ::/0 tcp dport 22 accept"],
        ),
        (
            {"direction": "in", "protocol": "udp", "port": "any", "source_ips": ["198.51.100.7/32"]},
            ["ip saddr 198.51.100.7/32 meta l4proto udp accept"],
        ),
        (
            {"direction": "out", "protocol": "icmp", "destination_ips": ["10.0.0.0/8"], "source_ips": []},
            ["ip daddr 10.0.0.0/8 meta l4proto { icmp, ipv6-icmp } accept"],
        ),
    ],
)
def test_a_rule_of_hetzners_in_nftables_words(rule: dict[str, object], lines: list[str]) -> None:
    assert network.matches(rule) == lines


def test_a_recorded_process_is_only_that_process() -> None:
    process = subprocess.Popen(["sleep", "60"])
    recorded = Recorded.of(process.pid)
    assert Recorded(process.pid, recorded.start - 100).find() is None
    Recorded(process.pid, recorded.start - 100).end()
    assert recorded.find() is not None
    recorded.end()
    assert recorded.find() is None


def test_marked_processes_end_and_others_go_on(tmp_path: Path) -> None:
    mark = str(tmp_path)
    marked = subprocess.Popen(["sleep", "60"], env={**os.environ, "GATEHOUSE_TEST_MARK": mark})
    other = subprocess.Popen(["sleep", "60"], env={**os.environ, "GATEHOUSE_TEST_MARK": mark + "x"})
    try:
        processes.end_marked("GATEHOUSE_TEST_MARK", mark)
        assert not psutil.pid_exists(marked.pid)  # ended and, as our child, collected
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
    assert psutil.pid_exists(os.getpid())


@pytest.fixture
def blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store, "STORE", tmp_path / "images")
    return tmp_path / "images"


def test_the_same_tree_is_the_same_layer_whenever_it_was_made(blobs: Path, tmp_path: Path) -> None:
    made = []
    for number in (1, 2):
        tree = tmp_path / f"tree{number}"
        (tree / "usr/share/doc").mkdir(parents=True)
        (tree / "usr/share/doc/left-out").write_text("x")
        (tree / "usr/bin").mkdir()
        (tree / "usr/bin/tool").write_text("#!/bin/sh\n")
        (tree / "usr/bin/tool").chmod(0o4755)
        (tree / "usr/bin/same").hardlink_to(tree / "usr/bin/tool")
        (tree / "usr/bin/link").symlink_to("tool")
        (tree / "usr/lib64").symlink_to("lib")
        if number == 2:
            os.utime(tree / "usr/bin/tool", (1_900_000_000, 1_900_000_000))

        def write(archive: tarfile.TarFile, tree: Path = tree) -> None:
            store.add_tree(archive, tree)

        made.append(store.layer(f"layer{number}", write))
    # Both are dated before the images' own date or clamped to it, so only a real difference would show.
    with tarfile.open(store.blob_path(made[0].digest), "r:gz") as archive:
        members = {m.name: m for m in archive.getmembers()}
    assert "usr/share/doc/left-out" not in members
    assert members["usr/bin/link"].linkname == "tool"
    assert members["usr/lib64"].issym()
    assert {members["usr/bin/tool"].type, members["usr/bin/same"].type} == {tarfile.REGTYPE, tarfile.LNKTYPE}
    assert members["usr/bin/tool"].mode == 0o4755
    assert made[0].diff == made[1].diff
    assert made[0].digest == made[1].digest
    assert made[0].size == store.blob_path(made[0].digest).stat().st_size


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes an overlay's whiteouts")
def test_what_a_layer_deletes_becomes_a_whiteout(blobs: Path, tmp_path: Path) -> None:
    (tmp_path / "tree/etc").mkdir(parents=True)
    os.mknod(tmp_path / "tree/etc/gone", 0o20000, os.makedev(0, 0))
    blob = store.layer("whiteouts", lambda archive: store.add_tree(archive, tmp_path / "tree"))
    with tarfile.open(store.blob_path(blob.digest), "r:gz") as archive:
        assert archive.getnames() == ["etc", "etc/.wh.gone"]


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blobs: Path):
    digest = store.manifest([], {"Cmd": ["x"]})
    monkeypatch.setattr(
        images, "find", lambda name, tag, _: digest if (name, tag) == ("ghcr.io/a/b", "1") else None
    )
    served = registry.Front(("127.0.0.1", 0), *ca.issue(["ghcr.io", "api.cloudflare.com"], tmp_path / "ca"))
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    context = ssl.create_default_context(cafile=str(tmp_path / "ca/cert.pem"))

    def ask(method: str, path: str, host: str = "ghcr.io") -> tuple[int, dict[str, str], bytes]:
        plain = socket.create_connection(("127.0.0.1", served.server_address[1]), 5)
        connection = http.client.HTTPConnection(host)
        connection.sock = context.wrap_socket(plain, server_hostname=host)
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()

    yield ask, digest
    served.shutdown()
    served.server_close()


def test_the_registry_speaks_dockers_protocol_and_takes_nothing(front) -> None:
    ask, digest = front
    assert ask("GET", "/v2/")[0] == 200
    status, headers, body = ask("GET", "/v2/a/b/manifests/1")
    assert (status, headers["Docker-Content-Digest"]) == (200, digest)
    assert headers["Content-Type"] == store.MANIFEST
    assert ask("HEAD", f"/v2/a/b/manifests/{digest}")[2] == b""
    config = json.loads(body)["config"]["digest"]
    assert json.loads(ask("GET", f"/v2/a/b/blobs/{config}")[2])["config"] == {"Cmd": ["x"]}
    missing = ask("GET", "/v2/a/b/manifests/2")
    assert missing[0] == 404
    assert b"MANIFEST_UNKNOWN" in missing[2]
    assert ask("GET", "/v2/a/b/blobs/sha256:" + "0" * 64)[0] == 404
    assert ask("GET", "/v2/a/b/blobs/../../../etc/passwd")[0] == 404
    assert ask("PUT", "/v2/a/b/manifests/1")[0] == 405


def test_a_tag_that_the_bench_does_not_have_is_not_found() -> None:
    assert images.find("docker.io/library/postgres", "17-alpine") is None
    assert images.find("ghcr.io/goauthentik/server", "latest") is None
    assert images.find("docker.io/library/nothing", "1") is None


def test_the_command_line_says_what_it_can_do() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--help"], capture_output=True, text=True, check=True
    )
    for command in ("up", "enter", "down", "clean"):
        assert command in done.stdout

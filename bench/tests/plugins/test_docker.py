"""The docker stand-in beyond the recordings: through ssh, step by step, and where it fails half-way."""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.plugins.base import Failed
from bench.plugins.docker import DockerProvider
from bench.plugins.docker.text import duration, nanoseconds
from bench.plugins.docker.transport import ssh_command
from bench.plugins.values import UNKNOWN, Values
from bench.tests.plugins.fake_docker import FakeDocker, Fault, Serving, write_ssh

CONTAINER = "docker:index/container:Container"
IMAGE = "docker.io/library/redis:7-alpine"


def urn(token: str, name: str) -> str:
    return f"urn:pulumi:dev::test::{token}::{name}"


@pytest.fixture
def daemon() -> FakeDocker:
    fake = FakeDocker()
    fake.images[IMAGE] = {
        "Id": "sha256:5",
        "RepoDigests": [f"{IMAGE.rsplit(':', 1)[0]}@sha256:6"],
        "Config": {},
    }
    return fake


def create(provider: DockerProvider, token: str, **news: Any) -> tuple[Values, Values]:
    """Check and create: the inputs and the reply."""
    checked = provider.call("Check", {"urn": urn(token, "it"), "news": news})
    assert "failures" not in checked, checked
    return checked["inputs"], provider.call(
        "Create", {"urn": urn(token, "it"), "properties": checked["inputs"]}
    )


def body(daemon: FakeDocker) -> Values:
    found: Values = next(b for _, path, b in daemon.calls if path == "/containers/create")
    return found


def test_a_container_is_made_as_asked(provider: DockerProvider, daemon: FakeDocker) -> None:
    _, made = create(
        provider,
        CONTAINER,
        name="gatehouse-redis",
        image=IMAGE,
        command=["redis-server", "/etc/redis.conf"],
        envs=["B=2", "A=1"],
        labels=[{"label": "managed-by", "value": "gatehouse"}],
        restart="unless-stopped",
        memory=256,
        memorySwap=512,
        user="999",
        capabilities={"drops": ["ALL"]},
        securityOpts=["no-new-privileges"],
        readOnly=True,
        tmpfs={"/tmp": "size=16m"},
        networksAdvanced=[{"name": "gatehouse", "aliases": ["redis"]}],
        volumes=[{"hostPath": "/srv/gatehouse/redis", "containerPath": "/data"}],
        ports=[{"internal": 6379, "external": 6379, "ip": "127.0.0.1"}],
        uploads=[{"file": "/etc/redis.conf", "content": "appendonly yes\n", "permissions": "0600"}],
        healthcheck={"tests": ["CMD", "redis-cli", "ping"], "interval": "5s", "retries": 3},
        logDriver="json-file",
        logOpts={"max-size": "10m"},
        wait=True,
        waitTimeout=5,
    )
    sent = body(daemon)
    host = daemon.containers[made["id"]]["HostConfig"]
    assert sent["Env"] == ["A=1", "B=2"]
    assert sent["Labels"] == {"managed-by": "gatehouse"}
    assert sent["User"] == "999"
    assert sent["Healthcheck"]["Interval"] == 5_000_000_000
    assert host["Memory"] == 256 << 20
    assert host["MemorySwap"] == 512 << 20
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ReadonlyRootfs"] is True
    assert host["Tmpfs"] == {"/tmp": "size=16m"}
    assert host["Binds"] == ["/srv/gatehouse/redis:/data:rw"]
    assert host["PortBindings"] == {"6379/tcp": [{"HostIp": "127.0.0.1", "HostPort": "6379"}]}
    assert host["RestartPolicy"] == {"Name": "unless-stopped", "MaximumRetryCount": 0}
    networks = daemon.containers[made["id"]]["NetworkSettings"]["Networks"]
    assert list(networks) == ["gatehouse"]  # and no longer in docker's own
    with tarfile.open(fileobj=io.BytesIO(daemon.uploads[0])) as tar:
        entry = tar.getmembers()[0]
        assert (entry.name, entry.mode) == ("/etc/redis.conf", 0o600)
        file = tar.extractfile(entry)
        assert file and file.read() == b"appendonly yes\n"
    steps = [path.rsplit("/", 1)[-1] for method, path, _ in daemon.calls if method in ("POST", "PUT")]
    assert steps == ["create", "disconnect", "connect", "archive", "start"]


def test_what_was_made_shows_no_difference_before_and_after_a_read(provider: DockerProvider) -> None:
    inputs, made = create(
        provider,
        CONTAINER,
        name="gatehouse-redis",
        image=IMAGE,
        memory=256,
        memorySwap=512,
        envs=["B=2", "A=1"],
        volumes=[{"hostPath": "/srv/gatehouse/redis", "containerPath": "/data"}],
        ports=[{"internal": 6379, "external": 6379, "ip": "127.0.0.1"}],
        networksAdvanced=[{"name": "gatehouse", "aliases": ["redis"]}],
        tmpfs={"/tmp": "size=16m"},
        capabilities={"adds": ["NET_BIND_SERVICE"], "drops": ["ALL"]},
        healthcheck={
            "tests": ["CMD", "redis-cli", "ping"],
            "interval": "1m30s",
            "timeout": "1m0s",
            "retries": 3,
        },
    )
    question = {"urn": urn(CONTAINER, "it"), "id": made["id"], "news": inputs, "oldInputs": inputs}
    assert provider.call("Diff", {**question, "olds": made["properties"]})["changes"] == "DIFF_NONE"
    known = {
        "urn": urn(CONTAINER, "it"),
        "id": made["id"],
        "properties": made["properties"],
        "inputs": inputs,
    }
    read = provider.call("Read", known)
    after = provider.call("Diff", {**question, "olds": read["properties"], "news": read["inputs"]})
    assert after["changes"] == "DIFF_NONE"
    assert provider.call("Diff", {**question, "olds": read["properties"]})["changes"] == "DIFF_NONE"


def test_a_missing_image_is_pulled_with_the_registrys_credentials(daemon: FakeDocker) -> None:
    name = "registry.example:5000/app/server:2"
    daemon.registry[name] = {"Id": "sha256:7", "RepoDigests": ["registry.example:5000/app/server@sha256:8"]}
    with Serving(daemon) as socket:
        provider = DockerProvider()
        auth = [{"address": "https://registry.example:5000", "username": "me", "password": "secret word"}]
        provider.configure({"host": f"unix://{socket}", "registryAuth": auth})
        _, made = create(provider, "docker:index/remoteImage:RemoteImage", name=name)
        assert provider.registry_auth("docker.io/library/redis:7") is None
        assert provider.registry_auth(name) == {"username": "me", "password": "secret word"}
    assert made["id"] == f"sha256:7{name}"
    assert made["properties"]["repoDigest"] == "registry.example:5000/app/server@sha256:8"


def test_a_container_that_fails_after_its_creation_stays_in_the_state(
    provider: DockerProvider, daemon: FakeDocker
) -> None:
    for where, text in (
        ("/connect", "Unable to connect to network: Error response from daemon: network gone"),
        ("/archive", "Unable to upload volume content: Error response from daemon: network gone"),
        ("/start", "Unable to start container: Error response from daemon: network gone"),
    ):
        daemon.faults = {where: Fault(404, "network gone")}
        with pytest.raises(Failed) as caught:
            create(
                provider,
                CONTAINER,
                name=f"it{where[1:]}",
                image=IMAGE,
                networksAdvanced=[{"name": "gatehouse"}],
                uploads=[{"file": "/f", "content": "c"}],
            )
        error = caught.value
        assert error.id in daemon.containers
        assert error.properties["image"] == IMAGE
        assert error.message == f"creating {urn(CONTAINER, 'it')}: 1 error occurred:\n\t* {text}\n\n"
        assert error.reasons == [error.message]


def test_waiting_without_a_health_check_says_so(provider: DockerProvider) -> None:
    with pytest.raises(Failed, match="neither the program nor the image gives the container a health check"):
        create(provider, CONTAINER, name="it", image=IMAGE, wait=True)


def test_what_the_bench_does_not_know_is_refused(provider: DockerProvider) -> None:
    question = {"urn": urn(CONTAINER, "it"), "news": {"name": "it", "image": IMAGE, "gpus": "all"}}
    assert "use the official docker plugin" in provider.call("Check", question)["failures"][0]["reason"]
    question = {"urn": urn("docker:index/service:Service", "it"), "news": {}}
    with pytest.raises(Failed, match="knows no resource docker:index/service:Service"):
        provider.call("Check", question)
    with pytest.raises(Failed, match="does not know caMaterial"):
        provider.configure({"caMaterial": "x"})


def test_a_host_that_is_not_known_yet_is_no_error() -> None:
    DockerProvider().call("Configure", {"args": {"host": UNKNOWN, "sshOpts": '["-F","ssh_config"]'}})


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0s", 0),
        ("1s", 10**9),
        ("1m0s", 60 * 10**9),
        ("1m30s", 90 * 10**9),
        ("1h0m5s", 3605 * 10**9),
        ("500ms", 5 * 10**8),
    ],
)
def test_durations_are_written_as_go_writes_them(text: str, count: int) -> None:
    assert duration(count) == text
    assert nanoseconds(text) == count


def test_durations_are_read_in_any_form() -> None:
    assert nanoseconds("90s") == nanoseconds("1m30s") == nanoseconds("1.5m")


def test_ssh_is_run_as_the_official_plugin_runs_it() -> None:
    options = ["-F", ".gatehouse/acme/ssh_config"]
    tail = "-o ConnectTimeout=30 -T -- 203.0.113.10 docker system dial-stdio"
    assert " ".join(ssh_command("ssh://deploy@203.0.113.10", options)) == (
        f"ssh -l deploy -F .gatehouse/acme/ssh_config {tail}"
    )
    assert " ".join(ssh_command("ssh://203.0.113.10:2222", [])) == f"ssh -p 2222 {tail}"


@pytest.fixture
def through_ssh(
    daemon: FakeDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[DockerProvider, Path]]:
    """A provider whose daemon is behind ssh, and the log of the commands that ran."""
    log = tmp_path / "log"
    log.write_text("")
    with Serving(daemon) as socket:
        write_ssh(tmp_path / "ssh", socket, log=log)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        provider = DockerProvider()
        provider.call(
            "Configure", {"args": {"host": "ssh://deploy@203.0.113.10", "sshOpts": '["-F","conf"]'}}
        )
        yield provider, log
        if provider.daemon._tunnel:
            provider.daemon._tunnel.close()


def test_a_daemon_behind_ssh_is_reached_when_it_is_needed(
    through_ssh: tuple[DockerProvider, Path], daemon: FakeDocker
) -> None:
    provider, log = through_ssh
    inputs = provider.call("Check", {"urn": urn(CONTAINER, "it"), "news": {"name": "it", "image": IMAGE}})[
        "inputs"
    ]
    provider.call("Create", {"urn": urn(CONTAINER, "it"), "properties": inputs, "preview": True})
    assert log.read_text() == ""  # neither Configure nor a preview connects
    big = "x" * 3_000_000
    _, made = create(provider, CONTAINER, name="it", image=IMAGE, uploads=[{"file": "/big", "content": big}])
    assert len(daemon.uploads[0]) > len(big)
    assert set(log.read_text().splitlines()) == {
        "-l deploy -F conf -o ConnectTimeout=30 -T -- 203.0.113.10 docker system dial-stdio"
    }
    provider.call("Delete", {"urn": urn(CONTAINER, "it"), "id": made["id"], "properties": made["properties"]})
    assert not daemon.containers
    tunnel = provider.daemon._tunnel
    assert tunnel is not None
    assert tunnel.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_daemon_that_could_not_be_reached_is_tried_again(
    through_ssh: tuple[DockerProvider, Path], daemon: FakeDocker, tmp_path: Path
) -> None:
    provider, _ = through_ssh
    good = (tmp_path / "ssh").read_text()
    (tmp_path / "ssh").write_text("#!/bin/sh\necho 'Host key verification failed.' >&2\nexit 255\n")
    with pytest.raises(Failed, match=r"exit status 255.*stderr=Host key verification failed"):
        create(provider, CONTAINER, name="it", image=IMAGE)
    (tmp_path / "ssh").write_text(good)
    _, made = create(provider, CONTAINER, name="it", image=IMAGE)
    assert made["id"] in daemon.containers


def test_a_connection_that_breaks_later_says_what_ssh_said(
    through_ssh: tuple[DockerProvider, Path], tmp_path: Path
) -> None:
    provider, _ = through_ssh
    provider.daemon.client().close()  # as when ssh ended in between: the next call connects anew
    (tmp_path / "ssh").write_text("#!/bin/sh\necho 'No route to host' >&2\nexit 255\n")
    with pytest.raises(Failed, match=r"exit status 255.*stderr=No route to host"):
        create(provider, CONTAINER, name="it", image=IMAGE)


def test_removal_waits_for_what_still_uses_a_network(
    provider: DockerProvider, daemon: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "docker:index/network:Network"
    _, made = create(provider, token, name="gatehouse")
    daemon.faults = {"DELETE /networks": Fault(403, "network gatehouse has active endpoints")}
    monkeypatch.setattr(time, "sleep", lambda _: daemon.faults.clear())
    provider.call("Delete", {"urn": urn(token, "it"), "id": made["id"], "properties": made["properties"]})
    assert not daemon.networks

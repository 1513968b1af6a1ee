"""What is on a box is taken in with a lost state: over the client's own ssh, against a Docker daemon in memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.clouds.testing import make
from bench.project import Project
from bench.tests.plugins.fake_docker import FakeDocker, Serving, write_ssh
from components.secrets import new_root_secret
from tests.host.mocks import KEY

pytestmark = [pytest.mark.engine, pytest.mark.case("12")]

IMAGE = "postgres:16-alpine"
PROGRAM = f"""
from __future__ import annotations
import pulumi
import pulumi_docker as docker
from components import ssh
from components.settings import load

settings = load()
ssh.write_files(settings.client, settings.derived())
provider = docker.Provider(
    "docker", host=f"ssh://deploy@{{settings.box.host}}", ssh_opts=ssh.ssh_command(settings.client)[1:]
)
options = pulumi.ResourceOptions(provider=provider, delete_before_replace=True)
network = docker.Network(
    "data", name="gatehouse-data", ipam_configs=[docker.NetworkIpamConfigArgs(subnet="172.31.240.0/26")], opts=options
)
image = docker.RemoteImage("postgres", name="{IMAGE}", keep_locally=True, opts=options)
docker.Container(
    "postgres", name="gatehouse-postgres", image=image.image_id,
    envs=pulumi.Output.secret(["POSTGRES_PASSWORD=only for tests"]),
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name)],
    ports=[docker.ContainerPortArgs(internal=5432, external=5432, ip="127.0.0.1")],
    memory=64, memory_swap=128, opts=options,
)
"""


@pytest.fixture
def daemon() -> FakeDocker:
    fake = FakeDocker()
    fake.registry[IMAGE] = {"Id": "sha256:5", "RepoDigests": ["postgres@sha256:6"], "Config": {}}
    return fake


@pytest.fixture
def project(tmp_path: Path, daemon: FakeDocker) -> Iterator[Project]:
    with make(tmp_path / "clouds").running() as clouds, Serving(daemon) as socket:
        write_ssh(tmp_path / "bin" / "ssh", socket)
        environment = {
            "CLOUDFLARE_BASE_URL": clouds.cloudflare_base_url,
            "CLOUDFLARE_API_TOKEN": clouds.tokens.cloudflare,
        }
        made = Project(tmp_path / "project", environment)
        made.environment["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{made.environment['PATH']}"
        (made.folder / "__main__.py").write_text(PROGRAM)
        settings: dict[str, Any] = {
            "client": "acme", "domain": "demo.example", "protect": False,
            "box": {"host": "198.51.100.7", "hostKey": KEY},
            "operators": [{"name": "sam", "email": "sam@agency.example", "sshKey": KEY}],
            "authentik": {"version": "2026.8.3"},
        }  # fmt: skip
        made.stack("acme", settings, {"rootSecret": new_root_secret()})
        yield made


def ids(project: Project) -> dict[str, str]:
    """The ids of what the state has on the box."""
    resources = project.state("acme").get("resources", [])
    return {each["urn"]: each["id"] for each in resources if each["type"].startswith("docker:")}


def test_containers_networks_and_images_are_found_on_the_box(
    project: Project, daemon: FakeDocker, tmp_path: Path
) -> None:
    project.pulumi("up", "--yes", "--skip-preview", "--stack", "acme")
    before = ids(project)
    assert len(before) == 3
    shutil.rmtree(project.folder / ".gatehouse/state/.pulumi")
    calls = len(daemon.calls)
    said = project.gatehouse("recover", "acme", "--yes")
    assert said.count("the box") == said.count("found ") == 3
    assert ids(project) == before
    assert {method for method, _, _ in daemon.calls[calls:]} <= {"GET", "HEAD"}
    assert "only for tests" not in project.pulumi("stack", "export", "--stack", "acme")
    project.pulumi("preview", "--stack", "acme", "--expect-no-changes")
    project.pulumi("preview", "--stack", "acme", "--refresh", "--expect-no-changes")

    # Another machine answers at the box's address: it is not this client's, and nothing is taken in.
    shutil.rmtree(project.folder / ".gatehouse/state/.pulumi")
    with Serving(daemon) as socket:
        write_ssh(tmp_path / "bin" / "ssh", socket, refused=True)
    said = project.gatehouse("recover", "acme", "--yes", check=False)
    assert "198.51.100.7 cannot be looked at" in said and "root secret" in said
    assert ids(project) == {}

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from components import ssh
from components.secrets import Secrets


@pytest.fixture
def secrets(root_secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Secrets:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return Secrets(root_secret)


def test_files_are_private_and_the_same_each_time(secrets: Secrets) -> None:
    old = os.umask(0)
    try:
        ssh.write_files("acme", secrets)
    finally:
        os.umask(old)
    folder = Path(".gatehouse/acme")
    assert sorted(path.name for path in folder.iterdir()) == ["deploy_key", "known_hosts", "ssh_config"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    before = {path.name: (path.read_bytes(), path.stat().st_ino) for path in folder.iterdir()}
    ssh.write_files("acme", secrets)
    assert {path.name: (path.read_bytes(), path.stat().st_ino) for path in folder.iterdir()} == before


def test_a_changed_or_opened_file_is_put_right(secrets: Secrets) -> None:
    ssh.write_files("acme", secrets)
    config, key = Path(".gatehouse/acme/ssh_config"), Path(".gatehouse/acme/deploy_key")
    right = config.read_text()
    config.write_text("Host *\n  StrictHostKeyChecking no\n")
    key.chmod(0o644)
    ssh.write_files("acme", secrets)
    assert config.read_text() == right
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_host_key_is_pinned_under_the_clients_name(secrets: Secrets) -> None:
    ssh.write_files("acme", secrets)
    kind, key, _ = secrets.ssh_key("ssh/host").public.split()
    assert Path(".gatehouse/acme/known_hosts").read_text() == f"gatehouse-acme {kind} {key}\n"


def test_a_shared_connections_socket_has_a_short_enough_name(secrets: Secrets) -> None:
    ssh.write_files("a" * 32, secrets)
    config = Path(f".gatehouse/{'a' * 32}/ssh_config").read_text()
    (line,) = [line for line in config.splitlines() if "ControlPath" in line]
    name = line.split('"')[1].rsplit("/", 1)[1]
    assert len("/run/user/4294967295/gatehouse/") + len(name) - len("%C") + 40 + 17 <= 107


def test_somebody_elses_run_directory_is_refused(secrets: Secrets, tmp_path: Path) -> None:
    (tmp_path / "gatehouse").mkdir(mode=0o777)
    (tmp_path / "gatehouse").chmod(0o777)
    with pytest.raises(ssh.AccessError, match="yours alone"):
        ssh.write_files("acme", secrets)


def test_urls_are_their_own_answer() -> None:
    assert ssh.tunnel("https://auth.acme.example") == ("https://auth.acme.example", None)
    with pytest.raises(ValueError, match="neither a URL nor ssh:"):
        ssh.tunnel("acme@192.0.2.1/127.0.0.1:9000")


def test_a_runtime_directory_that_is_not_there_is_done_without(
    secrets: Secrets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    ssh.write_files("acme", secrets)
    assert f'"/tmp/gatehouse-{os.getuid()}/' in Path(".gatehouse/acme/ssh_config").read_text()

"""Against a real OpenSSH server, as an ordinary process on a high port of the loopback."""

from __future__ import annotations

import getpass
import http.server
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from components import ssh
from components.objects.errors import ObjectError
from components.objects.http import Http
from components.secrets import Secrets, new_root_secret

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def why_not() -> str | None:
    """Why no server can be run here: as root it wants an account of its own to give its rights up to."""
    if SSHD is None:
        return "no sshd on this machine (apt install openssh-server)"
    try:
        pwd.getpwnam("sshd")
    except KeyError:
        return "no account sshd on this machine (apt install openssh-server)" if os.getuid() == 0 else None
    return None


WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    folder: Path
    port: int
    secrets: Secrets
    process: subprocess.Popen[bytes] | None = None

    def start(self, *, host: Secrets | None = None, key: Secrets | None = None) -> None:
        """With the host key and for the deploy key of these secrets, its own where none are given."""
        (self.folder / "host").write_text((host or self.secrets).ssh_key("ssh/host").private)
        (self.folder / "host").chmod(0o600)
        (self.folder / "allowed").write_text((key or self.secrets).ssh_key("ssh/deploy").public + "\n")
        (self.folder / "allowed").chmod(0o600)
        (self.folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\n"
            f"AuthorizedKeysFile {self.folder}/allowed\nStrictModes no\nUsePAM no\nPidFile none\n"
            "PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        )
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [str(SSHD), "-D", "-e", "-f", str(self.folder / "config")], stderr=log
        )
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail("sshd does not start: " + (self.folder / "log").read_text())

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def address(self, target: int) -> str:
        return f"ssh:acme@127.0.0.1:{self.port}/127.0.0.1:{target}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ssh, "CONNECT_SECONDS", 3)
    # pytest's own paths are too long for the socket of a shared connection
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    server = Server(tmp_path, free_port(), Secrets(new_root_secret()))
    ssh.write_files("acme", server.secrets)
    config = Path(".gatehouse/acme/ssh_config")
    config.write_text(config.read_text().replace("User deploy", f"User {getpass.getuser()}"))
    yield server
    ssh.close_tunnels()
    ssh.close_shared_connection("acme", "127.0.0.1", server.port)
    server.stop()


@pytest.fixture
def web() -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"from the box")

        def log_message(self, *_: object) -> None:
            pass

    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield site.server_port
    site.shutdown()
    site.server_close()


def get(address: str) -> str:
    """What answers at the other end of the tunnel."""
    way = ssh.tunnel(address)
    assert way.socket
    with httpx.Client(transport=httpx.HTTPTransport(uds=way.socket)) as client:
        return client.get(way.url).text


@pytest.mark.case("15")
def test_a_tunnel_leads_to_the_boxs_loopback_and_is_there_once(server: Server, web: int) -> None:
    server.start()
    address = server.address(web)
    assert get(address) == "from the box"
    way = ssh.tunnel(address)
    assert ssh.tunnel(address) == way
    socket = Path(str(way.socket))
    assert stat.S_ISSOCK(socket.stat().st_mode)
    assert socket.stat().st_mode & 0o077 == 0
    assert socket.parent.stat().st_mode & 0o077 == 0, "another user might take its place"
    ssh.close_tunnels()
    assert not socket.exists()


def test_two_tunnels_share_one_connection(server: Server, web: int) -> None:
    server.start()
    for target in (web, free_port()):
        ssh.tunnel(server.address(target))
    assert (server.folder / "log").read_text().count("Accepted publickey") == 1


@pytest.mark.case("15")
@pytest.mark.parametrize("shared", [True, False])
def test_a_tunnel_that_died_in_the_middle_of_a_run_is_opened_again(
    server: Server, web: int, shared: bool
) -> None:
    """Also where the shared connection lives on, which goes on listening for the tunnel that died."""
    server.start()
    address = server.address(web)
    http = Http(lambda: ssh.tunnel(address), "server")
    with pytest.raises(ObjectError, match="where JSON is due"):
        http.request("GET", "/")  # it answers, and says that it is no API
    first = ssh._tunnels[address].process
    if shared:
        ssh.close_shared_connection("acme", "127.0.0.1", server.port)
    else:
        first.kill()
    first.wait(5)
    with pytest.raises(ObjectError, match="where JSON is due"):
        http.request("GET", "/")
    assert get(address) == "from the box"


@pytest.mark.case("15")
def test_a_box_that_is_away_is_waited_for(server: Server, web: int) -> None:
    server.start()
    address = server.address(web)
    http = Http(lambda: ssh.tunnel(address), "server")
    ssh.tunnel(address)
    server.stop()
    ssh.close_shared_connection("acme", "127.0.0.1", server.port)
    ssh._tunnels[address].process.wait(5)
    threading.Timer(1.0, server.start).start()
    with pytest.raises(ObjectError, match="where JSON is due"):
        http.request("GET", "/", seconds=60.0)
    with pytest.raises(ObjectError, match=r"cannot be reached over ssh"):
        server.stop()
        ssh.close_shared_connection("acme", "127.0.0.1", server.port)
        ssh._tunnels[address].process.wait(5)
        http.request("GET", "/", seconds=0.0)


def test_what_a_killed_process_left_is_cleared_away(server: Server, web: int) -> None:
    server.start()
    left = ssh._run_directory() / "tunnel-4194305-0"  # no process has such a number
    left.touch()
    ssh.tunnel(server.address(web))
    assert not left.exists()


def test_a_killed_process_leaves_no_ssh_behind(server: Server, web: int) -> None:
    server.start()
    way = f"ssh.tunnel({server.address(web)!r})"
    program = f"from components import ssh; print({way}.socket, flush=True); input()"
    root = Path(__file__).resolve().parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with httpx.Client(transport=httpx.HTTPTransport(uds=child.stdout.readline().decode().strip())) as client:
        assert client.get("http://box").text == "from the box"
    forward = f"127.0.0.1:{web}".encode()

    def tunnels() -> list[Path]:
        return [path for path in Path("/proc").glob("[0-9]*/cmdline") if forward in _read(path)]

    assert [path for path in tunnels() if b"ssh\0" in _read(path)]
    child.send_signal(signal.SIGKILL)
    child.wait()
    for _ in range(100):
        if not tunnels():
            return
        time.sleep(0.05)
    pytest.fail("the ssh of a killed process is still there")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_another_machines_host_key_is_refused(server: Server, web: int) -> None:
    server.start(host=Secrets(new_root_secret()))
    with pytest.raises(
        ssh.HostKeyMismatchError,
        match=r"127\.0\.0\.1 does not have acme's host key.*gatehouse:rootSecret was changed.*gatehouse up acme",
    ):
        ssh.tunnel(server.address(web))


def test_a_refused_key_is_said_to_be_one(server: Server, web: int) -> None:
    server.start(key=Secrets(new_root_secret()))
    with pytest.raises(ssh.KeyRefusedError, match="refuses acme's deploy key"):
        ssh.tunnel(server.address(web))


def test_a_box_that_does_not_answer_is_said_to_be_unreachable(server: Server, web: int) -> None:
    with pytest.raises(
        ssh.UnreachableError, match=r"acme's box\) cannot be reached.*Connection refused.*sshFrom"
    ):
        ssh.tunnel(server.address(web))


def test_nothing_secret_is_in_an_error_or_a_command_line(server: Server, web: int) -> None:
    server.start(key=Secrets(new_root_secret()))
    with pytest.raises(ssh.AccessError) as caught:
        ssh.tunnel(server.address(web))
    private = "".join(server.secrets.ssh_key("ssh/deploy").private.splitlines()[1:-1])
    assert private not in str(caught.value).replace("\n", "")
    assert "BEGIN" not in " ".join(ssh.ssh_command("acme"))


def test_a_shared_connection_to_a_box_that_is_gone_is_left(
    server: Server, web: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "CONNECT_SECONDS", 1)
    server.start()
    ssh.tunnel(server.address(web))
    check = [*ssh.ssh_command("acme"), "-p", str(server.port), "-O", "check", "127.0.0.1"]
    found = subprocess.run(check, capture_output=True, text=True, check=True).stderr
    master = int(found.split("pid=")[1].split(")")[0])
    ssh.close_tunnels()
    os.kill(master, signal.SIGSTOP)  # answers nothing, as one whose box has gone
    try:
        assert get(server.address(web)) == "from the box"
    finally:
        os.kill(master, signal.SIGCONT)

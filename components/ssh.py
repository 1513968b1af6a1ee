"""How the operator's machine reaches the box: key, pinned host key, tunnels to what listens on its loopback.

Everything goes through the local `ssh` with one configuration file a client, in `.gatehouse/<client>/` below the
checkout. Paths are relative to the checkout, from which all programs run, because they end up in the state.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import itertools
import os
import re
import select
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from components import private_files
from components.objects.http import Endpoint
from components.secrets import Secrets
from components.ssh_errors import Cause, find_cause, last_line

FILES = Path(".gatehouse")
CONNECT_SECONDS = (
    10  # for one connection; a tunnel gets a second attempt beside a shared connection that hangs
)
_ADDRESS = re.compile(
    r"ssh:(?P<client>[a-z][a-z0-9-]*)@(?P<host>[\w.-]+|\[[0-9a-fA-F:.]+\])(:(?P<port>\d+))?/(?P<target>[\w.-]+:\d+)"
)
_READY = b"gatehouse tunnel\n"
_SSH_FAILED = 255


class AccessError(Exception):
    """The box cannot be reached; the text says which, why, and what to do."""


class HostKeyMismatchError(AccessError):
    """Another machine answers than the one whose host key is pinned."""


class KeyRefusedError(AccessError):
    """The right machine answers, and does not let the client's deploy key in."""


class UnreachableError(AccessError, ConnectionError):
    """Nothing answers, or the connection was lost."""


def ssh_command(client: str) -> list[str]:
    """The `ssh` command up to its options; host and remote command go behind it."""
    return ["ssh", "-F", str(FILES / client / "ssh_config")]


def host_alias(client: str) -> str:
    """The name under which the client's host key is pinned, whatever address the box has."""
    return f"gatehouse-{client}"


def write_files(client: str, secrets: Secrets) -> None:
    """Write the client's ssh_config, deploy_key and known_hosts, each only when it changes.

    Directories are 0700 and files 0600, whatever the umask; a reader sees a whole file or the one before.
    """
    folder = FILES / client
    for directory in (FILES, folder):
        private_files.make_folder(directory)
    _run_directory()
    host_key = " ".join(secrets.ssh_key("ssh/host").public.split()[:2])
    private_files.write(folder / "deploy_key", secrets.ssh_key("ssh/deploy").private)
    private_files.write(folder / "known_hosts", f"{host_alias(client)} {host_key}\n")
    private_files.write(folder / "ssh_config", _config(client))


def _config(client: str) -> str:
    folder = FILES / client
    # A name of its own for each client and checkout: an address can pass from one client's box to another's. Short,
    # because a socket's path has at most 107 characters, of which ssh takes 40 for %C and 17 while it connects.
    shared = hashlib.sha256(f"{Path.cwd()}\0{client}".encode()).hexdigest()[:8]
    options = {
        "User": "deploy",
        "HostKeyAlias": host_alias(client),
        "HostKeyAlgorithms": "ssh-ed25519",
        "UserKnownHostsFile": folder / "known_hosts",
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "IdentityFile": folder / "deploy_key",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "BatchMode": "yes",
        "ForwardAgent": "no",
        "ConnectTimeout": CONNECT_SECONDS,
        "ServerAliveInterval": 10,
        "ServerAliveCountMax": 3,
        "ControlMaster": "auto",
        "ControlPath": f'"{_run_directory()}/{shared}-%C"',
        "ControlPersist": 60,
    }
    lines = [f"  {name} {value}" for name, value in options.items()]
    return "\n".join(["# Written by gatehouse at every run.", "Host *", *lines, ""])


def _run_directory() -> Path:
    """Where sockets of shared connections and of tunnels lie. Raises AccessError when somebody else may write there."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or "/dev/null")
    # After `su`, or in a container, it may name what is not there, or what is another's.
    usable = runtime.is_dir() and runtime.stat().st_uid == os.getuid()
    path = runtime / "gatehouse" if usable else Path(f"/tmp/gatehouse-{os.getuid()}")  # noqa: S108  (checked below)
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise AccessError(
            f"{path} is not a directory that is yours alone (0700): take it away, and run this again"
        )
    return path


def close_shared_connection(client: str, host: str, port: int = 22) -> None:
    """End the shared connection to a host, if there is one: for a box that was made anew at the same address."""
    command = [*_options_to(client, str(port)), "-O", "exit", host.strip("[]")]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, capture_output=True, check=False, timeout=CONNECT_SECONDS)


def run_on_box(
    client: str, host: str, port: int, command: Sequence[str], seconds: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run a command on the box, whatever it ends with. Raises an AccessError when there is no way in."""
    try:
        done = subprocess.run(
            [*_options_to(client, str(port)), host.strip("[]"), *command],
            capture_output=True, text=True, check=False, timeout=seconds, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _failure(client, host, f"no answer within {seconds:.0f} s") from None
    if done.returncode == _SSH_FAILED:
        raise _failure(client, host.strip("[]"), done.stderr)
    return done


def command(client: str, host: str, port: int, there: Sequence[str]) -> list[str]:
    """The local command line that runs a command on the box."""
    return [*_options_to(client, str(port)), host.strip("[]"), *there]


def follow(
    client: str, argv: Sequence[str], heard: Callable[[str], object], given: bytes = b""
) -> tuple[int, str]:
    """Run what `command` gave and hand on each line that it prints as it comes; how it ended, and its last words.

    `given` is its standard input. Raises an AccessError when there is no way in, or none any more.
    """
    with tempfile.TemporaryFile() as standard_input:
        standard_input.write(given)
        standard_input.seek(0)
        process = subprocess.Popen(
            argv, stdin=standard_input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
    last = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            last = line.rstrip() or last
            heard(line.rstrip())
        code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if code == _SSH_FAILED:
        raise _failure(client, "the box", last)
    return code, last


@dataclass
class _Tunnel:
    process: subprocess.Popen[bytes]
    way: Endpoint


_tunnels: dict[str, _Tunnel] = {}
_numbers = itertools.count()
_lock = threading.Lock()


def tunnel(address: str) -> Endpoint:
    """How `address` can be reached from here.

    `ssh:<client>@<host>[:<port>]/<host there>:<port there>` is reached through ssh, one tunnel a process and address,
    opened at the first call, again where it has died, and ended with the process, however that ends. It ends in a
    Unix socket that is this user's alone: to a port, which any local user can take once a tunnel has died, our token
    would be sent as well. Any URL is its own answer. Raises ValueError for anything else, and an AccessError when
    there is no way in.
    """
    if address.startswith(("https://", "http://")):
        return Endpoint(address.rstrip("/"))
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise ValueError(f"{address!r} is neither a URL nor ssh:<client>@<host>/<host there>:<port there>")
    with _lock:
        known = _tunnels.get(address)
        if known is None or known.process.poll() is not None:
            if known is not None:
                _close(known)
            known = _tunnels[address] = _open(
                parts["client"], parts["host"], parts["port"] or "22", parts["target"]
            )
        return known.way


def close_tunnels() -> None:
    """End all tunnels of this process."""
    with _lock:
        while _tunnels:
            _close(_tunnels.popitem()[1])


atexit.register(close_tunnels)


def _open(client: str, host: str, port: str, target: str) -> _Tunnel:
    try:
        return _attempt(client, host, port, target)
    except UnreachableError:
        # A shared connection to a box that was made anew meanwhile answers nothing: leave it, and try one of our own.
        close_shared_connection(client, host, int(port))
        return _attempt(client, host, port, target, ["-o", "ControlMaster=no", "-o", "ControlPath=none"])


def _options_to(client: str, port: str) -> list[str]:
    return [*ssh_command(client), "-p", port]


def _attempt(client: str, host: str, port: str, target: str, options: Sequence[str] = ()) -> _Tunnel:
    socket = _new_socket()
    # The remote `cat` ends when its input does, and so the tunnel with this process, even with a killed one. What it
    # says first shows that the forwarding, which ssh sets up before it, stands.
    process = subprocess.Popen(
        [
            *_options_to(client, port), *options, "-T", "-o", "ExitOnForwardFailure=yes", "-L", f"{socket}:{target}",
            host.strip("[]"), f"echo {_READY.decode().strip()}; exec cat >/dev/null",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C reaches the program, which may still have requests to finish
    )  # fmt: skip
    opened = _Tunnel(process, Endpoint(f"http://{target}", str(socket)))
    said = _first_line(process, 2 * CONNECT_SECONDS)
    if said == _READY:
        return opened
    _close(opened)
    stderr = process.stderr.read().decode(errors="replace") if process.stderr else ""
    raise _failure(client, host.strip("[]"), stderr)


def _new_socket() -> Path:
    """A name that no tunnel has had: the shared connection goes on listening at the names of those that ended."""
    folder = _run_directory()
    for stale in folder.glob("tunnel-*"):
        if not Path("/proc", stale.name.split("-")[1]).exists() and Path("/proc/self").exists():
            stale.unlink(missing_ok=True)  # of a process that was killed
    return folder / f"tunnel-{os.getpid()}-{next(_numbers)}"


def _first_line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    assert process.stdout is not None
    pipe, line, end = process.stdout.fileno(), b"", time.monotonic() + seconds
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
        chunk = os.read(pipe, 1024) if ready else b""
        if not chunk:
            break
        line += chunk
    return line


def _close(tunnel: _Tunnel) -> None:
    process = tunnel.process
    if process.stdin:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    Path(str(tunnel.way.socket)).unlink(missing_ok=True)


def _failure(client: str, host: str, stderr: str) -> AccessError:
    why = find_cause(stderr)
    if why is Cause.OTHER_MACHINE:
        return HostKeyMismatchError(
            f"{host} does not have {client}'s host key, so nothing was sent. That key follows from the root secret: "
            f"if gatehouse:rootSecret was changed, write the former one again. If not, another machine has this "
            f"address, or somebody is in between: look at Hetzner's console which server has it. If {client}'s box was "
            f"made anew outside of gatehouse, run `gatehouse up {client}`, which gives it its key"
        )
    if why is Cause.KEY_REFUSED:
        return KeyRefusedError(
            f"{host} refuses {client}'s deploy key: it is not in /home/deploy/.ssh/authorized_keys there, or the root "
            f"secret is not the one that the box was made with. Log in with your own key and look"
        )
    return UnreachableError(
        f"{host} ({client}'s box) cannot be reached over ssh: {last_line(stderr)}. Look whether it runs, whether "
        f"this machine's address is in gatehouse:network.sshFrom, and whether port 22 is let out here"
    )

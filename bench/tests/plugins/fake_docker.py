"""A docker daemon of a few hundred lines for tests: containers, networks, volumes and images in a dict, over HTTP.

It behaves as dockerd 20.10 in what the recordings show (a limit of memory doubles as swap, a stopped container has no
ports, …) and can be told to fail. It runs nothing.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import socketserver
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Values = dict[str, Any]


class Fault(Exception):
    """An error that the daemon answers with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class FakeDocker:
    """The daemon's memory. `ids` are handed out in turn to what is made; `faults` maps a path's part to an error."""

    def __init__(self) -> None:
        self.containers: dict[str, Values] = {}
        self.networks: dict[str, Values] = {}
        self.volumes: dict[str, Values] = {}
        self.images: dict[str, Values] = {}
        self.registry: dict[str, Values] = {}  # what can be pulled
        self.ids: list[str] = []
        self.faults: dict[str, Fault] = {}
        self.exits: int | None = None  # what a started container does at once
        self.health = "healthy"
        self.logs = b""
        self.pools = [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]  # of networks that ask for none
        self.addresses: list[Values] = []  # what a container gets in its networks
        # How the addresses of one port stand in "inspect"; dockerd 20.10 has those of IPv6 first.
        self.addresses_in_order: Callable[[Values], Any] = lambda binding: ":" not in binding["HostIp"]
        self.calls: list[tuple[str, str, Any]] = []
        self.uploads: list[bytes] = []

    def _id(self) -> str:
        return self.ids.pop(0) if self.ids else f"{len(self.calls):064x}"

    def container(self, key: str) -> Values:
        for id, found in self.containers.items():
            if key in (id, found["Name"].lstrip("/")):
                return found
        raise Fault(404, f"No such container: {key}")

    def image(self, key: str) -> Values:
        for name, found in self.images.items():
            if key in (name, found["Id"]):
                return found
        raise Fault(404, f"No such image: {key}")

    def create_container(self, name: str, body: Values) -> Values:
        taken = next((c for c in self.containers.values() if c["Name"] == f"/{name}"), None)
        if taken:
            raise Fault(
                409,
                f'Conflict. The container name "/{name}" is already in use by container "{taken["Id"]}". '
                "You have to remove (or rename) that container to be able to reuse that name.",
            )
        image = self.image(body["Image"])
        id = self._id()
        short = f"{id}:12" if id.startswith("<") else id[:12]
        host = body.pop("HostConfig")
        host.setdefault("IpcMode", "private")
        host.setdefault("Runtime", "runc")
        host.setdefault("ShmSize", 64 << 20)
        host["LogConfig"]["Type"] = host["LogConfig"]["Type"] or "json-file"
        if host.get("Memory") and not host.get("MemorySwap"):
            host["MemorySwap"] = 2 * host["Memory"]
        config = {"Hostname": short.replace(">:12", ":12>"), **image.get("Config", {}), **body}
        config["Hostname"] = config["Hostname"] or short.replace(">:12", ":12>")
        self.containers[id] = {
            "Id": id,
            "Name": f"/{name}",
            "Image": image["Id"],
            "Platform": "linux",
            "Config": config,
            "HostConfig": host,
            "State": {"Running": False, "ExitCode": 0},
            "NetworkSettings": {"Bridge": "", "Networks": {host["NetworkMode"]: {}}, "Ports": {}},
        }
        return {"Id": id, "Warnings": []}

    def start(self, key: str) -> None:
        found = self.container(key)
        running = self.exits is None
        found["State"] = {"Running": running, "ExitCode": self.exits or 0}
        if found["Config"].get("Healthcheck"):
            found["State"]["Health"] = {"Status": self.health}
        settings = found["NetworkSettings"]
        for number, name in enumerate(settings["Networks"]):
            settings["Networks"][name] = self.addresses[number] if running and self.addresses else {}
        bindings: dict[str, list[Values]] = found["HostConfig"].get("PortBindings", {}) if running else {}
        settings["Ports"] = {
            port: sorted(held, key=self.addresses_in_order) for port, held in bindings.items()
        }

    def update(self, key: str, body: Values) -> None:
        self.container(key)["HostConfig"].update(body)

    def pull(self, name: str) -> None:
        if name not in self.registry:
            raise Fault(404, f"manifest for {name} not found: manifest unknown")
        self.images[name] = self.registry[name]


Handler = Callable[..., Any]


def _routes(daemon: FakeDocker) -> list[tuple[str, str, Handler]]:
    def connect(network: str, body: Values) -> None:
        daemon.container(body["Container"])["NetworkSettings"]["Networks"][network] = {}

    def disconnect(network: str, body: Values) -> None:
        networks = daemon.container(body["Container"])["NetworkSettings"]["Networks"]
        if network not in networks:
            raise Fault(403, f"container {body['Container']} is not connected to network {network}")
        del networks[network]

    def make_network(body: Values) -> Values:
        id = daemon._id()
        pools = body.get("IPAM", {}).get("Config") or daemon.pools
        daemon.networks[id] = {
            "Id": id,
            "Name": body["Name"],
            "Driver": body.get("Driver") or "bridge",
            "Scope": "local",
            "IPAM": {"Driver": "default", "Options": None, "Config": pools},
            "Labels": body.get("Labels"),
            "Options": body.get("Options") or {},
            "EnableIPv6": body.get("EnableIPv6", False),
            "Internal": body.get("Internal", False),
        }
        return {"Id": id}

    def make_volume(body: Values) -> Values:
        name = body["Name"]
        made = {
            "Name": name,
            "Driver": body.get("Driver") or "local",
            "Mountpoint": f"/srv/docker/data/volumes/{name}/_data",
            "Options": body.get("DriverOpts"),
            "Labels": body.get("Labels"),
        }
        return daemon.volumes.setdefault(name, made)

    def known(of: dict[str, Values], key: str, what: str) -> Values:
        for id, found in of.items():
            if key in (id, found.get("Name")):
                return found
        raise Fault(404, f"No such {what}: {key}")

    def remove_container(id: str) -> None:
        del daemon.containers[daemon.container(id)["Id"]]

    return [
        ("GET", r"/_ping", lambda: b"OK"),
        ("POST", r"/containers/create", lambda body, name: daemon.create_container(name, body)),
        ("GET", r"/containers/([^/]+)/json", daemon.container),
        ("GET", r"/containers/([^/]+)/logs", lambda id: daemon.logs),
        ("POST", r"/containers/([^/]+)/start", daemon.start),
        ("POST", r"/containers/([^/]+)/stop", lambda id: daemon.container(id)["State"].update(Running=False)),
        ("POST", r"/containers/([^/]+)/wait", lambda id: {"StatusCode": daemon.exits or 0}),
        ("POST", r"/containers/([^/]+)/update", daemon.update),
        ("PUT", r"/containers/([^/]+)/archive", lambda id, body: daemon.uploads.append(body)),
        ("DELETE", r"/containers/([^/]+)", remove_container),
        ("GET", r"/images/(.+)/json", daemon.image),
        ("POST", r"/images/create", lambda fromImage, tag=None: daemon.pull(f"{fromImage}:{tag}")),
        (
            "DELETE",
            r"/images/(.+)",
            lambda name: [daemon.image(name) and daemon.images.pop(name, None) and {}],
        ),
        ("POST", r"/networks/create", make_network),
        ("GET", r"/networks/([^/]+)", lambda id: known(daemon.networks, id, "network")),
        ("POST", r"/networks/([^/]+)/connect", connect),
        ("POST", r"/networks/([^/]+)/disconnect", disconnect),
        (
            "DELETE",
            r"/networks/([^/]+)",
            lambda id: daemon.networks.pop(known(daemon.networks, id, "network")["Id"]),
        ),
        ("POST", r"/volumes/create", make_volume),
        ("GET", r"/volumes/([^/]+)", lambda id: known(daemon.volumes, id, "volume")),
        (
            "DELETE",
            r"/volumes/([^/]+)",
            lambda id: daemon.volumes.pop(known(daemon.volumes, id, "volume")["Name"]),
        ),
    ]


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


# Stands for ssh to a box: joins stdin and stdout to the daemon's socket, both ways, to the end, as `docker system
# dial-stdio` does there; and answers the `docker info` and `docker … inspect` of a command.
SSH = """#!{python}
import json, os, socket, sys, threading
import http.client
def connect():
    made = socket.socket(socket.AF_UNIX)
    made.connect({socket!r})
    return made
words = sys.argv[1:]
open({log!r}, "a").write(" ".join(words) + "\\n")
if "dial-stdio" in words:
    connection = connect()
    def back():
        while chunk := connection.recv(65536):
            os.write(1, chunk)
        os._exit(0)
    threading.Thread(target=back, daemon=True).start()
    while chunk := os.read(0, 65536):
        connection.sendall(chunk)
    connection.shutdown(socket.SHUT_WR)
    threading.Event().wait(5)
elif "info" in words:
    if {refused}:
        sys.exit("Host key verification failed.")
    print("the daemon")
else:
    kind, name = words[words.index("docker") + 1], words[-1]
    path = "/images/" + name + "/json" if kind == "image" else "/" + kind + "s/" + name
    asked = http.client.HTTPConnection("docker")
    asked.sock = connect()
    asked.request("GET", path + ("/json" if kind == "container" else ""))
    answer = asked.getresponse()
    found = json.loads(answer.read())
    if answer.status != 200:
        sys.exit("no such thing")
    print(found["Id"])
"""


class Serving:
    """The daemon on a unix socket, for `with`: gives the socket's path."""

    def __init__(self, daemon: FakeDocker) -> None:
        self._folder = tempfile.mkdtemp(prefix="fake-docker-")
        path = f"{self._folder}/docker.sock"
        routes = _routes(daemon)

        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def address_string(self) -> str:
                return "unix"

            def log_message(self, *_: Any) -> None:
                pass

            def answer(self) -> None:
                url = urlsplit(self.path)
                path = re.sub(r"^/v1\.\d+", "", url.path)
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                query = {key: values[0] for key, values in parse_qs(url.query).items()}
                is_json = "json" in (self.headers.get("Content-Type") or "")
                body = json.loads(raw) if raw and is_json else raw
                daemon.calls.append((self.command, path, body))
                try:
                    for part, fault in daemon.faults.items():
                        if part in f"{self.command} {path}":
                            raise fault
                    status, reply = 200, _dispatch(routes, self.command, path, query, body)
                except Fault as fault:
                    status, reply = fault.status, {"message": fault.message}
                text = (
                    reply
                    if isinstance(reply, bytes)
                    else json.dumps(reply if reply is not None else {}).encode()
                )
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

        self._server = _Server(path, Answer)
        self.path = Path(path)

    def __enter__(self) -> Path:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        return self.path

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self._folder)


def _dispatch(
    routes: list[tuple[str, str, Handler]], method: str, path: str, query: Values, body: Any
) -> Any:
    for verb, pattern, handler in routes:
        match = re.fullmatch(pattern, path)
        if verb != method or not match:
            continue
        code = getattr(handler, "__func__", handler).__code__
        wanted = code.co_varnames[: code.co_argcount]
        extra = {
            name: body if name == "body" else query[name]
            for name in wanted
            if name == "body" or name in query
        }
        return handler(*(unquote(group) for group in match.groups()), **extra)
    raise Fault(404, f"page not found: {method} {path}")


def write_ssh(path: Path, socket: Path, *, log: Path | None = None, refused: bool = False) -> None:
    """Put an `ssh` there that reaches this daemon, or whose host key is refused; `log` gets its arguments."""
    path.parent.mkdir(exist_ok=True)
    text = SSH.format(python=sys.executable, socket=str(socket), log=str(log or os.devnull), refused=refused)
    path.write_text(text)
    path.chmod(0o755)

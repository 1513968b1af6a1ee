"""One emulator while recordings are replayed to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.npm.testing import ADMIN_EMAIL, ADMIN_PASSWORD, Served, serve
from bench.tests.npm import conf, replay
from bench.tests.npm.replay import Replay


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

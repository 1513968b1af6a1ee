"""The real nginx beside the API: started, kept running, tested and reloaded as the real image does it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from bench.npm import base_conf
from bench.npm.layout import Layout

MODULES = Path("/usr/lib/nginx/modules")
FRESH = 1.0
"""Seconds for which a test's good result holds for files that have not changed."""
START = 5.0
"""Seconds that nginx may take until it can be signalled."""
WANTED_MODULES = ("ndk_http_module.so", "ngx_http_headers_more_filter_module.so", "ngx_stream_module.so")


class NginxError(Exception):
    """nginx refuses its configuration; the text is what it said."""


class Nginx:
    """nginx with this layout's configuration. Without a `binary` every test fails and says why: the bench
    does not pretend that a configuration works.
    """

    def __init__(self, layout: Layout, binary: Path | None) -> None:
        self.layout = layout
        self.binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._watcher: threading.Thread | None = None
        self._good: set[tuple[str, int, int]] = set()
        self._good_at = 0.0

    @staticmethod
    def find(name: str = "nginx") -> Path | None:
        """The nginx of this machine, if it has one."""
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        return Path(found) if found else None

    def version(self) -> tuple[int, ...]:
        """Its version, (0,) without one."""
        if self.binary is None:
            return (0,)
        told = subprocess.run([self.binary, "-v"], capture_output=True, text=True, check=True).stderr
        found = re.search(r"nginx/([\d.]+)", told)
        return tuple(int(part) for part in found[1].split(".")) if found else (0,)

    def prepare(self) -> None:
        """Write nginx.conf and its includes."""
        modules = [MODULES / name for name in WANTED_MODULES if (MODULES / name).exists()]
        base_conf.write(self.layout, modules, user="root" if os.geteuid() == 0 else None)
        (self.layout.conf / "scratch").mkdir(exist_ok=True)

    def start(self) -> None:
        """Start it and start it again whenever it ends, as the image's supervisor does."""
        if self.binary is None:
            return
        self._wanted = True
        process = self._spawn()
        until = time.monotonic() + START
        while process.poll() is None and not self._ready(process) and time.monotonic() < until:
            time.sleep(0.005)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """End it."""
        self._wanted = False
        process = self._process
        if process and process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._watcher:
            self._watcher.join(2)

    def test(self) -> None:
        """`nginx -t`. Raises NginxError with its words.

        Between two writes the real one tests the same files up to three times. Here files that were found good
        less than a second ago, and have not been touched since, are taken to be good still.
        """
        if self.binary is None:
            raise NginxError(
                "nginx: [emerg] the bench was started without an nginx: no configuration is in use\n"
            )
        files, began = self._files(), time.monotonic()
        if self._good == files and began - self._good_at < FRESH:
            return
        done = subprocess.run([*self._argv(), "-t"], capture_output=True, text=True, check=False)
        if done.returncode:
            # As the real one: complaints about the compiled-in log file are a trait of the container.
            kept = [line for line in done.stderr.split("\n") if "/var/log/nginx/error.log" not in line]
            raise NginxError("\n".join(kept))
        self._good, self._good_at = files, began

    def reload(self) -> None:
        """Test, then let the running nginx read its configuration anew. Raises NginxError."""
        self.test()
        process = self._process
        if process is None or not self._ready(process):
            raise NginxError(f'nginx: [error] invalid PID number "" in "{self._pid_file}"\n')
        process.send_signal(signal.SIGHUP)

    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def _argv(self) -> list[str]:
        conf = self.layout.conf
        return [
            str(self.binary),
            "-p",
            f"{conf}/",
            "-c",
            f"{conf}/nginx.conf",
            "-e",
            f"{self.layout.logs}/nginx.log",
        ]

    def _files(self) -> set[tuple[str, int, int]]:
        """What `nginx -t` reads: names, moments of change, sizes."""
        layout = self.layout
        places = (
            layout.conf / "conf.d",
            layout.data / "nginx",
            layout.data / "custom_ssl",
            layout.letsencrypt / "live",
        )
        found = [path for place in places for path in place.rglob("*")] + [layout.conf / "nginx.conf"]
        seen = set()
        for path in found:
            with contextlib.suppress(FileNotFoundError):  # it may go while we look
                stat = path.stat()
                seen.add((str(path), stat.st_mtime_ns, stat.st_size))
        return seen

    @property
    def _pid_file(self) -> Path:
        return self.layout.conf / "nginx.pid"

    def _ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it has come so far that a signal reaches its handlers: then it has written its pid."""
        try:
            return process.poll() is None and self._pid_file.read_text().strip() == str(process.pid)
        except FileNotFoundError:
            return False

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._pid_file.unlink(missing_ok=True)
        self._process = subprocess.Popen(self._argv(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self._process

    def _watch(self) -> None:
        while self._wanted:
            if self._process is None or self._process.poll() is not None:
                time.sleep(1)
                if self._wanted:
                    self._spawn()
            time.sleep(0.2)

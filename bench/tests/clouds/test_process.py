"""The clouds as a process of their own, as the bench runs them."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import typer
from typer.testing import CliRunner

from bench.clouds.__main__ import main
from bench.clouds.store import tokens
from bench.paths import ROOT


def start(directory: Path, *more: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "bench.clouds", "--directory", str(directory), *more]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_process_serves_keeps_its_state_when_killed_and_ends_on_sigterm(tmp_path: Path) -> None:
    hetzner, cloudflare = free_port(), free_port()
    options = [
        f"--hetzner=127.0.0.1:{hetzner}",
        f"--cloudflare=127.0.0.1:{cloudflare}",
        "--zone=demo.example",
    ]
    headers = {"Authorization": f"Bearer {tokens(tmp_path).hetzner}"}
    body = {"name": "fw", "labels": {"a": "b"}}
    for last, number in ((False, signal.SIGKILL), (True, signal.SIGTERM)):
        process = start(tmp_path, *options)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        url = f"http://127.0.0.1:{hetzner}/v1/firewalls"
        if not last:
            assert httpx.post(url, headers=headers, json=body).status_code == 201
        assert [f["name"] for f in httpx.get(url, headers=headers).json()["firewalls"]] == ["fw"]
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == (0 if last else -signal.SIGKILL)
        assert "Traceback" not in errors


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(tmp_path, f"--hetzner=127.0.0.1:{taken.getsockname()[1]}", "--cloudflare=127.0.0.1:0")
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "cannot listen" in errors
    assert "Traceback" not in errors


def test_wrong_options_are_told(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(main)
    for option, told in (
        ("--hetzner=nowhere", "nowhere is not an address"),
        ("--name=host", "--name host"),
        ("--machines=metal", "null or nspawn"),
    ):
        done = CliRunner().invoke(app, ["--directory", str(tmp_path), option])
        assert done.exit_code == 2
        assert told in " ".join(done.output.replace("│", " ").split())

"""Stands in for the official command plugin: local commands. Remote ones it refuses.

Recorded of the official one (1.2.1), and kept: any changed input runs `update`, or `create` again where
there is none; stdout and stderr go to the state in clear; a refresh looks at nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import signal
import subprocess
from collections.abc import Mapping
from typing import Any, ClassVar

from bench.plugins.base import Call, CheckFailed, Diff, Failed, Found, Provider, Resource
from bench.plugins.schema import resource
from bench.plugins.values import UNKNOWN, Values, plain

RUNNING: set[subprocess.Popen[bytes]] = set()  # each leads a process group of its own
OUTPUTS = ("stdout", "stderr", "assets", "archive")


class Command(Resource):
    """command:local:Command."""

    token = "command:local:Command"  # noqa: S105 - a type, no secret

    def check(self, call: Call) -> Values:
        known = resource(self.token)["inputProperties"]
        failures = [
            (name, f"Unrecognized field '{name}' on 'local.CommandInputs'")
            for name in call.news
            if name not in known
        ]
        for name in ("assetPaths", "archivePaths"):
            if name in call.news:
                failures.append((name, f"{name} is not known to the bench; use the official command plugin"))
        for name, value in call.news.items():
            if known.get(name, {}).get("type") == "string" and isinstance(plain(value), dict | list):
                held = "Object{}" if isinstance(plain(value), dict) else "[]"
                reason = (
                    f"Cannot decode {held} to type string; it isn't a struct, and no custom decoder exists"
                )
                failures.append((name, f"An error occurred decoding 'CommandInputs.{name}': {reason}"))
        if failures:
            raise CheckFailed(*failures)
        return dict(call.news)

    def diff(self, call: Call) -> Diff:
        olds = {key: value for key, value in call.olds.items() if key not in OUTPUTS}
        detailed: dict[str, str] = {}
        for key in sorted({*olds, *call.news}):
            if key not in call.ignore:
                _compare(key, plain(olds.get(key)), plain(call.news.get(key)), detailed)
        if "triggers" in detailed:
            detailed["triggers"] += "_REPLACE"
        changed = sorted({path.split("[")[0].split(".")[0] for path in detailed})
        return Diff(
            diffs=changed,
            replaces=[key for key in changed if detailed.get(key, "").endswith("_REPLACE")],
            detailed=detailed,
        )

    def create(self, call: Call) -> tuple[str, Values]:
        id = f"{call.name}{secrets.token_hex(4)}"
        return id, self._run(call, call.news.get("create"), {})

    def update(self, call: Call) -> Values:
        return self._run(call, call.news.get("update") or call.news.get("create"), call.olds)

    def read(self, call: Call) -> Found:
        return Found(call.id, call.olds, call.old_inputs)

    def delete(self, call: Call) -> None:
        if command := call.olds.get("delete"):
            self._execute(call, plain(command), plain(call.olds), call.olds)

    def _run(self, call: Call, command: Any, olds: Values) -> Values:
        if call.preview:
            return {**call.news, "stdout": UNKNOWN, "stderr": UNKNOWN}
        if not command:
            return {**call.news, "stdout": "", "stderr": ""}
        stdout, stderr = self._execute(call, plain(command), plain(call.news), olds)
        return {**call.news, "stdout": stdout, "stderr": stderr}

    def _execute(self, call: Call, command: str, inputs: Values, olds: Values) -> tuple[str, str]:
        logging = inputs.get("logging", "stdoutAndStderr")

        def show(stream: str, line: str) -> None:
            if stream in logging.lower():
                self.provider.log("INFO", line, call.urn, ephemeral=True)

        return execute(command, inputs, environment(inputs, olds), show)


def environment(inputs: Values, olds: Values) -> dict[str, str]:
    """What the command finds in its environment: this process's, the inputs', the previous output."""
    found = {**os.environ, **{key: _text(value) for key, value in inputs.get("environment", {}).items()}}
    if inputs.get("addPreviousOutputInEnv", True):
        for stream in ("stdout", "stderr"):
            if stream in olds:
                found[f"PULUMI_COMMAND_{stream.upper()}"] = str(plain(olds[stream]))
    return found


def execute(command: str, inputs: Values, variables: Mapping[str, str], show: Any) -> tuple[str, str]:
    """Run `command`: its stdout and stderr without their last newline; raises Failed."""
    argv = [*(inputs.get("interpreter") or ["/bin/sh", "-c"]), command]
    running = f"running {json.dumps(command, ensure_ascii=False)}:\n"
    try:
        child = subprocess.Popen(
            argv,
            cwd=inputs.get("dir") or None,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        text = (error.strerror or str(error)).lower()
        if error.filename == inputs.get("dir"):
            raise Failed(f"chdir {error.filename}: {text}: {running}") from None
        raise Failed(f"fork/exec {argv[0]}: {text}: {running}") from None
    RUNNING.add(child)
    try:
        taken = _pump(child, str(inputs.get("stdin", "")).encode(), show)
        code = child.wait()
    finally:
        RUNNING.discard(child)
    if code != 0:
        how = f"exit status {code}" if code > 0 else f"signal: {signal.strsignal(-code) or -code}".lower()
        raise Failed(f"{how}: {running}{taken['both'].decode(errors='replace')}")
    stdout, stderr = (
        taken[name].decode(errors="replace").removesuffix("\n") for name in ("stdout", "stderr")
    )
    return stdout, stderr


def _pump(child: subprocess.Popen[bytes], stdin: bytes, show: Any) -> dict[str, bytes]:
    """Feed `stdin` and collect what comes, each stream alone and both as they came."""
    assert child.stdin and child.stdout and child.stderr
    taken = {"stdout": b"", "stderr": b"", "both": b""}
    partial = {"stdout": b"", "stderr": b""}
    with selectors.DefaultSelector() as selector, child.stdin, child.stdout, child.stderr:
        os.set_blocking(child.stdin.fileno(), False)
        selector.register(child.stdin, selectors.EVENT_WRITE, "stdin")
        selector.register(child.stdout, selectors.EVENT_READ, "stdout")
        selector.register(child.stderr, selectors.EVENT_READ, "stderr")
        while any(key.data != "stdin" for key in selector.get_map().values()):
            for key, _ in sorted(selector.select(), key=lambda pair: pair[0].data, reverse=True):
                if key.data == "stdin":
                    stdin = _feed(child, stdin)
                    if not stdin:
                        selector.unregister(child.stdin)
                        child.stdin.close()
                    continue
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                    continue
                taken[key.data] += chunk
                taken["both"] += chunk
                *whole, partial[key.data] = (partial[key.data] + chunk).split(b"\n")
                for line in whole:
                    show(key.data, line.decode(errors="replace"))
    for stream, rest in partial.items():
        if rest:
            show(stream, rest.decode(errors="replace"))
    return taken


def _feed(child: subprocess.Popen[bytes], stdin: bytes) -> bytes:
    """Write what the pipe takes; what is left. A command that doesn't read its input is no error."""
    assert child.stdin
    try:
        return stdin[os.write(child.stdin.fileno(), stdin) :]
    except BrokenPipeError:
        return b""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _compare(path: str, old: Any, new: Any, found: dict[str, str]) -> None:
    """Note in `found` what differs at and below `path`."""
    if old == new:
        return
    if old is None or new is None:
        found[path] = "ADD" if old is None else "DELETE"
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            _compare(f"{path}.{key}", old.get(key), new.get(key), found)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            was, now = (each[index] if index < len(each) else None for each in (old, new))
            _compare(f"{path}[{index}]", was, now, found)
    else:
        found[path] = "UPDATE"


def run(provider: Provider, arguments: Values, _: bool) -> Values:
    """The function command:local:run; it runs in previews too, as the official one's does."""
    inputs = plain(arguments)

    def show(_: str, line: str) -> None:
        provider.log("INFO", line, "", ephemeral=True)

    stdout, stderr = execute(inputs["command"], inputs, environment(inputs, {}), show)
    return {**arguments, "stdout": stdout, "stderr": stderr}


class CommandProvider(Provider):
    """The command plugin."""

    name, version = "command", "1.2.1"
    resources: ClassVar = {Command.token: Command}
    functions: ClassVar = {"command:local:run": run}
    configured: ClassVar = {
        "acceptSecrets": True,
        "supportsPreview": True,
        "acceptResources": True,
        "acceptOutputs": True,
    }

    def cancel(self) -> None:
        for child in list(RUNNING):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)

    def handshake(self) -> Values:
        return {
            "acceptSecrets": True,
            "acceptResources": True,
            "acceptOutputs": True,
            "acceptsByteString": True,
        }

    def check_config(self, news: Values) -> Values:
        return {**news, "__pulumi-go-provider-version": "v1.5.0"}

    def diff_config(self, _: Call) -> Diff:
        raise Failed("DiffConfig is not implemented", code="UNIMPLEMENTED")


PROVIDER = CommandProvider

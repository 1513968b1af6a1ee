"""The Python language host of the bench: what the official `pulumi-language-python` is to the engine.

It speaks the SDK's own protocol. The engine asks it to run a program; it starts that program's Python,
passes the stack's config by the environment, and says how it ended. It answers no plugin as required: the
engine starts those that the program uses, when it uses them.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from importlib import metadata
from pathlib import Path
from typing import IO, Any

if __name__ == "__main__":  # started by its path, from any folder
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from bench.plugins.protocol import protocol_only

    protocol_only()
import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from bench.lifetime import end_with_parent

EXPLAINED = 32
PROGRAM = Path(__file__).with_name("program.py")


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """One language host: it runs one program at a time."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def Handshake(self, request: Any, _: Any) -> Any:  # noqa: N802 - the protocol's name, as all below
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, _: Any, __: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi"))

    def GetRequiredPackages(self, _: Any, __: Any) -> Any:  # noqa: N802
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, _: Any, __: Any) -> Any:  # noqa: N802
        return language_pb2.GetRequiredPluginsResponse()

    def About(self, _: Any, __: Any) -> Any:  # noqa: N802
        return language_pb2.AboutResponse(executable=sys.executable, version=platform.python_version())

    def GetProgramDependencies(self, _: Any, __: Any) -> Any:  # noqa: N802
        found = {package.name: package.version for package in metadata.distributions()}
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=n, version=v) for n, v in sorted(found.items())]
        )

    def RuntimeOptionsPrompts(self, _: Any, __: Any) -> Any:  # noqa: N802
        return language_pb2.RuntimeOptionsResponse()

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        """`pulumi install`: the virtual environment that the project names, with its requirements.txt."""
        root = Path(request.info.root_directory or request.directory)
        try:
            folder = self._environment(json_format.MessageToDict(request.info.options), root)
        except ValueError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        python = str(folder / "bin" / "python") if folder else sys.executable
        steps = []
        if folder and not Path(python).exists():
            steps.append([shutil.which("python3") or sys.executable, "-m", "venv", str(folder)])
        wanted = Path(request.info.program_directory or root) / "requirements.txt"
        if wanted.exists():
            steps.append([python, "-m", "pip", "install", "--disable-pip-version-check", "-r", str(wanted)])
        for argv in steps:
            child = self._start(argv, root, dict(os.environ), context)
            for said in _said(child):
                yield language_pb2.InstallDependenciesResponse(**said)
            if child.wait():
                context.abort(grpc.StatusCode.UNKNOWN, f"`{' '.join(argv)}` ended with {child.returncode}")

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        """Run a plugin that is written in Python, such as a policy pack, until it ends."""
        root = Path(request.info.root_directory or request.pwd)
        environment = dict(os.environ) | dict(each.split("=", 1) for each in request.env)
        program = request.info.program_directory or request.program
        try:
            python = self._python(json_format.MessageToDict(request.info.options), root, environment)
        except ValueError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        child = self._start([python, "-u", program, *request.args], Path(request.pwd), environment, context)
        for said in _said(child):
            yield language_pb2.RunPluginResponse(**said)
        yield language_pb2.RunPluginResponse(exitcode=child.wait())

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Run the program; `bail` when it has already explained why it failed."""
        try:
            argv, environment = self._command(request)
        except ValueError as error:
            return language_pb2.RunResponse(error=str(error))
        code = self._start(argv, Path(request.pwd), environment, context, heard=False).wait()
        if code in (0, EXPLAINED):
            return language_pb2.RunResponse(bail=code == EXPLAINED)
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        return language_pb2.RunResponse(error=f"the program {how}")

    def Cancel(self, _: Any, __: Any) -> Any:  # noqa: N802
        self.stop()
        return empty_pb2.Empty()

    def stop(self) -> None:
        """End what still runs."""
        with self._lock:
            for child in self._children:
                _kill(child)

    def _start(
        self,
        argv: list[str],
        folder: Path,
        environment: dict[str, str],
        context: grpc.ServicerContext,
        *,
        heard: bool = True,
    ) -> subprocess.Popen[bytes]:
        """Start a program that ends with the call. What it says goes on as it comes, or is `heard` by the caller."""
        pipe = subprocess.PIPE if heard else None
        with self._lock:
            self._children = {child for child in self._children if child.poll() is None}
            child = subprocess.Popen(
                argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe,
                start_new_session=True,
            )  # fmt: skip
            self._children.add(child)
        context.add_callback(lambda: _kill(child))  # the engine gave up on the call
        return child

    def _command(self, request: Any) -> tuple[list[str], dict[str, str]]:
        info = request.info
        root = Path(info.root_directory or request.pwd)
        folder = Path(info.program_directory or request.pwd)
        entry = info.entry_point or request.program or "."
        environment = dict(os.environ)
        python = self._python(json_format.MessageToDict(info.options), root, environment)
        if request.config:
            environment["PULUMI_CONFIG"] = json.dumps(dict(request.config))
        environment["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
        settings = {
            "program": str(folder / entry),
            "args": list(request.args),
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "stack": request.stack,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "organization": request.organization,
            "root": str(root),
        }
        return [python, "-u", str(PROGRAM), json.dumps(settings)], environment

    @staticmethod
    def _environment(options: dict[str, Any], root: Path) -> Path | None:
        """The virtual environment that the project's runtime options name, if any; raises ValueError."""
        if options.get("toolchain", "pip") != "pip":
            raise ValueError(
                f"Pulumi.yaml: runtime.options.toolchain: {options['toolchain']} is not known to the bench's "
                "language host, only pip; install Pulumi itself to use it"
            )
        return (root / str(options["virtualenv"])).absolute() if options.get("virtualenv") else None

    def _python(self, options: dict[str, Any], root: Path, environment: dict[str, str]) -> str:
        """The program's Python, as those options say; raises ValueError."""
        folder = self._environment(options, root)
        if folder is None:
            return sys.executable
        python = folder / "bin" / "python"
        if not python.exists():
            raise ValueError(
                f"Pulumi.yaml: runtime.options.virtualenv: there is no Python in {folder}; "
                "make it with `pulumi install`"
            )
        environment["VIRTUAL_ENV"] = str(folder)
        environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{environment.get('PATH', os.defpath)}"
        environment.pop("PYTHONHOME", None)
        return str(python)


def _said(child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What a program says, as it comes: a line of it by its stream's name."""
    lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def read(name: str, stream: IO[bytes]) -> None:
        for line in stream:
            lines.put({name: line})
        lines.put(None)

    assert child.stdout is not None
    assert child.stderr is not None
    for name, stream in (("stdout", child.stdout), ("stderr", child.stderr)):
        threading.Thread(target=read, args=(name, stream), daemon=True).start()
    for _ in range(2):
        yield from iter(lines.get, None)


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Serve on a free loopback port, print it, and stay until the engine is gone."""
    host = Host(next((argument for argument in arguments if not argument.startswith("-")), ""))
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=8),
        options=[("grpc.max_receive_message_length", 400 << 20), ("grpc.so_reuseport", 0)],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    end_with_parent(host.stop)

    def end(*_: object) -> None:
        host.stop()
        os._exit(1)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

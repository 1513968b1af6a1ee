"""Which engine and which plugins the bench chooses; none of it starts an engine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench import engine as bench_engine
from bench.engine import build, launchers


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize(
    ("says", "host", "taken"),
    [
        ("v3.272.0", True, True),
        ("v3.272.0-alpha.1", True, True),
        ("v3.120.0", True, False),  # too old for what the program asks of it
        ("v3.272.0", False, False),  # without its Python host it runs no program
        ("what?", True, False),
    ],
)
def test_the_operators_own_pulumi_is_taken_if_it_will_do(
    path: Path, says: str, host: bool, taken: bool
) -> None:
    _program(path / "pulumi", f"echo {says}")
    if host:
        _program(path / "pulumi-language-python", "")
    found = bench_engine._own()
    assert (found is not None) is taken
    if taken:
        assert found == (path / "pulumi", says.removeprefix("v"))


def test_a_pulumi_that_does_not_run_is_not_taken(path: Path) -> None:
    _program(path / "pulumi", "exit 1")
    _program(path / "pulumi-language-python", "")
    assert bench_engine._own() is None


def test_installed_plugins_are_preferred_and_the_rest_stood_in_for(tmp_path: Path, path: Path) -> None:
    own = tmp_path / "own"
    version = launchers.wanted("hcloud")
    official = own / "plugins" / f"resource-hcloud-v{version}" / "pulumi-resource-hcloud"
    _program(official, "echo official")
    _program(own / "plugins" / "resource-docker-v0.0.1" / "pulumi-resource-docker", "echo too old")
    newer = own / "plugins" / "resource-cloudflare-v6.999.0" / "pulumi-resource-cloudflare"
    _program(newer, "echo official")
    _program(path / "pulumi-resource-command", "echo official")

    home = tmp_path / "home"
    whose = launchers.plugins(home, {"PULUMI_HOME": str(own), "PATH": str(path)})
    assert whose == {
        "hcloud": official,
        "cloudflare": newer,
        "docker": None,
        "command": path / "pulumi-resource-command",
    }
    through = home / "plugins" / f"resource-hcloud-v{version}" / "pulumi-resource-hcloud"
    assert subprocess.check_output([through], text=True) == "official\n"
    assert not list(home.glob("plugins/resource-command-*"))  # the engine finds it in PATH

    # An environment made from that environment is the same: a launcher of the bench is nobody's installation.
    for place in (tmp_path / "again", home):
        again = launchers.plugins(place, {"PULUMI_HOME": str(home), "PATH": str(path)})
        assert {name: found is None for name, found in again.items()} == {
            n: f is None for n, f in whose.items()
        }
    assert subprocess.check_output([through], text=True) == "official\n"


def test_a_launcher_is_written_once_and_keeps_its_arguments(tmp_path: Path) -> None:
    target = tmp_path / "some where" / "run"
    launchers.write(target, ["/bin/echo", "it's", "$HOME"])
    before = target.stat().st_ino
    launchers.write(target, ["/bin/echo", "it's", "$HOME"])
    assert target.stat().st_ino == before
    assert subprocess.check_output([target, "a b"], text=True) == "it's $HOME a b\n"


def test_the_module_pins_one_version_of_engine_and_sdk() -> None:
    lines = (build.MODULE / "go.mod").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{build.version()} " in lines
    assert f"github.com/pulumi/pulumi/sdk/v3 v{build.version()} " in lines


@pytest.mark.parametrize(
    ("says", "new"), [("go1.26.8", True), ("go1.27", True), ("go1.25.9", False), ("", False)]
)
def test_go_is_asked_for_its_version(path: Path, says: str, new: bool) -> None:
    _program(path / "go", f'[ "$2" = GOVERSION ] && echo {says}')
    assert (build.go_version(str(path / "go"), {}) >= build.GO) is new


def test_a_failed_build_says_why_and_leaves_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(
        path / "go", 'case $1 in env) echo go1.27.0;; *) echo "no space left on device" >&2; exit 1;; esac'
    )
    _program(path / "nice", 'exec "$@"')
    monkeypatch.setattr(build, "CACHE", tmp_path / "cache")
    monkeypatch.setattr("bench.paths.CACHE", tmp_path / "cache")
    (tmp_path / "cache" / "engine" / build.version() / ".build-killed" / "path").mkdir(parents=True)
    said: list[str] = []
    with pytest.raises(build.BuildError, match="no space left on device"):
        build.built(said.append)
    assert "about three minutes" in said[0]
    left = {path.name for path in (tmp_path / "cache").rglob("*")}
    assert left == {"engine", "engine.lock", build.version()}


def test_a_build_that_calls_itself_something_else_is_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = (
        'while [ "$1" != -o ]; do shift; done; printf "#!/bin/sh\\necho v1.0.0\\n" > "$2"; /bin/chmod +x "$2"'
    )
    _program(path / "go", f"[ $1 = env ] && echo go1.27.0 && exit\n{fake}")
    _program(path / "nice", 'exec "$@"')
    monkeypatch.setattr(build, "CACHE", tmp_path / "cache")
    monkeypatch.setattr("bench.paths.CACHE", tmp_path / "cache")
    with pytest.raises(build.BuildError, match=r"calls itself 1\.0\.0"):
        build.built(lambda _: None)

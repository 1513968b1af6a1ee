"""The engine takes the schemas of the stand-ins, which `pulumi import` and `pulumi package` ask for."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from bench.engine import ensure
from bench.engine.launchers import STAND_INS
from bench.tests.engine.project import Project


@pytest.mark.engine
def test_the_engine_understands_each_schema(tmp_path: Path) -> None:
    project = Project.make(tmp_path, ensure(), {"__main__.py": ""})
    for name in STAND_INS:
        version = metadata.version(f"pulumi-{name}")
        told = project("package", "get-schema", f"{name}@{version}")
        package = json.loads(told[told.index("{") :])
        assert (package["name"], package["version"]) == (name, version)
        assert package["resources"]

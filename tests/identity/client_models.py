"""Holds payloads against the pydantic models of one version of authentik's own Python client.

Every version is a package of the same name, so each is asked in a process of its own, which is this module run with
the version's folder: {"model": …, "payload": …} a line in, a list of what is wrong (null: no such model) a line out.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import types
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bench.clients import ensure
from bench.paths import ROOT


def verdicts(version: str, payloads: Iterable[tuple[str, Any]]) -> list[list[str] | None]:
    """What this version's client says of each (model, payload): "field: words"; None where it has no such model."""
    asked = "".join(json.dumps({"model": name, "payload": payload}) + "\n" for name, payload in payloads)
    answered = subprocess.run(
        [sys.executable, "-m", __name__, str(ensure(version))],
        cwd=ROOT,
        input=asked,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in answered.stdout.splitlines()]


def _open(folder: Path) -> None:
    """Make the models importable from this folder.

    Importing the client takes seven seconds and all of its thousands of modules. The models need each other only, so
    the two packages that they are in are put in place without running what stands in them.
    """
    for name in ("authentik_client", "authentik_client.models"):
        package = types.ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")))]
        sys.modules[name] = package


@cache
def _modules(folder: Path) -> dict[str, str]:
    """Class -> module, as the package of the models lists them."""
    listed = (folder / "authentik_client" / "models" / "__init__.py").read_text()
    return {name: module for module, name in re.findall(r"from (authentik_client\.\S+) import (\w+)", listed)}


def _wrong(folder: Path, name: str, payload: Any) -> list[str] | None:
    module = _modules(folder).get(name)
    if module is None:
        return None
    model: type[BaseModel] = getattr(importlib.import_module(module), name)
    known = {info.alias or field for field, info in model.model_fields.items()}
    faults = [f"{field}: there is no such field" for field in payload if field not in known]
    try:
        model.model_validate(payload)
    except ValidationError as error:
        faults += [
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}, not {each['input']!r}"
            for each in error.errors()
        ]
    return faults


def _main(folder: Path) -> None:
    _open(folder)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(_wrong(folder, asked["model"], asked["payload"])))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))

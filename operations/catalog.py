"""Learn a new release line of authentik's: its catalog, from the schema that a running server gives out."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import yaml

from components.identity import catalog as known
from components.identity.kinds import ReleaseLine
from operations.errors import OperatorError
from tools.catalog import read_schema, write

TOKEN = "AUTHENTIK_TOKEN"  # noqa: S105 - the variable's name
SCHEMA = "/api/v3/schema/"


def learn(source: str, line: str) -> tuple[Path, int, list[str]]:
    """Write the catalog of a line; its file, how many kinds it has, and the paths of those that nothing is known of.

    `source` is authentik's address, the address of its schema, or a file. A server that gives its schema to nobody
    gets the token in AUTHENTIK_TOKEN.

    Raises:
        OperatorError: the line is none, or the source gives no schema of it. Nothing was written.
    """
    if not re.fullmatch(r"20\d\d\.\d{1,2}", line):
        raise OperatorError(f"{line!r} is not a release line.", "A line is year and month, such as 2026.11.")
    schema = _schema(source)
    version = str(schema["info"].get("version", "?"))
    if version.split(".")[:2] != line.split("."):
        raise OperatorError(
            f"{source} is authentik {version}, not a release of {line}.",
            f"Give --line {'.'.join(version.split('.')[:2])}, or the address of a server of that line.",
        )
    path = write(schema, line)
    known.load.cache_clear()
    kinds = json.loads(path.read_text())["kinds"]
    labelled = ReleaseLine(line)
    rows = {labelled.path(label) for label in labelled.labels()}
    return path, len(kinds), sorted(set(kinds) - rows)


def _schema(source: str) -> dict[str, dict[str, object]]:
    address = source
    if urlsplit(source).scheme in {"http", "https"} and urlsplit(source).path.strip("/") == "":
        address = source.rstrip("/") + SCHEMA
    try:
        schema = read_schema(address, os.environ.get(TOKEN))
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        remedy = f"Check the address; it is authentik's own, such as https://auth.acme.example, or ends in {SCHEMA}"
        if status in {401, 403}:
            remedy = (
                f"Put an API token of an administrator there into {TOKEN}, and run the same command again."
            )
        raise OperatorError(f"{address} answers HTTP {status}.", remedy) from None
    except httpx.HTTPError as error:
        raise OperatorError(
            f"{address} cannot be reached ({type(error).__name__}).",
            "Check that it is running, and the address.",
        ) from None
    except OSError as error:
        raise OperatorError(
            f"{source} cannot be read ({error.strerror}).", "Give an address with https://, or a file."
        ) from None
    except yaml.YAMLError:
        schema = {}
    if not isinstance(schema, dict) or not isinstance(schema.get("info"), dict) or "components" not in schema:
        raise OperatorError(
            f"{address} does not give an OpenAPI schema.", f"authentik gives it at {SCHEMA}, as YAML or JSON."
        )
    return schema

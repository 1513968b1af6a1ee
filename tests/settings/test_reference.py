from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml

from components.settings import check_file
from components.settings.model import Settings
from tests.settings.files import BAD, HERE, good, laid_over, read
from tools import settings_page

SCHEMA = json.loads(settings_page.SCHEMA.read_text())
# What an editor can see: forms of single values, not clashes.
SEEN_BY_EDITORS = (
    "unknown-field",
    "location",
    "image",
    "email-password-in-clear",
    "volume-too-small",
    "client-name",
)


def test_every_setting_is_explained() -> None:
    page = settings_page.PAGE.read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert all(cell.strip() for row in rows if row.count("|") == 5 for cell in row.split("|")[-2:-1])
    for field in Settings.model_fields.values():
        assert f"| `{field.alias}` |" in page


def document(settings: dict[str, Any]) -> dict[str, Any]:
    return {"config": {f"gatehouse:{name}": value for name, value in settings.items()}}


def test_the_schema_takes_good_files() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    assert list(validator.iter_errors(document(good()))) == []
    assert (
        list(
            validator.iter_errors(
                yaml.safe_load((settings_page.ROOT / "docs/example-stack.yaml").read_text())
            )
        )
        == []
    )


@pytest.mark.parametrize(
    "path", [path for path in BAD if path.stem in SEEN_BY_EDITORS], ids=lambda path: path.stem
)
def test_the_schema_sees_wrong_forms(path: Any) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert list(validator.iter_errors(document(laid_over(good(), read(path)["config"]))))


def test_the_example_is_a_good_stack_file() -> None:
    found = check_file(settings_page.ROOT / "docs" / "example-stack.yaml")
    assert found.client == "acme"
    assert found.warnings == ()
    assert len(found.apps) == 4


def test_the_number_of_seen_files_is_what_is_listed() -> None:
    assert len([path for path in BAD if path.stem in SEEN_BY_EDITORS]) == len(SEEN_BY_EDITORS)
    assert all(re.fullmatch(r"[a-z0-9-]+", path.stem) for path in (HERE / "bad").iterdir())

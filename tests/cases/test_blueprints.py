"""A blueprint that is declared is applied, waited for, and its failure told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bench.plain import PlainWorld
from tests.cases.test_index import HERE
from tests.operations.client import BenchClient

pytestmark = [pytest.mark.engine, pytest.mark.case("bp")]
FILE: dict[str, Any] = yaml.safe_load((HERE / "files" / "bp.yaml").read_text())
(OBJECT,) = FILE["gatehouse:objects"]
APPLY = r"/managed/blueprints/.*/apply/$"
FAILS = """
version: 1
metadata: {name: field}
entries:
  - model: authentik_core.group
    identifiers: {name: from-blueprint}
    attrs: {parents: [!Find [authentik_core.group, [name, nobody-has-this-name]]]}
"""


@pytest.fixture(scope="module")
def client(world: PlainWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchClient]:
    client = BenchClient(
        tmp_path_factory.mktemp("client"), world, groups=FILE["gatehouse:groups"], **objects()
    )
    client.up()
    yield client
    client.end()


def objects(content: str = "", **fields: Any) -> dict[str, Any]:
    own = {**OBJECT["fields"], **({"content": content} if content else {}), **fields}
    return {"objects": [{**OBJECT, "fields": own}]}


def applied(client: BenchClient) -> int:
    """How often the blueprint was applied since the last time that this was asked."""
    journal = client.api.delete("/_bench/journal").raise_for_status().json()
    return sum(each["method"] == "POST" and each["path"].endswith("/apply/") for each in journal)


def instance(client: BenchClient) -> Any:
    found = client.api.get("/api/v3/managed/blueprints/", params={"name": OBJECT["name"]})
    return found.raise_for_status().json()["results"][0]


def test_it_is_applied_once_and_again_when_its_content_changes(client: BenchClient) -> None:
    assert "from-blueprint" in client.names("group")
    assert instance(client)["status"] == "successful"
    assert applied(client) == 1
    assert "No change" in client.up()
    assert applied(client) == 0
    client.edit(**objects(OBJECT["fields"]["content"].replace("from-blueprint", "another")))
    client.up()
    assert applied(client) == 1
    assert {"another", "from-blueprint"} <= set(client.names("group"))
    client.edit(**objects(OBJECT["fields"]["content"].replace("from-blueprint", "another"), enabled=False))
    client.up()
    assert applied(client) == 0, "one that is not enabled does nothing"


def test_what_did_not_end_well_is_told_and_made_again(client: BenchClient) -> None:
    client.edit(**objects(FAILS))
    said = client.up(check=False)
    assert "to apply blueprint instance 'field-blueprint' ended with the status 'error'" in said
    assert "there is no authentik_core.group with {'name': 'nobody-has-this-name'}" in said
    applied(client)
    said = client.up(check=False)
    assert "ended with the status 'error'" in said, "the next run does not take it for done"
    assert applied(client) == 1
    client.edit(**objects(), groups=["bp-staff", "nobody-has-this-name"])
    client.up()
    assert instance(client)["status"] == "successful"


def test_one_that_an_earlier_version_made_and_never_applied(client: BenchClient) -> None:
    """As it stood after a run of the first version: there, with the status unknown."""
    found = instance(client)
    client.api.delete(f"/api/v3/managed/blueprints/{found['pk']}/").raise_for_status()
    body = {name: found[name] for name in ("name", "enabled", "content")}
    client.api.post("/api/v3/managed/blueprints/", json=body).raise_for_status()
    applied(client)
    client.up()
    assert applied(client) == 1
    assert instance(client)["status"] == "successful"

"""The list of docs/how-to.md for a container, followed in a copy of the checkout: what it touches is enough."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checkout import Copy

SPECS, SERVICES = "components/containers/specs.py", "components/containers/services.py"
IMAGES, TESTS = "bench/images/table.py", "tests/containers/test_containers.py"
ROW = '''\
def exporter(secrets: Secrets) -> ContainerSpec:
    """What tells Prometheus of the database."""
    return ContainerSpec(
        name="postgres-exporter",
        needs=("postgres",),
        env={"DATA_SOURCE_USER": "authentik", "DATA_SOURCE_PASS": secrets.value("postgres/password")},
        health=("CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9187/"),
        memory_mb=64,
        tmpfs=("/tmp",),
    )


def authentik('''
SERVICE = """\
    "postgres-exporter": Service(
        "quay.io/prometheuscommunity/postgres-exporter:v0.17.1",
        restarts="the database is not measured while its exporter restarts",
        awaited="the exporter to be healthy",
    ),
"""
IMAGE = """\
EXPORTER = Image(
    name="quay.io/prometheuscommunity/postgres-exporter",
    tags=("v0.17.1",),
    layers=(),
    entrypoint=("python3", "-m", "http.server", "9187"),
    ports=(9187,),
)
IMAGES = (EXPORTER, """
PROGRAM = """
import json
from operations import impacts, progress
from tests.containers import test_containers as tests

tests.test_a_row_says_all_that_a_container_needs("2026.8", True)
tests.test_what_does_not_answer_without_a_container()
tests.test_what_runs_on_the_box(False)
tests.test_each_container_is_where_it_has_to_be_and_nowhere_else()
tests.test_each_container_has_limits_and_keeps_no_right_that_it_does_not_need()
key = "docker:index/container:Container/postgres-exporter"
print(json.dumps([impacts.TABLE[key].replace, progress.STARTS[key]]))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of the checkout to which an exporter was added."""
    copy = Copy(tmp_path_factory.mktemp("container") / "checkout")
    copy.edit(SPECS, "def authentik(", ROW)
    copy.edit(
        SPECS, "        postgres(secrets),\n", "        postgres(secrets),\n        exporter(secrets),\n"
    )
    copy.edit(SERVICES, '    "redis": Service(', f'{SERVICE}    "redis": Service(')
    copy.edit(IMAGES, "IMAGES = (", IMAGE)
    copy.edit(TESTS, '"redis": {9000},', '"redis": {9000}, "postgres-exporter": set(),')
    copy.edit(TESTS, '"RemoteImage postgres",', '"RemoteImage postgres", "RemoteImage postgres-exporter",')
    copy.edit(TESTS, '"Container postgres",', '"Container postgres", "Container postgres-exporter",')
    copy.edit(TESTS, '"redis": {"-data"},', '"redis": {"-data"}, "postgres-exporter": {"-data"},')
    return copy


def test_a_container_is_two_rows_an_image_and_its_name(
    copy: Copy, record_figure: Callable[..., None]
) -> None:
    ended = copy.run("-c", PROGRAM)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == [
        "the database is not measured while its exporter restarts",
        "the exporter to be healthy",
    ]
    touched = copy.touched()
    assert touched == sorted([SPECS, SERVICES, IMAGES, TESTS])
    record_figure("test", files_touched_container=(len(touched), 4))


@pytest.mark.parametrize(
    ("name", "forgotten", "words"),
    [
        (SERVICES, SERVICE, "KeyError: 'postgres-exporter'"),
        (IMAGES, "EXPORTER, ", "the bench has nothing in the place of quay.io/prometheuscommunity/postgres-exporter"),
    ],
    ids=["service", "image"],
)  # fmt: skip
def test_what_is_forgotten_is_said(copy: Copy, name: str, forgotten: str, words: str) -> None:
    path = Path(copy.path, name)
    whole = path.read_text()
    copy.edit(name, forgotten, "")
    try:
        ended = copy.run("-c", PROGRAM)
    finally:
        path.write_text(whole)
    assert ended.returncode != 0
    assert words in ended.stderr

"""Whatever stands in a stack file, it is read or refused by path; it never breaks the program."""

from __future__ import annotations

import random
from typing import Any

import pytest

from components.problems import Problems
from components.settings import parse
from components.settings.forms import url_problem
from tests.settings.files import decrypted, good

JUNK: tuple[Any, ...] = (
    None,
    "",
    " ",
    "x",
    0,
    -1,
    1.5,
    True,
    [],
    {},
    [None],
    [[]],
    {"": None},
    {"a.b": 1},
    "none",
    "https://",
    "https://[::1",
    "http://127.0.0.1.evil.example",
    "é",
    "\0",
    "a" * 300,
    {"secure": "x"},
    {"url": "https://x.example"},
    [{"name": "x"}],
)


def mutated(raw: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """`raw` with one to four values replaced, taken out or added anywhere."""
    for _ in range(chance.randint(1, 4)):
        holder: Any = raw
        while True:
            steps = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            step = chance.choice(steps) if steps else None
            inner = holder[step] if step is not None else None
            if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
                holder = inner
                continue
            if step is not None and chance.random() < 0.2:
                del holder[step]
            elif isinstance(holder, dict):
                holder[step if step is not None and chance.random() < 0.8 else "junk"] = chance.choice(JUNK)
            else:
                holder.append(chance.choice(JUNK))
            break
    return raw


@pytest.mark.parametrize("seed", range(8))
def test_junk_is_refused_by_path(seed: int) -> None:
    chance, refused = random.Random(seed), 0
    for _ in range(60):
        raw = mutated(decrypted(good()), chance)
        try:
            parse(raw)
        except Problems as error:
            refused += 1
            assert error.problems
            for problem in error.problems:
                assert problem.where.startswith("gatehouse:")
                assert problem.what
                assert problem.remedy
    assert refused > 30


@pytest.mark.parametrize(
    "url",
    [
        "https://grafana.acme.example",
        "https://grafana.acme.example:8443/sub",
        "http://127.0.0.1:9000",
        "https://[2001:db8::1]:8443",
        "http://localhost:3000",
        "http://[::1]:3000",
    ],
)
def test_urls_that_can_be_used(url: str) -> None:
    assert url_problem(url) is None


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://127.0.0.1.evil.example", "is not encrypted"),
        ("http://localhost.evil.example", "is not encrypted"),
        ("https://[::1", "that is none"),
        ("https://a.example:99999", "that is none"),
        ("ftp://a.example", "has the scheme ftp"),
        ("https://me:pw@a.example", "user name or password"),
        ("https://a_b.example", "which is none"),
        ("https://a.example /x", "spaces"),
        ("//a.example", "not a complete URL"),
        ("https:///path", "not a complete URL"),
        ("https://a..example", "which is none"),
    ],
)
def test_urls_that_cannot(url: str, what: str) -> None:
    problem = url_problem(url)
    assert problem is not None
    assert what in problem[0]

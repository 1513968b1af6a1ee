from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import config as runtime

from components.problems import Problems
from components.settings import check_file, load, loading
from tests.settings.files import HERE, decrypted, good

SECRET = ("rootSecret", "email", "secrets")
Engine = Callable[..., None]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Engine]:
    """Hands settings to the program as the engine does: texts, objects as JSON, and the names of secret ones."""
    monkeypatch.setattr(loading, "STACKS", tmp_path)
    monkeypatch.setattr(pulumi, "get_stack", lambda: "acme")

    def hand_out(
        settings: dict[str, Any], secret: tuple[str, ...] = SECRET, file: dict[str, Any] | None = None
    ) -> None:
        texts = {
            f"gatehouse:{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in decrypted(settings).items()
        }
        runtime.set_all_config({**texts, "aws:region": "mars"}, [f"gatehouse:{name}" for name in secret])
        document = {"config": {f"gatehouse:{name}": value for name, value in (file or settings).items()}}
        (tmp_path / "Pulumi.acme.yaml").write_text(yaml.safe_dump(document))

    yield hand_out
    runtime.set_all_config({}, [])


def test_settings_come_from_the_engine(engine: Engine) -> None:
    raw = good()
    engine(raw)
    found = load()
    assert found.root_secret.get_secret_value() == raw["rootSecret"]["secure"]
    assert found.protect is False
    assert found.apps[2].key == "grafana"


def test_a_secret_in_clear_is_refused(engine: Engine) -> None:
    engine(good(), ("email", "secrets"), {})
    with pytest.raises(Problems) as caught:
        load()
    assert [(problem.where, problem.what) for problem in caught.value.problems] == [
        ("gatehouse:rootSecret", "this secret is in clear")
    ]


def test_secrets_inside_of_objects_in_clear_are_refused(engine: Engine) -> None:
    raw = good()
    raw["apps"]["wiki"] |= {
        "clientSecret": "something-long", "scim": {"url": "https://wiki.acme.example/scim", "token": "something"},
    }  # fmt: skip
    engine(raw, ("rootSecret",), {})
    with pytest.raises(Problems) as caught:
        load()
    assert [problem.where for problem in caught.value.problems] == [
        "gatehouse:apps.wiki.clientSecret",
        "gatehouse:apps.wiki.scim.token",
        "gatehouse:email.password",
        "gatehouse:secrets.overrides",
    ]


def test_a_secret_in_clear_beside_a_secure_one_is_seen_in_the_file(engine: Engine) -> None:
    raw = good()
    raw["email"]["password"] = "something"
    engine(raw)
    with pytest.raises(Problems) as caught:
        load()
    (problem,) = caught.value.problems
    assert (problem.where, problem.what) == ("gatehouse:email.password", "this secret is in clear")
    assert "something" not in str(caught.value)


def test_all_mistakes_come_together(engine: Engine) -> None:
    raw = good() | {"domain": "acme", "rebuild": "often"}
    engine(raw, ("email", "secrets"))
    with pytest.raises(Problems) as caught:
        load()
    assert [problem.where for problem in caught.value.problems] == [
        "gatehouse:domain",
        "gatehouse:rebuild",
        "gatehouse:rootSecret",
    ]


def test_a_file_is_checked_without_passphrase_and_engine() -> None:
    assert check_file(HERE / "good.yaml").client == "acme"


@pytest.mark.parametrize(("text", "what"), [
    ("config: [", "is not YAML"), ("a: 1\n", "has no `config:`"), ("", "has no `config:`"),
    ("config:\n  gatehouse:domain: a.example\n gatehouse:client: x\n", "line 3"),
])  # fmt: skip
def test_what_is_no_stack_file_is_said_to_be_none(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "Pulumi.x.yaml").write_text(text)
    with pytest.raises(Problems, match=what):
        check_file(tmp_path / "Pulumi.x.yaml")


def test_a_copied_file_is_refused(engine: Engine, tmp_path: Path) -> None:
    engine(good() | {"client": "other"})
    for look in (load, lambda: check_file(tmp_path / "Pulumi.acme.yaml")):
        with pytest.raises(Problems) as caught:
            look()
        (problem,) = caught.value.problems
        assert problem.where == "gatehouse:client"
        assert "gatehouse new acme" in problem.remedy


def raw_object(**fields: Any) -> dict[str, Any]:
    return {"kind": "authentik_core.group", "name": "staff", "fields": fields}


def test_secrets_in_raw_objects_are_found_where_the_file_has_them(engine: Engine) -> None:
    sealed = raw_object(attributes={"keys": [{"api": {"secure": "hush"}}]}, is_superuser=False)
    engine(
        good() | {"objects": [raw_object(is_superuser=True) | {"name": "other"}, sealed]},
        (*SECRET, "objects"),
    )
    plain, found = load().objects
    assert (plain.sealed, found.sealed) == (frozenset(), {"attributes"})
    assert found.opened == {"attributes": {"keys": [{"api": "hush"}]}, "is_superuser": False}
    assert "hush" not in f"{found!r} {found}"


def test_without_a_file_that_says_which_all_fields_of_raw_objects_are_secret(
    engine: Engine, tmp_path: Path
) -> None:
    sealed = raw_object(attributes={"api": {"secure": "hush"}}, is_superuser=False)
    engine(good() | {"objects": [sealed]}, (*SECRET, "objects"), good())
    (found,) = load().objects
    assert found.sealed == {"attributes", "is_superuser"}
    (tmp_path / "Pulumi.acme.yaml").unlink()
    (found,) = load().objects
    assert found.sealed == {"attributes", "is_superuser"}


def test_a_secret_in_a_setting_that_is_none_is_refused(engine: Engine) -> None:
    raw = good() | {"groups": [{"secure": "staff"}], "people": []}
    raw["apps"] = {}
    raw["email"]["host"] = {"secure": "mail.acme.example"}
    engine(raw)
    with pytest.raises(Problems) as caught:
        load()
    assert [(each.where, each.remedy) for each in caught.value.problems if "secure" in each.remedy] == [
        ("gatehouse:email.host", "Write it without secure"),
        ("gatehouse:groups[0]", "Write it without secure"),
    ]

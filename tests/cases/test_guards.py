"""What is refused before a run, in words: passphrases, stack files, answers of clouds, and two files for one client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from components.problems import Problems
from components.settings import check_file
from operations import guards, passphrase, shared_settings
from operations.clouds import checked
from operations.errors import OperatorError
from operations.finding import Finding
from operations.stack import Stack
from tests.host import mocks

# The passphrase -----------------------------------------------------------------------------------------------------


def looked_at(
    monkeypatch: pytest.MonkeyPatch, *, text: str | None = None, file: Path | None = None
) -> list[Finding]:
    for name, value in ((passphrase.TEXT, text), (passphrase.FILE, file and str(file))):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    return list(passphrase.passphrase())


@pytest.mark.case("13")
@pytest.mark.parametrize(
    ("content", "mode", "ok", "what"),
    [
        ("", 0o600, False, "is empty"),
        (" \n", 0o600, False, "is empty"),
        ("correct horse battery\n", 0o644, False, "can be read by other users of this machine (mode 0644)"),
        ("correct horse battery\n", 0o640, False, "mode 0640"),
        ("secret\n", 0o600, True, "it has 6 characters"),
        ("correct horse battery\n", 0o600, True, "set"),
    ],
)
def test_a_passphrase_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, mode: int, ok: bool, what: str
) -> None:
    file = tmp_path / "passphrase"
    file.write_text(content)
    file.chmod(mode)
    found = looked_at(monkeypatch, file=file)
    assert any(each.refuses for each in found) is not ok
    assert what in found[0].what
    assert "correct horse" not in str(found)


@pytest.mark.case("13")
def test_a_passphrase_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [each.refuses for each in looked_at(monkeypatch)] == [True]
    file = tmp_path / "passphrase"
    (missing,) = looked_at(monkeypatch, file=file)
    assert "cannot be read (No such file" in missing.what
    file.write_text("correct horse battery")
    file.chmod(0o600)
    # Pulumi takes the text before the file, even an empty one.
    (empty,) = looked_at(monkeypatch, text="", file=file)
    assert (
        empty.refuses
        and empty.what == f"{passphrase.TEXT} is empty"
        and f"take {passphrase.TEXT} out" in empty.remedy
    )
    assert [each.what for each in looked_at(monkeypatch, text="correct horse battery")] == ["set"]


@pytest.mark.case("13")
def test_no_passphrase_is_asked_for_where_a_service_encrypts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "require", lambda stack: stack)
    monkeypatch.setenv(passphrase.TEXT, "")
    before = guards.RunContext(Stack("acme"), guards.UP)
    before.stack.file = tmp_path / "Pulumi.acme.yaml"
    for text, asked in (("encryptionsalt: v1:x", True), ("secretsprovider: passphrase", True),
                        ("secretsprovider: awskms://alias/pulumi", False)):  # fmt: skip
        before.stack.file.write_text(f"{text}\nconfig: {{}}\n")
        assert bool(list(guards.encryption(before))) is asked


# Stack files --------------------------------------------------------------------------------------------------------

WHOLE = "config:\n  gatehouse:client: acme\n  gatehouse:domain: acme.example\n"


@pytest.mark.case("18")
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"# Caf\xe9\n" + WHOLE.encode(), "is not written in UTF-8 (line 1, perhaps in Latin-1)"),
        (WHOLE.encode() + b"  gatehouse:groups: [B\xfcro]\n", "(line 4, "),
        (WHOLE.encode("utf-16"), "is not written in UTF-8"),
        (WHOLE.replace("  gatehouse:domain", "\tgatehouse:domain").encode(), "line 3"),
        (
            WHOLE.encode() + b"  gatehouse:domain: other.example\n",
            "'gatehouse:domain' is there twice (line 4)",
        ),
        (WHOLE.encode() + b"  gatehouse:apps: {a: {url: b}, a: {url: c}}\n", "'a' is there twice (line 4)"),
        (b"", "has no `config:`"),
        (b"- 1\n", "has no `config:`"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: bytes, what: str) -> None:
    file = tmp_path / "Pulumi.acme.yaml"
    file.write_bytes(content)
    with pytest.raises(Problems) as caught:
        check_file(file)
    (problem,) = caught.value.problems
    assert what in problem.what


@pytest.mark.case("18")
def test_a_mark_at_the_beginning_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.acme.yaml"
    file.write_text("\ufeff" + WHOLE)
    with pytest.raises(Problems) as caught:
        check_file(file)
    assert "gatehouse:authentik" in {problem.where for problem in caught.value.problems}  # it was read


@pytest.mark.case("10")
def test_a_domain_that_another_client_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_settings, "STACKS", tmp_path)
    stack = Stack("acme")
    stack.file = tmp_path / stack.file.name

    def found(**other: Any) -> list[str]:
        config = {f"gatehouse:{name}": value for name, value in {"client": "beta", **other}.items()}
        (tmp_path / "Pulumi.beta.yaml").write_text(yaml.safe_dump({"config": config}))
        return [each.what for each in shared_settings.shared_domain(stack, mocks.settings())]

    assert "stacks/Pulumi.beta.yaml has acme.example too" in found(domain="acme.example")[0]
    assert found(domain="beta.example") == []
    assert found(domain="acme.example", box="none") == []  # it serves no name
    (tmp_path / "Pulumi.beta.yaml").write_bytes(b"\xe9")
    assert list(shared_settings.shared_domain(stack, mocks.settings())) == []


def test_a_client_that_was_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    states = tmp_path / ".pulumi" / "stacks" / "gatehouse"
    states.mkdir(parents=True)
    settings = mocks.settings(client="beta")
    (states / "acme.json").write_text(f'{{"root": "{settings.derived().fingerprint}"}}')
    (found,) = shared_settings.renamed_client(Stack("beta"), settings)
    assert (
        "is that of client acme" in found.what
        and "stacks/Pulumi.acme.yaml, with client: acme" in found.remedy
    )
    assert list(shared_settings.renamed_client(Stack("acme"), mocks.settings())) == []


# Clouds -------------------------------------------------------------------------------------------------------------


@pytest.mark.case("18")
@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, "<html>Log in</html>", "does not answer GET /zones as its API does (200 OK, text/html)"),
        (200, "", "does not answer GET /zones as its API does"),
        (200, "[]", "does not answer GET /zones as its API does"),
        (302, "", "does not answer GET /zones as its API does (302 Found"),
        (
            200,
            '{"success": false, "errors": [{"code": 1, "message": "No"}]}',
            "refused GET /zones (200 OK: No)",
        ),
        (
            422,
            '{"error": {"code": "x", "message": "invalid input"}}',
            "refused GET /zones (422 Unprocessable Entity: invalid input)",
        ),
        (503, "<html>", "refused GET /zones (503 Service Unavailable)"),
    ],
)
def test_a_cloud_that_answers_something_else(status: int, body: str, said: str) -> None:
    answer = httpx.Response(
        status,
        text=body,
        headers={"Content-Type": "text/html"},
        request=httpx.Request("GET", "https://api.example/zones"),
    )
    with pytest.raises(OperatorError) as caught:
        checked(answer)
    assert f"api.example {said}" in caught.value.what
    assert caught.value.remedy

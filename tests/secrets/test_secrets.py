from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from components.secrets import (
    ROOT_PREFIX,
    SECRET_FORMS,
    SSH_KEYS,
    SecretError,
    Secrets,
    check_root_secret,
    new_root_secret,
    openssh_key,
    secret_names,
)

VECTORS = json.loads((Path(__file__).resolve().parent / "vectors.json").read_text())
ROOT = VECTORS["root"]


def names() -> list[str]:
    return [filled(name) for name in secret_names()]


def filled(pattern: str) -> str:
    return pattern.replace("<id>", "grafana").replace("<username>", "jane").replace("<protocol>", "ldap")


@pytest.mark.parametrize("name", VECTORS["values"])
def test_golden_vectors(name: str) -> None:
    """A change here changes the passwords of every client."""
    assert Secrets(ROOT).value(name) == VECTORS["values"][name]


def test_every_name_has_a_golden_vector() -> None:
    missing = {name: Secrets(ROOT).value(name) for name in names() if name not in VECTORS["values"]}
    assert not missing, f"add to `values` in vectors.json, for good: {json.dumps(missing, indent=2)}"
    assert sorted(VECTORS["values"]) == sorted(names())


def test_generations_change_one_secret_alone() -> None:
    name = "app/grafana/client-secret"
    first, second = Secrets(ROOT), Secrets(ROOT, {name: 2})
    assert (
        second.value(name) == VECTORS["second generation of app/grafana/client-secret"] != first.value(name)
    )
    assert [each for each in names() if first.value(each) != second.value(each)] == [name]


def test_all_values_differ_and_follow_from_the_root() -> None:
    values = {Secrets(root).value(name) for root in (ROOT, new_root_secret()) for name in names()}
    assert len(values) == 2 * len(names())


@pytest.mark.parametrize("pattern", SECRET_FORMS)
def test_a_derived_value_has_its_form_and_would_be_taken_as_an_override(pattern: str) -> None:
    name, form = filled(pattern), SECRET_FORMS[pattern]
    value = Secrets(new_root_secret()).value(name)
    assert len(value) == form.length
    assert set(value) <= set(form.alphabet)
    assert re.fullmatch(form.accepts, value)
    assert Secrets(ROOT, overrides={name: value}).value(name) == value


def test_limits_of_those_who_take_them() -> None:
    assert SECRET_FORMS["postgres/password"].length <= 99
    assert re.fullmatch("[A-Za-z0-9_-]+", SECRET_FORMS["npm/admin-password"].alphabet)
    assert (SECRET_FORMS["app/<id>/client-id"].length, SECRET_FORMS["app/<id>/client-secret"].length) == (
        40,
        128,
    )


@pytest.mark.parametrize(("name", "value"), [
    ("postgres/password", "x" * 100), ("npm/admin-password", "with spaces 123"), ("redis/password", "a@b:c/defghij"),
    ("authentik/secret-key", "short"), ("ssh/deploy", "not a key"),
])  # fmt: skip
def test_an_unfit_override_is_refused_without_being_shown(name: str, value: str) -> None:
    with pytest.raises(SecretError, match=name) as caught:
        Secrets(ROOT, overrides={name: value})
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["postgres", "app/grafana/secret", "app//client-id", "person/a b/password", "ssh/other"]
)
def test_an_unknown_name_is_refused(name: str) -> None:
    for broken in (lambda: Secrets(ROOT).value(name), lambda: Secrets(ROOT, {name: 2})):
        with pytest.raises(SecretError, match="there is no secret named"):
            broken()


def test_a_root_secret_is_fresh_and_checked() -> None:
    root = new_root_secret()
    assert root.startswith(ROOT_PREFIX)
    assert len(check_root_secret(root)) == 32
    assert new_root_secret() != root


@pytest.mark.parametrize("place", [5, 20, 47, 48, 53])
def test_a_typo_anywhere_in_a_root_secret_is_noticed(place: int) -> None:
    changed = ROOT[:place] + ("A" if ROOT[place] != "A" else "B") + ROOT[place + 1 :]
    with pytest.raises(SecretError, match="checksum"):
        check_root_secret(changed)


@pytest.mark.parametrize(("text", "what"), [
    ("hunter2", "does not begin"), (ROOT[:-1], "53 characters instead of 54"), (ROOT + "\n", "55 characters"),
    (ROOT[:10] + "é" + ROOT[11:], "checksum"),
])  # fmt: skip
def test_what_is_no_root_secret_is_refused_without_being_shown(text: str, what: str) -> None:
    with pytest.raises(SecretError, match=what) as caught:
        Secrets(text)
    assert text.strip() not in str(caught.value)


def test_no_secret_in_a_print() -> None:
    assert ROOT not in repr(Secrets(ROOT, overrides={"redis/password": "abcdefabcdef"}))


@pytest.mark.parametrize("name", SSH_KEYS)
def test_ssh_keygen_reads_our_key_files(name: str, tmp_path: Path) -> None:
    key = Secrets(ROOT).ssh_key(name)
    path = tmp_path / "key"
    path.write_text(key.private)
    path.chmod(0o600)
    said = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert said == key.public + "\n"
    assert key.public.endswith(f" gatehouse-{name.removeprefix('ssh/')}")


def test_a_key_file_is_the_same_each_time_and_its_check_words_follow_from_it() -> None:
    first, again = (openssh_key(bytes(range(32)), "x") for _ in range(2))
    assert first == again
    assert openssh_key(bytes(32), "x").private != first.private


def test_other_libraries_read_our_key_files() -> None:
    loaded = serialization.load_ssh_private_key(openssh_key(bytes(range(32)), "x").private.encode(), None)
    assert isinstance(loaded, ed25519.Ed25519PrivateKey)
    assert loaded.private_bytes_raw() == bytes(range(32))


def test_an_ssh_key_that_exists_is_taken_over() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()
    taken = Secrets(ROOT, overrides={"ssh/deploy": text}).ssh_key("ssh/deploy")
    assert taken == openssh_key(key.private_bytes_raw(), "gatehouse-deploy")


def test_an_ssh_key_of_another_type_or_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH)
    locked = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", str(locked)], check=True)
    for key in (other.private_bytes(*plain, serialization.NoEncryption()), locked.read_bytes()):
        with pytest.raises(SecretError, match="without a passphrase"):
            Secrets(ROOT, overrides={"ssh/deploy": key.decode()})

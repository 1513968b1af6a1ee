"""What a demo leaves on the operator's side goes; what is the operator's own stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import demo


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo, "STATE", tmp_path / "state")
    monkeypatch.setattr(demo, "STACK_FILE", tmp_path / "Pulumi.demo.yaml")
    for folder in (tmp_path / "state" / "deep", tmp_path / ".gatehouse" / "demo"):
        folder.mkdir(parents=True)
    return tmp_path


def test_a_demo_that_was_killed_is_forgotten(checkout: Path) -> None:
    (checkout / "Pulumi.demo.yaml").write_text(f"config:\n  gatehouse:domain: {demo.DOMAIN}\n")
    demo.forget()
    assert [path.name for path in checkout.rglob("*")] == [".gatehouse"]
    demo.forget()


def test_a_client_of_that_name_is_left_alone(checkout: Path) -> None:
    (checkout / "Pulumi.demo.yaml").write_text("config:\n  gatehouse:domain: demo-agency.example\n")
    with pytest.raises(demo.DemoError, match=r"Pulumi\.demo\.yaml is not the demo's"):
        demo.forget()
    assert (checkout / "Pulumi.demo.yaml").exists()
    assert (checkout / "state" / "deep").exists()

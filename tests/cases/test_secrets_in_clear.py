"""A secret that stands in clear in the stack file is refused, with the command that seals it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from bench.project import Project
from components.secrets import new_root_secret

pytestmark = pytest.mark.engine
FILES = Path(__file__).parent / "files"
COMMAND = r"pulumi config set --secret --path '([^']+)' --stack acme"


@pytest.mark.case("google", "scim", "radius")
def test_a_secret_in_clear_is_refused_and_its_remedy_works_as_it_stands(tmp_path: Path) -> None:
    project = Project(tmp_path)
    about = {"version": "2026.8.3", "url": "http://127.0.0.1:9"}
    settings = {"client": "acme", "domain": "acme.example", "box": "none", "authentik": about}
    sealed = {"rootSecret": new_root_secret(), "authentik.token": "t"}
    project.stack("acme", settings, sealed)
    for case, secret in (
        ("google", "gatehouse:objects[0].fields.consumer_secret"),
        ("scim", "gatehouse:objects[0].fields.token"),
        ("radius", "gatehouse:objects[1].fields.shared_secret"),
    ):
        file = yaml.safe_load((FILES / f"{case}.yaml").read_text())
        settings = {name.removeprefix("gatehouse:"): value for name, value in file.items()}
        project.edit("acme", {"apps": {}, **settings})
        refused = (
            project.gatehouse("doctor", "acme", check=False)
            if case == "google"
            else project.pulumi("preview", "--stack", "acme", check=False)
        )
        words = " ".join(refused.split())
        assert "this secret is in clear" in words
        assert re.findall(COMMAND, words)[0] == secret, refused
        typed = re.search(COMMAND, words)
        assert typed is not None
        project.pulumi(*shlex.split(typed[0])[1:], given="issued-anew")
        stack = (tmp_path / "stacks/Pulumi.acme.yaml").read_text()
        assert "issued-anew" not in stack
        shown = project.pulumi("preview", "--diff", "--stack", "acme")
        assert "issued-anew" not in shown
        assert "[secret]" in shown

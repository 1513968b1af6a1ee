"""A few objects through the real engine: what its previews show, what it writes, what its state holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.authentik.testing import Running
from bench.engine import ensure
from tests.identity.conftest import TOKEN
from tests.objects.plugin import ROOT

pytestmark = pytest.mark.engine

PROJECT = """
name: gatehouse
runtime: python
config:
  pulumi:disable-default-providers:
    value: ["*"]
"""
PROGRAM = """
from __future__ import annotations
import json, os
import pulumi
from components.identity.plan import Plan
from components.identity.registration import register

want = json.load(open("want.json"))
provider = pulumi.ProviderResource("pulumi-python", "authentik", {
    "gatehouse:address": want["address"],
    "gatehouse:token": pulumi.Output.secret(want["token"]),
    "gatehouse:bootstrap": pulumi.Output.secret(want["bootstrap"]),
    "gatehouse:line": "2026.8",
})
plan = Plan("2026.8")
for spec in want["objects"]:
    plan.add(spec["kind"], spec["name"], spec["fields"], adopt=spec.get("adopt", False),
             logical_name=spec.get("logical"))
register(plan.resolve(), provider)
"""
OBJECTS: list[dict[str, Any]] = [
    {
        "kind": "authentik_flows.flow",
        "name": "acme-consent",
        "fields": {"name": "Consent", "title": "Welcome", "designation": "authorization"},
    },
    {"kind": "authentik_core.group", "name": "staff", "fields": {"attributes": {"tier": 1, "ratio": 0.5}}},
    {
        "kind": "authentik_core.user",
        "name": "jane",
        "fields": {"name": "Jane", "groups": ["staff"], "password": "Jane-first-password-01"},
    },
    {
        "kind": "authentik_providers_oauth2.oauth2provider",
        "name": "grafana",
        "fields": {
            "authorization_flow": "acme-consent",
            "invalidation_flow": "default-provider-invalidation-flow",
            "client_id": "grafana",
            "client_secret": "grafana-client-secret-01",
            "redirect_uris": [{"matching_mode": "strict", "url": "https://grafana.acme.example/login"}],
            "property_mappings": [
                f"goauthentik.io/providers/oauth2/scope-{name}" for name in ("openid", "email")
            ],
            "grant_types": ["authorization_code"],
        },
    },
    {
        "kind": "authentik_core.application",
        "name": "grafana",
        "fields": {"name": "Grafana", "provider": "grafana"},
    },
    {
        "kind": "authentik_policies.policybinding",
        "name": "grafana-staff",
        "fields": {"target": "grafana", "group": "staff", "order": 0},
    },
    {
        "kind": "authentik_brands.brand",
        "name": "authentik-default",
        "fields": {"branding_title": "Acme", "default_application": "grafana"},
        "adopt": True,
    },
]
SECRETS = ("Jane-first-password-01", "grafana-client-secret-01", TOKEN, "bench-bootstrap-token")


class Stack:
    """A stack of its own, with `pulumi` as the operator's machine runs it."""

    def __init__(self, folder: Path, server: Running) -> None:
        self.folder = folder
        self.server = server
        (folder / "Pulumi.yaml").write_text(PROJECT)
        (folder / "__main__.py").write_text(textwrap.dedent(PROGRAM))
        (folder / "components").symlink_to(ROOT / "components")
        (folder / "state").mkdir()
        secret = {"PULUMI_CONFIG_PASSPHRASE": "test", "PULUMI_BACKEND_URL": f"file://{folder}/state"}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.env = ensure().env({**os.environ, **secret, "PATH": path}, home=folder / "home")
        self.objects: list[dict[str, Any]] = json.loads(json.dumps(OBJECTS))
        self.run("stack", "init", "acme")
        self.run("config", "set", "--path", "pulumi:disable-default-providers[0]", "*")

    def want(self) -> None:
        """What the program is to declare."""
        known = {"address": self.server.url, "token": TOKEN, "bootstrap": self.server.token}
        (self.folder / "want.json").write_text(json.dumps({**known, "objects": self.objects}))

    def run(self, *arguments: str, fails: bool = False) -> str:
        self.want()
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, said
        for secret in SECRETS:
            assert secret not in said
        return said

    def up(self, *more: str) -> str:
        return self.run("up", "--yes", "--skip-preview", *more)

    def urn(self, kind: str, logical: str) -> str:
        return f"urn:pulumi:acme::gatehouse::pulumi-python:dynamic/{kind.replace('.', ':')}::{logical}"


@pytest.fixture
def stack(tmp_path: Path, server: Running) -> Iterator[Stack]:
    yield Stack(tmp_path, server)


def find(admin: httpx.Client, path: str, **filters: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = admin.get(path, params={"superuser_full_list": "true", **filters}).json()[
        "results"
    ]
    assert len(found) == 1
    return found[0]


def test_a_few_objects_from_nothing_to_nothing(stack: Stack, admin: httpx.Client) -> None:
    assert "+ 10 to create" in stack.run("preview")
    assert "+ 10 created" in stack.up()
    assert "10 unchanged" in stack.up("--expect-no-changes")
    stack.run("preview", "--refresh", "--expect-no-changes")

    stack.objects[4]["fields"]["meta_description"] = "Dashboards"
    said = stack.run("preview", "--diff")
    assert "~ 1 to update" in said
    assert '+ meta_description: "Dashboards"' in said
    stack.up()
    assert find(admin, "/core/applications/", slug="grafana")["meta_description"] == "Dashboards"
    del stack.objects[4]["fields"]["meta_description"]
    stack.up()
    assert find(admin, "/core/applications/", slug="grafana")["meta_description"] == ""

    admin.patch("/core/applications/grafana/", json={"name": "By hand", "meta_publisher": "kept"})
    said = stack.run("preview", "--refresh", "--diff")
    assert '~ name     : "By hand" => "Grafana"' in said
    assert "~ 1 to update" in said
    stack.up("--refresh")
    application = find(admin, "/core/applications/", slug="grafana")
    assert (application["name"], application["meta_publisher"]) == ("Grafana", "kept")

    stack.objects[2]["fields"]["password"] = "Jane-second-password-02"
    assert "~ 1 updated" in stack.up()
    stack.objects[3]["fields"]["client_secret"] = "grafana-client-secret-02"
    assert "~ 1 updated" in stack.up()
    stack.objects[2]["fields"]["password"], stack.objects[3]["fields"]["client_secret"] = SECRETS[:2]
    stack.up()

    admin.delete(f"/core/groups/{find(admin, '/core/groups/', name='staff')['pk']}/")
    stack.up("--refresh")
    assert [each["name"] for each in find(admin, "/core/users/", username="jane")["groups_obj"]] == ["staff"]
    stack.run("preview", "--refresh", "--expect-no-changes")

    exported = stack.run("stack", "export")
    assert "gatehouse_before" in exported
    assert "branding_title" in exported
    assert '"values"' not in exported  # what was there before adoption is kept as a secret
    stack.run("destroy", "--yes", "--skip-preview")
    assert admin.get("/core/applications/?superuser_full_list=true").json()["results"] == []
    assert find(admin, "/core/brands/")["branding_title"] == "authentik"


def test_replacing_and_renaming_destroys_nothing(stack: Stack, admin: httpx.Client) -> None:
    stack.up()
    urns = [stack.urn(spec["kind"], spec["name"]) for spec in stack.objects]
    flow, group, user, provider, application, binding_, brand = urns
    for replaced in ([flow], [group], [provider, brand], [user, application, binding_]):
        stack.up(*(argument for urn in replaced for argument in ("--replace", urn)))
        stack.run("preview", "--refresh", "--expect-no-changes")
        binding = find(admin, "/policies/bindings/", target=find(admin, "/core/applications/")["pk"])
        assert binding["group_obj"]["name"] == "staff"
        assert find(admin, "/core/users/", username="jane")["groups_obj"][0]["name"] == "staff"
        assert find(admin, "/core/brands/")["default_application"] == find(admin, "/core/applications/")["pk"]

    stack.objects[1]["logical"] = "another-name"
    group = find(admin, "/core/groups/", name="staff")["pk"]
    assert "is there already" in stack.run("up", "--yes", "--skip-preview", fails=True)
    stack.objects[1]["adopt"] = True
    assert "kept: this run has just taken it over" in stack.up()
    assert find(admin, "/core/groups/", name="staff")["pk"] == group
    stack.run("preview", "--refresh", "--expect-no-changes")


def test_a_flow_goes_only_after_its_providers_have_moved(stack: Stack, admin: httpx.Client) -> None:
    stack.up()
    before = find(admin, "/providers/oauth2/", name="grafana")["pk"]
    stack.objects[3]["fields"]["authorization_flow"] = "default-provider-authorization-implicit-consent"
    del stack.objects[0]
    stack.up()
    assert find(admin, "/providers/oauth2/", name="grafana")["pk"] == before
    assert admin.get("/flows/instances/acme-consent/").status_code == 404


def test_a_rename_is_an_update(stack: Stack, admin: httpx.Client) -> None:
    stack.up()
    before = find(admin, "/core/groups/", name="staff")["pk"]
    stack.objects[1] |= {"name": "crew", "logical": "staff"}
    stack.objects[2]["fields"]["groups"] = ["crew"]
    stack.objects[5]["fields"]["group"] = "crew"
    said = stack.run("preview")
    assert "replace" not in said
    stack.up()
    assert find(admin, "/core/groups/", name="crew")["pk"] == before
    stack.run("preview", "--refresh", "--expect-no-changes")


@pytest.mark.parametrize("step", ["set_password", "replace"])
def test_a_killed_run_converges(stack: Stack, admin: httpx.Client, step: str) -> None:
    """Killed while a password is being set (the user exists already), and between the two halves of a replacement."""
    reached = threading.Event()
    api = stack.server.server.api
    handle = api.handle

    def stuck(method: str, path: str, *more: Any) -> Any:
        created = method == "POST" and path in ("/core/groups/", "/providers/oauth2/")
        if (path.endswith("set_password/") if step == "set_password" else created) and not reached.is_set():
            reached.set()
            time.sleep(2)
        return handle(method, path, *more)

    more = []
    if step == "replace":
        stack.up()
        more = ["--replace", stack.urn("authentik_core.group", "staff")]
    api.handle = stuck
    try:
        stack.want()
        with subprocess.Popen(
            ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", *more],
            cwd=stack.folder,
            env=stack.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as running:
            assert reached.wait(60)
            os.killpg(running.pid, signal.SIGKILL)
    finally:
        time.sleep(2.5)  # what was under way when the run was killed comes to its end on the server
        api.handle = handle

    stack.run("cancel", "--yes")
    deployment = json.loads(stack.run("stack", "export"))["deployment"]
    pending = [
        each["resource"]["urn"]
        for each in deployment.get("pending_operations", [])
        if each["type"] == "creating"
    ]
    assert pending
    stack.run("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--run-program")
    stack.env["GATEHOUSE_PENDING_CREATES"] = json.dumps(pending)
    stack.up("--refresh")
    del stack.env["GATEHOUSE_PENDING_CREATES"]
    stack.run("preview", "--refresh", "--expect-no-changes")
    find(admin, "/core/groups/", name="staff")
    assert find(admin, "/core/users/", username="jane")["password_change_date"]
    assert find(admin, "/policies/bindings/", target=find(admin, "/core/applications/")["pk"])["group_obj"]
    stack.run("destroy", "--yes", "--skip-preview")
    assert admin.get("/core/groups/?name=staff").json()["results"] == []
    assert admin.get("/core/users/?username=jane").json()["results"] == []


def test_a_hand_made_twin_survives_up_and_destroy(stack: Stack, admin: httpx.Client) -> None:
    admin.post("/core/groups/", json={"name": "staff", "attributes": {"tier": 1, "ratio": 0.5}})
    said = stack.run("up", "--yes", "--skip-preview", fails=True)
    assert "group 'staff' is there already" in said
    assert "Traceback" not in said
    stack.run("destroy", "--yes", "--skip-preview")
    assert find(admin, "/core/groups/", name="staff")["attributes"] == {"tier": 1, "ratio": 0.5}


def test_names_that_are_swapped_are_refused_at_the_preview(stack: Stack, admin: httpx.Client) -> None:
    def groups(first: str, second: str) -> list[dict[str, Any]]:
        return [
            {"kind": "authentik_core.group", "name": name, "fields": {}, "logical": logical}
            for logical, name in (("one", first), ("two", second))
        ]

    stack.objects = groups("staff", "board")
    stack.up()
    stack.objects = groups("board", "staff")
    for command in (["preview"], ["up", "--yes", "--skip-preview"]):
        said = stack.run(*command, fails=True)
        assert "no run hands a name on" in said
        assert "to swap two names, go through a third one" in said
    stack.objects = groups("third", "board")
    stack.up()
    stack.objects = groups("third", "staff")
    stack.up()
    stack.objects = groups("board", "staff")
    assert "~ 1 updated" in stack.up()
    assert find(admin, "/core/groups/", name="board")

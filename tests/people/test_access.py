"""`gatehouse access` says of everybody what authentik itself says, and why."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.authentik.testing import Running, serve
from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from operations import access_report
from operations.access import Access, Directory, PersonRow, Report
from operations.errors import OperatorError
from operations.stack import Stack

PEOPLE, APPS, GROUPS = 40, 12, 10
POLICIES = {
    "until-2020": "from datetime import datetime\nreturn datetime.now().year < 2020",
    "until-2099": "from datetime import datetime\nreturn datetime.now().year < 2099",
    "even": "return request.user.pk % 2 == 0",
    "raises": "return 1 / 0",
}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serve(version="2026.8.3") as emulator:
        make(emulator)
        yield emulator


def make(emulator: Running) -> None:
    """40 people, 10 groups in each other, 12 apps with bindings of every sort; the same ones every time."""
    chance = random.Random(11)
    with httpx.Client(
        base_url=emulator.url + "/api/v3", headers={"Authorization": f"Bearer {emulator.token}"}
    ) as api:

        def post(path: str, **body: Any) -> Any:
            return api.post(path, json=body).raise_for_status().json()["pk"]

        groups: list[str] = []
        for number in range(GROUPS):
            parents = chance.sample(groups, k=min(len(groups), chance.choice([0, 0, 1, 2])))
            groups.append(post("/core/groups/", name=f"g{number}", parents=parents))
        people = [
            post(
                "/core/users/", username=f"p{number:02}", name=f"P {number}", is_active=number % 9 != 0,
                groups=chance.sample(groups, k=chance.choice([0, 1, 1, 2, 3])),
            )
            for number in range(PEOPLE)
        ]  # fmt: skip
        policies = [
            post("/policies/expression/", name=name, expression=text) for name, text in POLICIES.items()
        ]
        for number in range(APPS):
            mode = chance.choice(["any", "all"])
            app = post(
                "/core/applications/", name=f"a{number:02}", slug=f"a{number:02}", policy_engine_mode=mode
            )
            for order in range(number % 5):  # none: everybody
                subject = chance.choice(
                    [{"group": chance.choice(groups)}] * 4
                    + [{"user": chance.choice(people)}, {"policy": chance.choice(policies)}]
                )
                more = {"negate": chance.random() < 0.25, "enabled": chance.random() < 0.85}
                failing = {"failure_result": chance.random() < 0.5}
                post("/policies/bindings/", target=app, order=order, **subject, **more, **failing)


def asked(emulator: Running) -> Authentik:
    return Authentik(emulator.url, emulator.token, None, ReleaseLine("2026.8"))


def test_it_agrees_with_authentik_itself(running: Running, record_figure: Callable[..., None]) -> None:
    server = asked(running)
    server.me()  # the way to it is open
    running.control.totals.clear()
    report = Directory(server).report()
    calls = sum(total.count for total in running.control.totals.values())
    pks = {str(user["username"]): user["pk"] for user in Directory(server).users}
    own = [each for each in report.access if each.person.startswith("p")]
    assert len(own) == PEOPLE * APPS
    wrong = []
    for each in own:
        path = f"/core/applications/{each.app}/check_access/"
        says = server.request("GET", path, params={"for_user": str(pks[each.person])})["passing"]
        if says is not each.passing:
            wrong.append((each, says))
    record_figure(
        "test", access_agreement=(len(own) - len(wrong), len(own)), access_calls=(calls, len(pks) + 5)
    )
    assert wrong == []
    assert calls <= len(pks) + 5
    assert {each.passing for each in own} == {True, False}
    assert any("authentik says" in each.why for each in own)
    assert any(", by g" in each.why for each in own)
    closed = [each for each in own if not each.active]
    assert len(closed) == 5 * APPS
    assert not any(each.may for each in closed)
    assert all(each.why.startswith("the account is closed") for each in closed)


def test_without_policies_four_lists_are_enough() -> None:
    with serve(version="2026.8.3") as emulator:
        headers = {"Authorization": f"Bearer {emulator.token}"}
        with httpx.Client(base_url=emulator.url + "/api/v3", headers=headers) as api:
            group = api.post("/core/groups/", json={"name": "staff"}).json()["pk"]
            app = api.post("/core/applications/", json={"name": "wiki", "slug": "wiki"}).json()["pk"]
            api.post(
                "/policies/bindings/", json={"target": app, "group": group, "order": 0}
            ).raise_for_status()
            jane = {"username": "jane", "name": "Jane", "groups": [group]}
            api.post("/core/users/", json=jane).raise_for_status()
        server = asked(emulator)
        server.me()
        emulator.control.totals.clear()
        report = Directory(server).report()
        assert sum(total.count for total in emulator.control.totals.values()) == 4
        found = {(each.person, each.app): each for each in report.access}
        assert found["jane", "wiki"].may
        assert found["jane", "wiki"].why == "in group staff"
        assert found["akadmin", "wiki"].why == "not in group staff"  # administrators are no exception
        shown = Directory(server).report(factors=True)
        assert {person.factors for person in shown.people} == {()}


JANE = PersonRow("jane", "Jane <b>Doe</b>", "=cmd@acme.example", active=True, factors=("totp",))
MAX = PersonRow("max", "Max", "", active=False, factors=())


def report(*, jane: bool, why: str = "in group staff") -> Report:
    pair = [
        Access("wiki", "jane", jane, active=True, why=why),
        Access("wiki", "max", passing=True, active=False, why="x"),
    ]
    return Report([JANE, MAX], ["wiki"], pair)


def test_a_page_needs_nothing_else_and_shows_names_as_they_are() -> None:
    page = access_report.as_html("acme", report(jane=True), None)
    assert "Jane &lt;b&gt;Doe&lt;/b&gt;" in page
    assert "http" not in page.replace("<!doctype html>", "")
    assert page.count('<td class="yes">') == 1


def test_a_spreadsheet_runs_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(access_report.as_csv(report(jane=True)))))
    assert [(row["person"], row["app"], row["may use it"]) for row in rows] == [
        ("jane", "wiki", "yes"),
        ("max", "wiki", "no"),
    ]
    assert rows[0]["email"] == "'=cmd@acme.example"


def test_what_has_changed_since_is_told_from_a_report_that_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_report, "ROOT", tmp_path)
    stack = Stack("acme")
    with pytest.raises(OperatorError, match="no earlier report"):
        access_report.compare(stack, report(jane=True), date(2026, 11, 1))
    access_report.keep(stack, access_report.document("acme", report(jane=False), None))
    (kept,) = (tmp_path / ".gatehouse/acme/access").glob("*.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    old = kept.with_name("2026-10-30T09-00-00.json")
    kept.rename(old)
    access_report.keep(stack, access_report.document("acme", report(jane=True), None))
    found = access_report.compare(stack, report(jane=True), date(2026, 11, 1))
    assert f"{found.since:%Y-%m-%d}" == "2026-10-30"
    assert [(each.person, each.app, each.gained) for each in found.changes] == [("jane", "wiki", True)]
    # Longer ago than there are reports: the first one; somebody who is gone has lost what they had.
    gone = Report([MAX], ["wiki"], report(jane=True).access[1:])
    kept = sorted(old.parent.glob("*.json"))[-1]
    kept.rename(old)
    found = access_report.compare(stack, gone, date(2020, 1, 1))
    assert [(each.person, each.gained, each.why) for each in found.changes] == [
        ("jane", False, "in group staff; now gone")
    ]
    assert (
        json.loads(json.dumps(access_report.document("acme", gone, found)))["changes"][0]["person"] == "jane"
    )

"""A report of who may use what, in several forms; those of before are kept, and compared with."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import jinja2

from components import private_files
from operations.access import Report
from operations.errors import OperatorError
from operations.stack import ROOT, Stack

SCHEMA_VERSION = 1
"""Of the document: counted up when something is renamed or taken away."""
KEPT = 400
"""Reports that are kept of a client: the newest."""
_TIME = "%Y-%m-%dT%H-%M-%S"


@dataclass(frozen=True)
class Change:
    """Somebody who may use an app now and could not before, or the other way round."""

    app: str
    person: str
    gained: bool
    why: str
    """As it is now, or as it was where the person or the app is gone."""


@dataclass(frozen=True)
class Changes:
    """What differs from an earlier report."""

    since: datetime
    changes: list[Change]


def document(client: str, report: Report, changes: Changes | None) -> dict[str, Any]:
    """The report as JSON has it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "client": client,
        "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "people": [asdict(person) for person in report.people],
        "apps": report.apps,
        "access": [{**asdict(each), "may": each.may} for each in report.access],
        "since": changes and f"{changes.since:%Y-%m-%dT%H:%M:%SZ}",
        "changes": [asdict(each) for each in changes.changes] if changes else [],
    }


def as_csv(report: Report) -> str:
    """A row for each person and app, as a spreadsheet opens it."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["person", "name", "email", "app", "may use it", "why", "active", "second factors"])
    people = {person.username: person for person in report.people}
    for each in report.access:
        who = people[each.person]
        row = [
            who.username, who.name, who.email, each.app, "yes" if each.may else "no", each.why,
            "yes" if who.active else "no", "not asked" if who.factors is None else " ".join(who.factors),
        ]  # fmt: skip
        rows.writerow(
            [f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell for cell in row]
        )  # no formulas
    return text.getvalue()


def as_html(client: str, report: Report, changes: Changes | None) -> str:
    """One page that needs nothing else."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    by_pair = {(each.person, each.app): each for each in report.access}
    return environment.from_string(PAGE).render(
        client=client,
        report=report,
        changes=changes,
        pair=by_pair,
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def keep(stack: Stack, made: dict[str, Any]) -> None:
    """Keep a report, to be compared with later."""
    here = _folder(stack)
    for each in (here.parent.parent, here.parent, here):
        private_files.make_folder(each)
    private_files.write(here / f"{datetime.now(UTC):{_TIME}}.json", json.dumps(made, ensure_ascii=False))
    for old in sorted(here.glob("*.json"))[:-KEPT]:
        old.unlink()


def compare(stack: Stack, report: Report, since: date) -> Changes:
    """What has changed since the last report of that day or before it; without one, since the first after it.

    Raises:
        OperatorError: no report was made before this one.
    """
    kept = sorted(_folder(stack).glob("*.json"))
    if not kept:
        raise OperatorError(
            f"There is no earlier report of {stack.name} to compare with.",
            f"Each ./gatehouse access {stack.name} keeps one: look again after the next.",
        )
    before = [path for path in kept if _made(path).date() <= since]
    chosen = before[-1] if before else kept[0]
    was = {(each["person"], each["app"]): each for each in json.loads(chosen.read_text())["access"]}
    now = {(each.person, each.app): each for each in report.access}
    found = []
    for person, app in sorted({*was, *now}):
        then, this = was.get((person, app)), now.get((person, app))
        had, has = bool(then and then["may"]), bool(this and this.may)
        if had != has:
            why = this.why if this else f"{(then or {})['why']}; now gone"
            found.append(Change(app, person, has, why))
    return Changes(_made(chosen), found)


def _folder(stack: Stack) -> Path:
    return ROOT / ".gatehouse" / stack.name / "access"


def _made(path: Path) -> datetime:
    return datetime.strptime(path.stem, _TIME).replace(tzinfo=UTC)


PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Who may use what at {{ client }}</title>
<style>
 body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #1b1f24 }
 table { border-collapse: collapse; margin: 1rem 0 2rem } th, td { border: 1px solid #d0d7de; padding: .3rem .6rem }
 th { background: #f6f8fa; text-align: left; position: sticky; top: 0 } td.yes { background: #dafbe1 }
 td.no { color: #8c959f } tr.closed td:first-child { text-decoration: line-through } small { color: #57606a }
</style></head><body>
<h1>Who may use what at {{ client }}</h1>
<p>As of {{ made }}: {{ report.people | length }} people, {{ report.apps | length }} apps.</p>
{% if changes %}
<h2>Changed since {{ changes.since.strftime("%Y-%m-%d %H:%M") }} UTC</h2>
<ul>{% for each in changes.changes %}<li>{{ each.person }} {{ "may now use" if each.gained else "may no longer use" }}
 {{ each.app }} <small>({{ each.why }})</small></li>{% else %}<li>nothing</li>{% endfor %}</ul>
{% endif %}
<table><thead><tr><th>Person</th><th>Second factors</th>
{% for app in report.apps %}<th>{{ app }}</th>{% endfor %}</tr></thead><tbody>
{% for who in report.people %}<tr{% if not who.active %} class="closed"{% endif %}>
<td>{{ who.username }} <small>{{ who.name }} {{ who.email }}</small></td>
<td>{{ "not asked" if who.factors is none else (who.factors | join(", ")) or "none" }}</td>
{% for app in report.apps %}{% set each = pair[who.username, app] %}
<td class="{{ "yes" if each.may else "no" }}">{{ "yes" if each.may else "no" }} <small>{{ each.why }}</small></td>
{% endfor %}</tr>
{% endfor %}</tbody></table></body></html>
"""

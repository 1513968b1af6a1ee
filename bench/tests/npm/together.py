"""The recordings that were made at the same moment."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import httpx

from bench.tests.npm import replay
from bench.tests.npm.session import Session


def concurrency(one: Session) -> None:
    """Requests at the same moment: which of them wins is chance, what the losers hear is not."""

    def together(*names: str) -> None:
        def send(name: str) -> tuple[str, httpx.Response]:
            recorded = json.loads((replay.RECORDINGS / f"{name}.json").read_text())
            return name, one.replay.send(recorded["request"])

        with ThreadPoolExecutor(len(names)) as pool:
            answers = [response for _, response in pool.map(send, names)]
        for name in names:
            recorded = json.loads((replay.RECORDINGS / f"{name}.json").read_text())
            status = recorded["response"]["status"]
            fitting = [answer for answer in answers if answer.status_code == status]
            if not fitting:
                one.replay.checked[name] = [f"none of the answers at the same moment is a {status}"]
                continue
            asked = recorded["request"]["body"]["domain_names"][0]
            text = fitting[0].text.replace(_domain(fitting[0]), asked)
            answers.remove(fitting[0])
            one.replay.note(
                name,
                recorded,
                httpx.Response(status, text=text, headers={"content-type": "application/json"}),
            )

    together("08-hazards/concurrent-le-1", "08-hazards/concurrent-le-2")
    together("08-hazards/concurrent-host-0", "08-hazards/concurrent-host-1", "08-hazards/concurrent-host-2")
    mixed(one)
    one.run("03-proxy-hosts", "list-query")
    one.run("02-auth-errors", "create-user-uppercase-email", "login-uppercase-email")


def _domain(answer: httpx.Response) -> str:
    found = answer.json()
    text = json.dumps(found)
    return next(name for name in ("c1.example.test", "c2.example.test", "race.example.test") if name in text)


def mixed(one: Session) -> None:
    """Four hosts at once, one of them with a bad configuration: each is taken or fails with a bare 500."""
    names = [f"08-hazards/concurrent-host-mix{number}" for number in range(4)]
    recordings = {name: json.loads((replay.RECORDINGS / f"{name}.json").read_text()) for name in names}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda name: one.replay.send(recordings[name]["request"]), names))
    kinds = {recording["response"]["status"]: recording for recording in recordings.values()}
    for name, answer in zip(names, answers, strict=True):
        like = kinds.get(answer.status_code, recordings[name])
        domain = recordings[name]["request"]["body"]["domain_names"][0]
        text = json.dumps(like["response"]["body"])
        for other in names:
            text = text.replace(recordings[other]["request"]["body"]["domain_names"][0], domain)
        wanted = {**like["response"], "body": json.loads(text)}
        advanced = recordings[name]["request"]["body"]["advanced_config"]
        if answer.status_code == 201:
            wanted["body"] |= {"advanced_config": advanced}
            one.replay.ids["host", wanted["body"]["id"]] = answer.json()["id"]
        one.replay.note(name, {**recordings[name], "response": wanted}, answer)
    rows = one.replay.setup("GET", "/nginx/proxy-hosts?query=mix2.example.test")
    one.replay.ids["host", 5] = rows[0]["id"]
    # Beside the bad one it may have been taken offline; another write heals it.
    one.replay.setup("PUT", "/nginx/proxy-hosts/5", {"enabled": True})

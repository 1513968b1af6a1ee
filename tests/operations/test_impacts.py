"""What changes interrupt is known for every type of resource, and said once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pulumi.automation import OpType

from components import login
from components.containers.services import SERVICES
from components.containers.specs import all_specs
from components.identity import catalog
from components.identity.access import ACCESS
from components.identity.kinds import ReleaseLine
from components.identity.ldap_search import LDAP_SEARCH
from components.proxy.kinds import KINDS
from operations.impacts import TABLE, ResourceChange, find_impact, interruptions
from operations.resource_labels import TYPES
from tests.host.mocks import secrets, settings

ASKED = (OpType.CREATE, OpType.UPDATE, OpType.REPLACE, OpType.DELETE)
CONTAINER = "docker:index/container:Container"


def types() -> Iterator[str]:
    """Every type of resource that gatehouse can declare."""
    yield from (*TYPES, *KINDS, ACCESS, LDAP_SEARCH, *login.OWN)
    yield from {label for line in catalog.lines() for label in ReleaseLine(line).declarable()}


def test_it_is_known_for_every_type_and_kind_of_change(record_figure: Callable[..., None]) -> None:
    every = list(types())
    unknown = [type_ for type_ in every if find_impact(f"{type_}/x") is None]
    record_figure("test", change_impacts_known=(len(every) - len(unknown), len(every)))
    assert not unknown
    assert len(every) > 100


def test_each_row_stands_for_a_type_and_each_field_is_one_of_it() -> None:
    kinds = {
        label: ReleaseLine(line).fields(label)
        for line in catalog.lines()
        for label in ReleaseLine(line).declarable()
    }
    for key, impact in TABLE.items():
        meant = [
            type_ for type_ in types() if f"{type_}/".startswith(key.partition("/")[0].partition(":auth")[0])
        ]
        assert meant, f"{key} stands for nothing"
        of_kinds = [kinds[label].keys() for label in meant if label in kinds]
        for field in impact.fields if of_kinds else ():
            assert any(field in fields for fields in of_kinds), f"{key} has no {field}"


def test_every_container_of_a_client_has_a_sentence_of_its_own() -> None:
    """A container that comes must say what its restart interrupts."""
    app = {"url": "https://x.acme.example", "everyone": True, "clients": ["192.0.2.0/24"]}
    apps = {
        "nas": {**app, "protocol": "ldap"},
        "wifi": {**app, "protocol": "radius", "url": "https://y.acme.example"},
    }
    for name in [spec.name for spec in all_specs(settings(apps=apps), secrets())]:
        assert interruptions([ResourceChange(OpType.REPLACE, CONTAINER, name)]) == [SERVICES[name].restarts]


def test_a_secret_that_others_hold_says_who_has_to_be_given_it() -> None:
    oauth = "authentik_providers_oauth2.oauth2provider"
    for field in ("client_id", "client_secret"):
        (words,) = interruptions([ResourceChange(OpType.UPDATE, oauth, "files", frozenset({field}))])
        assert words.startswith("files loses its login until it is given the new ")
    assert not interruptions([ResourceChange(OpType.UPDATE, oauth, "files", frozenset({"name"}))])
    assert not interruptions([ResourceChange(OpType.CREATE, oauth, "files")])


def test_what_goes_along_is_not_spoken_of_again() -> None:
    gone = [
        ResourceChange(OpType.REPLACE, "hcloud:index/server:Server", "server"),
        ResourceChange(OpType.REPLACE, CONTAINER, "authentik-server"),
        ResourceChange(OpType.REPLACE, "hcloud:index/volumeAttachment:VolumeAttachment", "data"),
        ResourceChange(OpType.DELETE, "authentik_core.user", "jane"),
    ]
    made_anew, account = interruptions(gone)
    assert made_anew.startswith("the server is made anew: nobody can log in")
    assert account == "deletes the account jane and what it owns"
    assert interruptions(gone[1:2]) == [
        "authentik restarts: nobody can log in for about 70 s, longer with a new version"
    ]


def test_a_client_with_a_box_that_is_taken_down_is_a_few_sentences() -> None:
    everything = [ResourceChange(OpType.DELETE, type_, "x-A") for type_ in types()]
    assert interruptions(everything) == [
        "deletes the server: nobody can log in any more",
        "deletes the volume with all of the client's data, authentik's database and the certificates among them",
        "gives the x-A address up: another client of Hetzner's may get it",
        "x leads nowhere any more",
    ]


def test_an_app_that_goes_is_one_sentence_and_many_are_two() -> None:
    def app(name: str) -> list[ResourceChange]:
        return [
            ResourceChange(OpType.DELETE, "gatehouse.access", name),
            ResourceChange(OpType.DELETE, "authentik_core.application", name),
            ResourceChange(OpType.DELETE, "authentik_providers_saml.samlprovider", name),
            ResourceChange(
                OpType.DELETE, "authentik_policies.policybinding:authentik_core.application", f"{name}/staff"
            ),
        ]

    assert interruptions(app("wiki")) == ["nobody can log in to wiki any more"]
    assert interruptions([each for name in "abcde" for each in app(name)]) == [
        "nobody can log in to a any more",
        "the same for b, c, d, e",
    ]


def test_sentences_are_the_operators() -> None:
    for key, impact in TABLE.items():
        words = [impact.delete, impact.update, impact.create, impact.replace or "", *impact.fields.values()]
        for sentence in filter(None, words):
            assert not re.search(r"authentik_|urn:|hcloud|docker|resource\b|\.$", sentence), (key, sentence)
            assert sentence.format(name="x")

"""A naive program for the objects of some apps: each a dynamic resource, with edges by the outputs of others.

`requests.json`, beside the program, is made from the requests that gatehouse sent for the same objects:
{"address", "token", "lists": {path: [path]}, "objects": [{name, call, body, edges: {field: key or [key]}, key}]}.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from bench.measure.naive.sends import CALL, Sends

SECRET = ("client_secret", "password")


class Thing(Resource, module="naive", name="Thing"):
    """Any object."""

    pk: pulumi.Output[Any]

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(_SENDS, name, {**props, "pk": None}, opts)


_SENDS = Sends()


def main() -> None:
    """Declare everything."""
    document = json.loads(Path("requests.json").read_text())
    project = pulumi.get_project()
    values: dict[str, pulumi.Input[str]] = {
        f"{project}:address": document["address"],
        f"{project}:token": pulumi.Output.secret(document["token"]),
    }
    provider = pulumi.ProviderResource("pulumi-python", "authentik", values)
    made: dict[str, Thing] = {}
    for item in document["objects"]:
        body = dict(item["body"])
        for field, keys in item["edges"].items():
            body[field] = [made[key].pk for key in keys] if isinstance(keys, list) else made[keys].pk
        for field in SECRET:
            if field in body:
                body[field] = pulumi.Output.secret(body[field])
        options = pulumi.ResourceOptions(provider=provider)
        made[item["key"]] = Thing(item["name"], {**body, CALL: item["call"]}, options)


if __name__ == "__main__":
    main()

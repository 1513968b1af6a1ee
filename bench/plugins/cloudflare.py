"""A stand-in for the official cloudflare plugin: DNS records, and the look-up of zones.

It behaves as recorded of the official one: a PUT with all fields, a record that is gone makes update and
delete fail until a refresh, a service that is down is tried for three minutes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

import httpx
import tenacity

from bench.plugins.base import Call, CheckFailed, Diff, Failed, Found, Provider, Resource
from bench.plugins.schema import resource
from bench.plugins.values import UNKNOWN, Values, has_unknown, is_secret, secret

_DNS_RECORD = "cloudflare:index/dnsRecord:DnsRecord"
_RETRIED = (408, 409, 429, 500, 502, 503, 504)
_TRIES = 11  # as the official plugin: the waits between add up to about three minutes
_SETTINGS = ("flattenCname", "ipv4Only", "ipv6Only")
# What only the API knows, so that it is unknown in a preview.
_COMPUTED = ("createdOn", "id", "meta", "modifiedOn", "proxiable", "settings", "tags", "tagsModifiedOn")
# Inputs that the API fills in: a program that leaves them out changes nothing.
_FILLED_IN = ("content", "proxied", "settings", "tags")


def camel(name: str) -> str:
    """created_on as createdOn."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def snake(name: str) -> str:
    """createdOn as created_on."""
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _named(value: Any, rename: Any) -> Any:
    """`value` with all keys renamed and without nulls."""
    if isinstance(value, dict):
        return {rename(k): _named(v, rename) for k, v in value.items() if v is not None}
    return [_named(v, rename) for v in value] if isinstance(value, list) else value


class DnsRecord(Resource):
    """A DNS record."""

    def check(self, call: Call) -> Values:
        inputs = {k: v for k, v in call.news.items() if v is not None}
        missing = [k for k in resource(_DNS_RECORD).get("requiredInputs", []) if k not in inputs]
        if missing:
            reasons = [
                f"Missing required property '{k}'. Examine values at '{call.name}.{k}'." for k in missing
            ]
            raise CheckFailed(*(("", reason) for reason in reasons), inputs=inputs)
        return inputs

    @staticmethod
    def _changed(call: Call) -> list[str]:
        """The inputs in which the program and the state differ."""
        old, new = call.olds, call.news
        changed = []
        for name in resource(_DNS_RECORD)["inputProperties"]:
            if name in call.ignore or (name not in new and (name in _FILLED_IN or name not in old)):
                continue
            same = old.get(name) == new.get(name)
            if name == "name" and not same and isinstance(new.get(name), str):
                # The API completes a name with its zone; a capital letter it makes small, which is a change.
                same = str(old.get(name)).startswith(f"{new[name]}.")
            if not same:
                changed.append(name)
        return changed

    def diff(self, call: Call) -> Diff:
        changed = self._changed(call)
        if "zoneId" in changed:
            return Diff(diffs=sorted(changed), replaces=["zoneId"])
        if not changed:
            return Diff()
        changed.append("modifiedOn")
        if "comment" in changed and "commentModifiedOn" in call.olds:
            changed.append("commentModifiedOn")
        return Diff(diffs=sorted(changed))

    @staticmethod
    def _outputs(record: Values, program: Values, zone: str) -> Values:
        """The state: the API's record, in which the program's own values stay as it wrote them."""
        outputs: Values = _named({k: v for k, v in record.items() if k not in ("settings", "data")}, camel)
        settings = _named(record.get("settings") or {}, camel)
        outputs["settings"] = {k: settings.get(k, False) for k in _SETTINGS} if settings else {}
        outputs["meta"] = json.dumps(record.get("meta") or {}, separators=(",", ":"))
        if record.get("data"):
            outputs["data"] = _named(record["data"], camel)
        return outputs | {k: v for k, v in program.items() if k != "settings"} | {"zoneId": zone}

    @staticmethod
    def _check_ttl(new: Values) -> None:
        if new.get("proxied") is True and new.get("ttl") != 1:
            raise Failed(
                "ttl must be set to 1 when `proxied` is true: When a DNS record is marked as `proxied` the TTL "
                "must be 1 as Cloudflare will control the TTL internally."
            )

    @staticmethod
    def _body(new: Values) -> Values:
        body = {k: v for k, v in new.items() if k not in ("zoneId", "settings", "data")}
        for name in ("settings", "data"):
            if name in new:
                body[name] = _named(new[name], snake)
        return dict(sorted(body.items()))

    def create(self, call: Call) -> tuple[str, Values]:
        new: Values = {"proxied": False} | call.news
        if call.preview:
            unknown = [*_COMPUTED, *(["commentModifiedOn"] if "comment" in new else [])]
            return "", {"content": UNKNOWN} | new | dict.fromkeys(set(unknown) - set(call.news), UNKNOWN)
        self._check_ttl(new)
        zone = new["zoneId"]
        # As in the official plugin, a status of 200 counts, even if the body says that it went wrong.
        record = self.provider.api("POST", f"zones/{zone}/dns_records", self._body(new)) or {"id": "{<nil>}"}
        return record["id"], self._outputs(record, new, zone)

    def read(self, call: Call) -> Found | None:
        zone, _, number = call.id.rpartition("/")  # an import names both
        zone = call.olds.get("zoneId", zone)
        try:
            record = self.provider.api("GET", f"zones/{zone}/dns_records/{number}")
        except ApiFailed as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        outputs = self._outputs(record, {}, zone)
        wanted = call.old_inputs or {
            k: v
            for k, v in outputs.items()
            if v not in ({}, []) and k in resource(_DNS_RECORD)["inputProperties"]
        }
        return Found(record["id"], outputs, {k: outputs[k] for k in wanted if k in outputs})

    def update(self, call: Call) -> Values:
        old = call.olds
        new: Values = {"proxied": False} | call.news
        kept = {k: old[k] for k in _FILLED_IN if k in old and k not in call.news}
        kept |= {"proxied": False} if "proxied" not in call.news else {}
        if call.preview:
            changed = self.diff(call).diffs
            stamps = {k: UNKNOWN for k in ("modifiedOn", "commentModifiedOn") if k in changed}
            inputs = resource(_DNS_RECORD)["inputProperties"]
            return {k: v for k, v in old.items() if k not in inputs} | kept | new | stamps
        self._check_ttl(new)
        body = kept | new
        if "comment" in old and "comment" not in new:
            body["comment"] = None
        number = call.id.rpartition("/")[2]
        record = self.provider.api("PUT", f"zones/{new['zoneId']}/dns_records/{number}", self._body(body))
        stale = {"content": old["content"]} if "content" not in new and "content" in old else {}
        return self._outputs(record, new | stale, new["zoneId"])

    def delete(self, call: Call) -> None:
        number = call.id.rpartition("/")[2]
        self.provider.api("DELETE", f"zones/{call.olds['zoneId']}/dns_records/{number}")


class ApiFailed(Failed):
    """The API refused a request."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        request = response.request
        phrase = f"{self.status} {HTTPStatus(self.status).phrase}"
        super().__init__(
            f'failed to make http request: {request.method} "{request.url}": {phrase} {response.text}'
        )


def zone(provider: Any, arguments: Values, preview: bool) -> Values:
    """getZone: by id, or by a filter that has to fit exactly one zone."""
    del preview
    number = arguments.get("zoneId")
    if number is None:
        wanted = arguments.get("filter") or {}
        if has_unknown(wanted):
            raise Failed("the filter of getZone is not known yet")
        found = provider.api("GET", f"zones?{httpx.QueryParams(dict(sorted(wanted.items())))}")
        if len(found) != 1:
            raise Failed(f"failed to find exactly one result: {len(found)} found")
        number = found[0]["id"]
    result: Values = _named(provider.api("GET", f"zones/{number}"), camel)
    return result | arguments | {"zoneId": result["id"]}


def zones(provider: Any, arguments: Values, preview: bool) -> Values:
    """getZones: all pages, up to the first empty one."""
    del preview
    results: list[Values] = []
    page = 1
    while True:
        query = {k: v for k, v in arguments.items() if isinstance(v, str)} | (
            {"page": page} if page > 1 else {}
        )
        found = provider.api("GET", f"zones?{httpx.QueryParams(query)}")
        if not found:
            return {"results": results} | arguments
        results += _named(found, camel)
        page += 1


class Cloudflare(Provider):
    """The plugin. Its settings are taken from the program, else from CLOUDFLARE_* of the environment."""

    name = "cloudflare"
    version = "6.23.1"  # of the SDK, as above all others; recorded: 6.20.0
    resources: ClassVar[Mapping[str, type[Resource]]] = {_DNS_RECORD: DnsRecord}
    functions: ClassVar[Mapping[str, Any]] = {
        "cloudflare:index/getZone:getZone": zone,
        "cloudflare:index/getZones:getZones": zones,
    }
    configured: ClassVar[Values] = {
        "supportsPreview": True,
        "acceptResources": True,
        "supportsAutonamingConfiguration": True,
    }
    environment: Mapping[str, str] = os.environ
    transport: httpx.BaseTransport | None = None
    patience = 1.0  # seconds before the second try; each further wait is twice as long, up to 30 times this

    def check_config(self, news: Values) -> Values:
        hidden = {k: secret(news[k]) for k in ("apiToken", "apiKey") if k in news and not is_secret(news[k])}
        return news | hidden

    def configure(self, config: Values) -> None:
        token = config.get("apiToken") or self.environment.get("CLOUDFLARE_API_TOKEN") or ""
        base = config.get("baseUrl") or self.environment.get("CLOUDFLARE_BASE_URL")
        self.client = httpx.Client(
            base_url=(base or "https://api.cloudflare.com/client/v4").rstrip("/") + "/",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=60.0,
            transport=self.transport,
        )

    def handshake(self) -> Values:
        raise Failed("Handshake is not yet implemented", code="UNIMPLEMENTED")

    def api(self, method: str, path: str, body: Values | None = None) -> Any:
        """The result of a request, which is repeated where the official plugin repeats it."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_TRIES),
            wait=self._wait,
            retry=tenacity.retry_if_exception(_worth_repeating),
            reraise=True,
        )
        try:
            return retrying(self._once, method, path, body)
        except httpx.HTTPError as error:
            raise Failed(
                f'failed to make http request: {method} "{self.client.base_url}{path}": {error}'
            ) from None

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        after = error.retry_after if isinstance(error, _Busy) else None
        return after if after is not None else self.patience * min(30, 2 ** (state.attempt_number - 1))

    def _once(self, method: str, path: str, body: Values | None) -> Any:
        response = self.client.request(method, path, json=body)
        if response.status_code in _RETRIED:
            raise _Busy(response)
        if response.is_error:
            raise ApiFailed(response)
        return response.json()["result"]


class _Busy(ApiFailed):
    """A refusal that may pass."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response)
        after = response.headers.get("retry-after", "")
        self.retry_after = float(after) if after.isdecimal() else None


def _worth_repeating(error: BaseException) -> bool:
    return isinstance(error, _Busy | httpx.TransportError)


PROVIDER = Cloudflare

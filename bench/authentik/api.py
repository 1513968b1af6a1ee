"""The REST API below /api/v3: finds the endpoint, the caller and the objects, and answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from bench.authentik import access, auth, events, latency, lists, names, policies, usedby, writes
from bench.authentik.calls import CRASHED, HTML, JSON, Answer, Call, NotFoundError
from bench.authentik.catalog import Kind, Line, line_of, load
from bench.authentik.context import OUTPOSTS, USERS, Context, Item, is_superuser
from bench.authentik.fields import Invalid
from bench.authentik.pages import NOT_FOUND_PAGE
from bench.authentik.render import render
from bench.authentik.rules import Crash
from bench.authentik.settings import Settings
from bench.authentik.store import Data, Store

PREFIX = "/api/v3"
PUBLIC = {"/root/config/", "/core/brands/current/", "/schema/"}
# What people without rights may read; everything else needs a superuser (the bench knows no finer permissions).
EVERYBODY = {
    "/core/applications/",
    "/core/users/me/",
    "/core/applications/{slug}/",
    "/outposts/ldap/{id}/check_access/",
    "/outposts/radius/{id}/check_access/",
}
# What everybody may do with second factors of their own.
OWN = re.compile(r"/authenticators/(all/|(static|totp|webauthn)/(\{id\}/)?)")
# The accounts of outposts may look at these; people and groups are what LDAP is about.
SERVICE_ACCOUNTS = (
    "/outposts/",
    "/providers/",
    "/core/users/",
    "/core/groups/",
    "/crypto/certificatekeypairs/",
)
AGGREGATES = {
    "/providers/all/": "any_provider",
    "/stages/all/": "any_stage",
    "/policies/all/": "any_policy",
    "/propertymappings/all/": "any_property_mapping",
    "/sources/all/": "any_source",
    "/outposts/service_connections/all/": "any_service_connection",
    "/endpoints/connectors/": "any_connector",
}

# Reading these is noted in the audit log.
LOGGED = {"/core/tokens/{identifier}/view_key/"}
UNORDERED = {"/providers/all/"}


Action = Callable[["Api", Call], Answer]


class Api:
    """The API of one emulator. `handle` may be called from several threads."""

    def __init__(self, store: Store, settings: Settings, actions: dict[tuple[str, str], Action]) -> None:
        self.store, self.settings, self.actions = store, settings, actions
        self.after_write: Callable[[Call, Kind, Data], None] = lambda *_: None
        """What follows a write outside the store, in what this process keeps of logins."""
        self.line: Line = load(line_of(settings.version))
        self.pace = latency.Pace(settings.latency)
        self._patterns = [
            (re.compile("^" + re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template)) + "$"), template)
            for template in sorted(self.line.paths, key=lambda path: path.count("{"))
        ]

    def find(self, path: str) -> tuple[str, dict[str, str]] | None:
        """The schema's template of a path and what its variables are."""
        for pattern, template in self._patterns:
            if match := pattern.match(path):
                return template, match.groupdict()
        return None

    def handle(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, base: str
    ) -> Answer:
        """Answer one request; `path` starts below /api/v3, `base` is the address that the client used."""
        found = self.find(path)
        if found is None:
            slashless = not path.endswith("/") and self.find(path + "/")
            return CRASHED if slashless and method != "GET" else Answer(404, NOT_FOUND_PAGE, HTML)
        template, arguments = found
        method = "GET" if method == "HEAD" else method
        context = Context(self.line, self.store, base)
        operations = self.line.paths[template]
        pairs = parse_qsl(query, keep_blank_values=True)
        operation = operations.get(method, {})
        call = Call(method, path, template, arguments, pairs, headers, None, context, operation)
        try:
            with self.store.reading():
                self.authorize(call)
            if method == "OPTIONS":
                return Answer(200, names.described(template))
            if not operation:
                return Answer(405, {"detail": f'Method "{method}" not allowed.'})
            if (refused := self.parse(call, body)) is not None:
                return refused
            return self.answer(call)
        except auth.DeniedError as error:
            return Answer(403, {"detail": str(error)})
        except Invalid as error:
            return Answer(400, error.detail)
        except Crash:
            return CRASHED
        except policies.NotEmulatedError as error:
            return Answer(501, {"detail": str(error)})
        except NotFoundError as error:
            return Answer(404, {"detail": str(error)})
        except lists.PageMissingError:
            return Answer(404, {"detail": "Invalid page."})

    def authorize(self, call: Call) -> None:
        """Find the caller and what they may do."""
        if call.template in PUBLIC:
            return
        call.user = auth.caller(self.store, call.headers, self.settings.secret_key)
        if is_superuser(self.store, call.user):
            return
        reads = call.method in ("GET", "OPTIONS")
        if (reads and call.template in EVERYBODY) or OWN.fullmatch(call.template):
            return
        if (
            reads
            and call.user["type"] == "internal_service_account"
            and call.template.startswith(SERVICE_ACCOUNTS)
        ):
            return
        raise auth.DeniedError(auth.FORBIDDEN)

    def parse(self, call: Call, body: bytes) -> Answer | None:
        """Read the body into `call`; an answer if it is no JSON."""
        call.body = {}
        if call.method in ("POST", "PUT", "PATCH") and body:
            kind = call.headers.get("content-type", "")
            if kind.partition(";")[0].strip() != JSON:
                return Answer(415, {"detail": f'Unsupported media type "{kind}" in request.'})
            try:
                call.body = json.loads(body)
            except json.JSONDecodeError as error:
                message = "unexpected end of data" if error.pos >= len(error.doc.rstrip()) else error.msg
                where = f"line {error.lineno} column {error.colno} (char {error.pos})"
                return Answer(400, {"detail": f"JSON parse error - {message}: {where}"})
            if not isinstance(call.body, dict):
                message = f"Invalid data. Expected a dictionary, but got {type(call.body).__name__}."
                return Answer(400, {"non_field_errors": [message]})
        return None

    def answer(self, call: Call) -> Answer:
        """Do what was asked for: an action of its own, or reading and writing objects of a kind."""
        if action := self.actions.get((call.method, call.template)):
            self.pace.wait(call.method, call.template)
            with (
                self.store.writing()
                if call.method != "GET" or call.template in LOGGED
                else self.store.reading()
            ):
                return action(self, call)
        if call.template.startswith("/tenants/"):
            # Tenancy is switched off, as it is by default.
            raise NotFoundError("Not found.")
        if kind := self.line.kinds.get(call.template):
            return self.listing(call, [kind]) if call.method == "GET" else self.write(call, kind)
        parent, variable = call.template.rstrip("/").rsplit("/", 1)
        if variable.startswith("{") and (kind := self.line.kinds.get(parent + "/")):
            return self.detail(call, [kind])
        if variable == "used_by":
            return self.used_by(call)
        if variable == "types" and (name := AGGREGATES.get(parent + "/")):
            # The dummy policy is offered by a server in debug mode only.
            return Answer(200, [names.type_row(k) for k in self.group(name) if k.path != policies.DUMMY])
        if name := AGGREGATES.get(call.template):
            return self.listing(call, self.group(name))
        if variable.startswith("{") and (name := AGGREGATES.get(parent + "/")):
            return self.detail(call, self.group(name))
        if call.operation.get("answer", "").startswith("Paginated") and call.method == "GET":
            # Records that nothing on the bench makes: devices, consents, sync states, …
            block, _ = lists.page([], dict(call.query))
            return Answer(200, lists.answer(block, []))
        return Answer(501, {"detail": f"The bench's authentik does not do {call.method} {call.template}."})

    def used_by(self, call: Call) -> Answer:
        """What names the object of the URL."""
        parent = call.template.rsplit("{", 1)[0]
        kinds = (
            [self.line.kinds[parent]] if parent in self.line.kinds else self.group(AGGREGATES.get(parent, ""))
        )
        with self.store.reading():
            return Answer(200, usedby.used_by(call.context, *self.locate(call, kinds)))

    def group(self, name: str) -> list[Kind]:
        """The kinds of a group in this line."""
        return [self.line.kinds[path] for path in self.line.groups.get(name, [])]

    def flags(self, call: Call, kind: Kind) -> None:
        """Which nested objects are shown (include_users=…), as asked or by default."""
        for name, schema in self.line.paths[kind.path].get("GET", {}).get("query", {}).items():
            if name.startswith("include_") and schema.get("type") == "boolean":
                asked = call.first(name)
                shown = asked in ("true", "1", "True") if asked is not None else bool(schema.get("default"))
                call.context.flags[name.removeprefix("include_") + "_obj"] = shown

    def shown(self, call: Call, kind: Kind, data: Data) -> dict[str, Any]:
        """An object as this endpoint answers it."""
        schema = call.operation.get("answer", "").removeprefix("Paginated").removesuffix("List")
        name = (
            schema if schema in self.line.schemas and call.template not in self.line.kinds else kind.response
        )
        return render(call.context, kind, data, name if call.method == "GET" else kind.response)

    def listing(self, call: Call, kinds: list[Kind]) -> Answer:
        """A page of objects."""
        self.pace.wait("GET", kinds[0].path)
        with self.store.reading():
            self.flags(call, kinds[0])
            items = [(kind, data) for kind in kinds for data in self.listed(call, kind)]
            items = lists.filtered(call.context, items, call.operation.get("query", {}), call.query)
            if text := call.first("search"):
                items = lists.searched(items, text)
            fields = set(self.line.schemas[kinds[0].response]["properties"])
            items = lists.ordered(
                call.context, items, call.first("ordering") or "", fields, call.template in UNORDERED
            )
            block, items = lists.page(items, dict(call.query))
            items = self.usable(call, items)
            return Answer(200, lists.answer(block, [self.shown(call, *item) for item in items]))

    def also(self, kind: Kind) -> list[Kind]:
        """The kinds whose objects are also objects of this one: every proxy provider is an OAuth2 provider."""
        listed = kind.facts.get("list", {}).get("also_lists", [])
        return [self.line.kinds[path] for path in listed if path in self.line.kinds]

    def listed(self, call: Call, kind: Kind) -> list[Data]:
        """The objects that a list shows to this caller."""
        found = [data for one in [kind, *self.also(kind)] for data in self.store.all(one.path)]
        if kind.path == OUTPOSTS and call.user is not None and call.user.get("_of"):
            return [data for data in found if data["pk"] == call.user["_of"]]  # an outpost sees itself alone
        return found

    def usable(self, call: Call, items: list[Item]) -> list[Item]:
        """Of a page of what has access: those that the caller may use, or the person whom a superuser asks for."""
        kind = self.line.kinds.get(call.template)
        if kind is None or not kind.facts.get("list", {}).get("flag"):
            return items
        user = call.user
        if user is not None and is_superuser(self.store, user):
            if call.first("superuser_full_list") == "true":
                return items
            if (asked := call.first("for_user")) is not None:
                user = self.store.get(USERS, asked)
                if user is None:
                    raise Invalid({"for_user": "User not found"})
        return [item for item in items if user is not None and access.may_use(self.store, user, item[1])]

    def locate(self, call: Call, kinds: list[Kind]) -> tuple[Kind, Data]:
        """The object that the URL names."""
        value = next(iter(call.arguments.values()))
        kind = kinds[0]
        if (kind.url_type == "uuid" and not re.fullmatch(r"[0-9a-fA-F-]{32,36}", value)) or (
            kind.url_type == "int" and not value.isdigit()
        ):
            raise NotFoundError("Not found.")
        for kind in [*kinds, *(other for one in kinds for other in self.also(one))]:
            if kind.url_field == kind.pk_field:
                data = self.store.get(kind.path, value.lower() if kind.url_type == "uuid" else value)
            else:
                data = self.store.find(kind.path, **{kind.url_field: value})
            if data is not None:
                return kind, data
        name = kinds[0].class_name if len(kinds) == 1 else call.operation.get("answer", "object")
        raise NotFoundError(f"No {name} matches the given query.")

    def one(self, call: Call, path: str) -> Data:
        """The object of one kind that the URL names."""
        return self.locate(call, [self.line.kinds[path]])[1]

    def detail(self, call: Call, kinds: list[Kind]) -> Answer:
        """One object: read, changed or deleted."""
        if call.method in ("PUT", "PATCH"):
            return self.write(call, kinds[0])
        self.pace.wait(call.method, kinds[0].path)
        if call.method == "DELETE":
            with self.store.writing():
                kind, data = self.locate(call, kinds)
                writes.delete(call.context, kind, data)
                events.written(self.store, "model_deleted", kind, data, call.user)
            return Answer(204)
        with self.store.reading():
            kind, data = self.locate(call, kinds)
            kind = kind if kind in kinds else kinds[0]
            self.flags(call, kind)
            return Answer(200, self.shown(call, kind, data))

    def write(self, call: Call, kind: Kind) -> Answer:
        """Create or change an object. Checks come before the wait, the write after it: that is where races happen."""
        fresh = call.method == "POST"
        if fresh and kind.facts.get("create") == "405":
            raise Crash
        with self.store.reading():
            before = None
            if not fresh:
                kind, before = self.locate(call, [kind])
            request = writes.prepare(call.context, kind, call.body, before, call.method == "PATCH")
        self.pace.wait(call.method, kind.path)
        with self.store.writing():
            if before is not None:
                request.before = self.store.get(kind.path, before[kind.pk_field])
                if request.before is None:
                    raise Crash
            data = writes.apply(request, call.user)
            if kind.path != events.EVENTS:
                events.written(
                    self.store, "model_created" if fresh else "model_updated", kind, data, call.user
                )
            self.after_write(call, kind, data)
            self.flags(call, kind)
            return Answer(201 if fresh else 200, render(call.context, kind, data))

"""The flow executor: runs a flow's stages one by one, as a browser's requests answer its challenges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bench.authentik.context import Context
from bench.authentik.passwords import matches
from bench.authentik.sessions import Plan, Session, Sessions, origin, page, user_ref
from bench.authentik.store import Data, Store

FLOWS = "/flows/instances/"
FLOW_BINDINGS = "/flows/bindings/"
USERS = "/core/users/"
AVATAR = "/static/dist/assets/images/user_default.png"

# Stages that a login passes through without a question as long as nobody has set up a device.
SILENT = {"/stages/authenticator/validate/", "/stages/user_login/", "/stages/user_logout/"}


class Executor:
    """Flows, run for browsers' sessions over the store's objects."""

    def __init__(self, context: Context, sessions: Sessions) -> None:
        self.context = context
        self.store = context.store
        self.sessions = sessions

    # -- the API ---------------------------------------------------------------------------------------------------

    async def handle(self, request: Request) -> Response:
        """GET and POST of /api/v3/flows/executor/<slug>/: the next challenge, or the answer to one."""
        body: Mapping[str, Any] = {}
        if request.method == "POST":
            form = request.headers.get("content-type", "").startswith("application/x-www-form")
            body = dict(await request.form()) if form else await request.json()
        session = self.sessions.of(request)
        with self.store.reading():
            response = self.step(request, session, body)
        return self.sessions.keep(session, request, response)

    def step(self, request: Request, session: Session, body: Mapping[str, Any]) -> Response:
        """One request: answer the pending challenge, or show the next one."""
        flow = self.store.find(FLOWS, slug=request.path_params["slug"])
        if flow is None:
            return JSONResponse({"detail": "No Flow matches the given query."}, 404)
        if session.plan is None or session.plan.flow != flow["slug"]:
            if not self.applies(flow, session):
                return self.denied(flow, "Flow does not apply to current user.")
            session.plan = Plan(flow["slug"], self.stages(flow), self.next_of(request))
        plan = session.plan
        if request.method == "POST":
            return self.answer(request, session, plan, flow, body)
        while plan.stages and plan.stages[0][0] in SILENT:
            kind, _ = plan.stages.pop(0)
            self.silent(kind, session, plan)
            if plan.stages:
                return again(request)
        if not plan.stages:
            session.plan = None
            return JSONResponse({"component": "xak-flow-redirect", "to": plan.target})
        return self.challenge(plan, flow)

    def answer(
        self, request: Request, session: Session, plan: Plan, flow: Data, body: Mapping[str, Any]
    ) -> Response:
        """Take the answer to the pending challenge."""
        if not plan.stages:
            return again(request)
        kind, pk = plan.stages[0]
        handler = ANSWERS.get(kind)
        if handler is None:
            return self.denied(flow, f"The bench does not run stages of {kind}")
        errors = handler(self, plan, self.store.get(kind, pk) or {}, body)
        if errors:
            return self.challenge(plan, flow, errors)
        if kind == "/stages/consent/":
            session.consented.add(plan.target)
        plan.stages.pop(0)
        return again(request)

    # -- stages

    def challenge(self, plan: Plan, flow: Data, errors: Mapping[str, str] | None = None) -> Response:
        """What the browser is asked."""
        kind, pk = plan.stages[0]
        build = CHALLENGES.get(kind)
        if build is None:
            return self.denied(flow, f"The bench does not run stages of {kind}")
        return JSONResponse(
            {
                **self.flow_info(flow),
                **(
                    {
                        "response_errors": {
                            key: [{"string": text, "code": "invalid"}] for key, text in errors.items()
                        }
                    }
                    if errors
                    else {}
                ),
                **build(self, plan, self.store.get(kind, pk) or {}),
            }
        )

    def identification(self, plan: Plan, stage: Data) -> dict[str, Any]:
        """Ask who it is."""
        application = self.application_before(plan)
        return {
            "component": "ak-stage-identification",
            "user_fields": stage.get("user_fields") or [],
            "pending_user_identifier": None,
            "password_fields": bool(stage.get("password_stage")),
            "allow_show_password": False,
            **(
                {
                    "application_pre": application["name"],
                    "application_pre_launch": application.get("meta_launch_url"),
                }
                if application
                else {}
            ),
            "flow_designation": "authentication",
            "captcha_stage": None,
            "primary_action": "Log in",
            "sources": [],
            "show_source_labels": False,
            "enable_remember_me": False,
            "passkey_challenge": None,
        }

    def password(self, plan: Plan, _stage: Data) -> dict[str, Any]:
        """Ask for the password."""
        user = self.store.get(USERS, plan.pending) if plan.pending else None
        return {
            "component": "ak-stage-password",
            "pending_user": user["username"] if user else plan.pending or "",
            "pending_user_avatar": AVATAR,
            "allow_show_password": False,
        }

    def consent(self, plan: Plan, _stage: Data) -> dict[str, Any]:
        """Ask whether the application may have it."""
        application = self.application_before(plan)
        name = application["name"] if application else ""
        return {
            "component": "ak-stage-consent",
            "pending_user": "",
            "pending_user_avatar": AVATAR,
            "header_text": f"{name} requires following permissions",
            "permissions": [],
            "additional_permissions": [],
            "token": "consent",
        }

    def take_identification(self, plan: Plan, stage: Data, body: Mapping[str, Any]) -> dict[str, str]:
        """Who it is. Somebody unknown is asked for a password like anybody else."""
        wanted = str(body.get("uid_field") or "").strip().lower()
        if not wanted:
            return {"uid_field": "This field is required."}
        fields = stage.get("user_fields") or []
        user = next(
            (u for u in self.store.all(USERS) if any(str(u.get(f) or "").lower() == wanted for f in fields)),
            None,
        )
        plan.pending = user_ref(user) if user else wanted
        if stage.get("password_stage"):
            return self.take_password(plan, stage, body)
        return {}

    def take_password(self, plan: Plan, _stage: Data, body: Mapping[str, Any]) -> dict[str, str]:
        """The password of whoever it is; a person who is not active is refused like a wrong password."""
        user = self.store.get(USERS, plan.pending)
        given = str(body.get("password") or "")
        if user is None or not user.get("is_active", True) or not matches(given, user["_password"]):
            return {"password": "Invalid password"}
        return {}

    def take_consent(self, _plan: Plan, _stage: Data, _body: Mapping[str, Any]) -> dict[str, str]:
        """Given by answering at all."""
        return {}

    def silent(self, kind: str, session: Session, plan: Plan) -> None:
        """A stage without a question."""
        if kind == "/stages/user_login/" and plan.pending:
            session.log_in(plan.pending)
        elif kind == "/stages/user_logout/":
            session.user = None

    # -- helpers

    def stages(self, flow: Data) -> list[tuple[str, str]]:
        """The flow's stages in order, as (kind, pk)."""
        own = [binding for binding in self.store.all(FLOW_BINDINGS) if binding["target"] == flow["pk"]]
        found = [
            self.context.group("any_stage", binding["stage"])
            for binding in sorted(own, key=lambda binding: int(binding["order"]))
        ]
        return [(kind.path, str(stage["pk"])) for kind, stage in filter(None, found)]

    def applies(self, flow: Data, session: Session) -> bool:
        """Whether the flow may be run by this browser."""
        wanted = flow.get("authentication", "none")
        if wanted == "none":
            return True
        if wanted == "require_unauthenticated":
            return session.user is None
        if wanted == "require_authenticated":
            return session.user is not None
        return False

    def next_of(self, request: Request) -> str:
        """Where the browser wants to go afterwards; only to this server."""
        query = parse_qs(request.query_params.get("query", ""))
        target = (query.get("next") or ["/"])[0]
        return target if target.startswith("/") and not target.startswith("//") else "/"

    def application_before(self, plan: Plan) -> Data | None:
        """The application that the browser is on its way to."""
        _, _, query = plan.target.partition("?")
        client = (parse_qs(query).get("client_id") or [""])[0]
        provider = self.store.find("/providers/oauth2/", client_id=client) if client else None
        return self.store.find("/core/applications/", provider=provider["pk"]) if provider else None

    def flow_info(self, flow: Data) -> dict[str, Any]:
        """What every challenge says about its flow."""
        info = {
            "title": flow["title"],
            "background": "/static/dist/assets/images/flow_background.jpg",
            "background_themed_urls": None,
            "cancel_url": "/flows/-/cancel/",
            "layout": flow.get("layout", "stacked"),
        }
        return {"flow_info": info}

    def denied(self, flow: Data, why: str) -> Response:
        """The flow ends here."""
        return JSONResponse(
            {
                **self.flow_info(flow),
                "component": "ak-stage-access-denied",
                "pending_user": "",
                "pending_user_avatar": AVATAR,
                "error_message": why,
            }
        )

    # -- pages

    async def interface(self, _request: Request) -> Response:
        """/if/flow/<slug>/: where the real one serves the browser's half of the executor."""
        return page("authentik", "The bench has no browser interface; it runs flows through the API.")

    async def default(self, request: Request) -> Response:
        """/flows/-/default/authentication/: the flow of the brand."""
        with self.store.reading():
            slug = authentication_flow(self.store)
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/if/flow/{slug}/{query}", 302)

    async def root(self, request: Request) -> Response:
        """/: to the login, or to the user's page."""
        if self.sessions.of(request).user is None:
            return RedirectResponse("/flows/-/default/authentication/?next=/", 302)
        return RedirectResponse(f"{origin(request)}/if/user/", 302)


def authentication_flow(store: Store, provider: Data | None = None) -> str:
    """The slug of the flow that logs people in: the provider's, else the brand's."""
    pk = provider.get("authentication_flow") if provider else None
    brand = store.find("/core/brands/", default=True)
    flow = store.get(FLOWS, pk or (brand or {}).get("flow_authentication"))
    return str(flow["slug"]) if flow else "default-authentication-flow"


def again(request: Request) -> Response:
    """302 to the same address: how the executor says that an answer was good."""
    location = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Response(None, 302, {"location": location}, media_type="text/html")


CHALLENGES: dict[str, Callable[[Executor, Plan, Data], dict[str, Any]]] = {
    "/stages/identification/": Executor.identification,
    "/stages/password/": Executor.password,
    "/stages/consent/": Executor.consent,
}
ANSWERS: dict[str, Callable[[Executor, Plan, Data, Mapping[str, Any]], dict[str, str]]] = {
    "/stages/identification/": Executor.take_identification,
    "/stages/password/": Executor.take_password,
    "/stages/consent/": Executor.take_consent,
}

"""The flow executor: runs a flow's stages one by one, as a browser's requests answer its challenges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bench.authentik import factors, links, logins, prompts, stages
from bench.authentik.access import NOBODY, may_use
from bench.authentik.context import FLOW_BINDINGS, FLOWS, USERS, Context
from bench.authentik.flows import steps
from bench.authentik.logins import LOGIN
from bench.authentik.policies import person
from bench.authentik.sessions import Plan, Session, Sessions, Step, origin, page
from bench.authentik.stages import ANONYMOUS, DENY, LOGOUT
from bench.authentik.store import Data, Store

CHALLENGES = {
    **stages.CHALLENGES,
    **factors.CHALLENGES,
    **links.CHALLENGES,
    **logins.CHALLENGES,
    prompts.PROMPT: prompts.ask,
}
ANSWERS = {
    **stages.ANSWERS,
    **factors.ANSWERS,
    **links.ANSWERS,
    **logins.ANSWERS,
    prompts.PROMPT: prompts.take,
}
SILENT = {LOGOUT, prompts.WRITE, logins.INVITATION}
"""Stages without a question."""
ALLOW = {"allow": "GET, POST, HEAD, OPTIONS"}
DENIED = "ak-stage-access-denied"
CANCEL = "/flows/-/cancel/"
# The first start's flow; by its policy it ends when the administrator has a password.
SETUP = "initial-setup"
# What a flow asks of the browser's session: somebody logged in or nobody. Other requirements nobody here fulfils.
REQUIREMENTS = {"none": None, "require_authenticated": True, "require_unauthenticated": False}


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
        with self.store.writing():
            response = self.step(request, session, body)
        if session.plan and session.plan.consented:
            with self.store.writing():
                self.note_consent(session.plan)
        return self.sessions.keep(session, request, response)

    def step(self, request: Request, session: Session, body: Mapping[str, Any]) -> Response:
        """One request: answer the pending challenge, or show the next one."""
        flow = self.store.find(FLOWS, slug=request.path_params["slug"])
        if flow is None:
            return JSONResponse({"detail": "No Flow matches the given query."}, 404)
        query = {name: values[-1] for name, values in parse_qs(request.query_params.get("query", "")).items()}
        link = query.get("flow_token", "")
        if link and (session.plan is None or session.plan.token != link):
            session.plan = links.restored(self.store, link, flow["slug"]) or session.plan
        if session.plan is None or session.plan.flow != flow["slug"]:
            target = next_of(request)
            if not self.applies(flow, session):
                return self.denied(flow, target, "Flow does not apply to current user.")
            user = self.sessions.user(self.store, session)
            pending = str(user["pk"]) if user else None
            session.plan = Plan(flow["slug"], steps(self.context, flow, user or NOBODY), target, pending)
        plan = session.plan
        plan.query, plan.origin = query, origin(request)
        if request.method == "POST":
            return self.answer(request, plan, flow, body)
        while step := self.due(plan):
            stage = self.store.get(step.kind, step.pk) or {}
            if step.kind == DENY:
                return self.refused(flow, session, plan, str(stage.get("deny_message") or "Access denied"))
            if step.kind == factors.SECOND_FACTOR:
                following = factors.next_steps(self.store, plan, stage)
                if following is None:
                    return self.refused(flow, session, plan, factors.NO_DEVICE)
                if following and following[0].kind == factors.SECOND_FACTOR:
                    break
                plan.stages[:1] = following
            elif step.kind == stages.CONSENT and stages.has_consented(self.store, plan, stage):
                plan.stages.pop(0)
            elif self.is_silent(step.kind, plan, stage):
                plan.stages.pop(0)
                if why := self.silent(step.kind, session, plan, stage):
                    return self.refused(flow, session, plan, why)
            else:
                break
            if plan.stages:
                return again(request)
        if not plan.stages:
            session.plan = None
            target = plan.finish() if plan.finish else plan.target or "/"
            return JSONResponse({"component": "xak-flow-redirect", "to": target}, headers=ALLOW)
        return self.challenge(plan, flow)

    def answer(self, request: Request, plan: Plan, flow: Data, body: Mapping[str, Any]) -> Response:
        """Take the answer to the pending challenge."""
        if not plan.stages:
            return again(request)
        kind, pk, _ = plan.stages[0]
        handler = ANSWERS.get(kind)
        if handler is None:
            return self.denied(flow, plan.target, f"The bench does not run stages of {kind}")
        errors = handler(self.store, plan, self.store.get(kind, pk) or {}, body)
        if errors and (why := errors.get(stages.REFUSED)):
            session = self.sessions.of(request)
            return self.refused(flow, session, plan, why)
        if errors is not None:
            return self.challenge(plan, flow, errors)
        plan.answered = plan.stages.pop(0)
        return again(request)

    def challenge(self, plan: Plan, flow: Data, errors: Mapping[str, str] | None = None) -> Response:
        """What the browser is asked, with what was wrong about its last answer."""
        kind, pk, _ = plan.stages[0]
        build = CHALLENGES.get(kind)
        if build is None:
            return self.denied(flow, plan.target, f"The bench does not run stages of {kind}")
        asked = {**flow_info(flow, plan.target), **build(self.store, plan, self.store.get(kind, pk) or {})}
        if errors:
            asked["response_errors"] = {
                name: [{"string": text, "code": "invalid"}] for name, text in errors.items()
            }
        return JSONResponse(asked, headers=ALLOW)

    def is_silent(self, kind: str, plan: Plan, stage: Data) -> bool:
        """Whether a stage asks nothing of the person."""
        if kind == LOGIN:
            return not logins.asks(plan, stage)
        return kind in SILENT or (kind == links.EMAIL and bool(plan.context.get("is_restored")))

    def silent(self, kind: str, session: Session, plan: Plan, stage: Data) -> str:
        """Run a stage without a question; why it refuses, if it does."""
        match kind:
            case logins.LOGIN:
                return logins.log_in(self.context, self.sessions, session, plan, stage)
            case stages.LOGOUT:
                session.log_out()
            case prompts.WRITE:
                return prompts.write(self.store, plan, stage)
            case links.EMAIL:
                return links.arrived(self.store, plan, stage)
            case logins.INVITATION:
                return logins.invited(self.store, plan, stage)
        return ""

    def note_consent(self, plan: Plan) -> None:
        """What somebody has just agreed to."""
        if plan.answered:
            stages.keep_consent(self.store, plan, self.store.get(stages.CONSENT, plan.answered.pk) or {})
        plan.consented = None

    # -- helpers

    def due(self, plan: Plan) -> Step | None:
        """The next stage whose bindings let it run for whom the flow is about; those before it are dropped."""
        while plan.stages:
            binding = self.store.get(FLOW_BINDINGS, plan.stages[0].binding)
            if binding is None or not binding.get("re_evaluate_policies", True):
                break
            user = self.store.get(USERS, plan.pending) if plan.pending else None
            context = {**plan.context, **({"pending_user": person(self.store, user)} if user else {})}
            if may_use(self.store, user or NOBODY, binding, context):
                break
            plan.stages.pop(0)
        return plan.stages[0] if plan.stages else None

    def applies(self, flow: Data, session: Session) -> bool:
        """Whether the flow may be run by this browser: its requirement, and the policies and groups bound to it."""
        user = self.sessions.user(self.store, session)
        wanted = flow.get("authentication", "none")
        if wanted not in REQUIREMENTS or REQUIREMENTS[wanted] not in (None, user is not None):
            return False
        if flow["slug"] == SETUP:
            administrator = self.store.find(USERS, username="akadmin")
            return administrator is None or not administrator["_password"]
        return may_use(self.store, user or NOBODY, flow)

    def refused(self, flow: Data, session: Session, plan: Plan, why: str) -> Response:
        """A stage turns the person away, which is the end of the plan."""
        session.plan = None
        shown = stages.pending(self.store, plan)
        return JSONResponse({**flow_info(flow, ""), "component": DENIED, **shown, "error_message": why})

    def denied(self, flow: Data, target: str, why: str) -> Response:
        """The flow ends here."""
        return JSONResponse(
            {
                **flow_info(flow, target),
                "component": DENIED,
                "pending_user": "",
                "pending_user_avatar": ANONYMOUS,
                "error_message": why,
            }
        )

    # -- pages

    async def interface(self, _request: Request) -> Response:
        """/if/flow/<slug>/: where the real one serves the browser's half of the executor."""
        return page(text="The bench has no browser interface; it runs flows through the API.")

    async def default(self, request: Request) -> Response:
        """/flows/-/default/authentication/: the flow of the brand."""
        with self.store.reading():
            slug = authentication_flow(self.store)
        query = f"?{request.url.query}" if request.url.query else ""
        return redirect(f"/if/flow/{slug}/{query}")

    async def root(self, request: Request) -> Response:
        """/: to the login, or to the user's page."""
        with self.store.reading():
            user = self.sessions.user(self.store, self.sessions.of(request))
        if user is None:
            return redirect("/flows/-/default/authentication/?next=/")
        return redirect(f"{origin(request)}/if/user/")


def flow_info(flow: Data, target: str) -> dict[str, Any]:
    """What every challenge says about its flow."""
    info = {
        "title": flow["title"],
        "background": "/static/dist/assets/images/flow_background.jpg",
        "background_themed_urls": None,
        "cancel_url": f"{CANCEL}?{urlencode({'next': target})}" if target else CANCEL,
        "layout": flow.get("layout", "stacked"),
    }
    return {"flow_info": info}


def next_of(request: Request) -> str:
    """Where the browser wants to go afterwards; only to this server, "" for nowhere in particular."""
    query = parse_qs(request.query_params.get("query", ""))
    target = (query.get("next") or [""])[0]
    return target if target.startswith("/") and not target.startswith("//") else ""


def authentication_flow(store: Store, provider: Data | None = None) -> str:
    """The slug of the flow that logs people in: the provider's, else the brand's."""
    pk = provider.get("authentication_flow") if provider else None
    brand = store.find("/core/brands/", default=True)
    flow = store.get(FLOWS, pk or (brand or {}).get("flow_authentication"))
    return str(flow["slug"]) if flow else "default-authentication-flow"


def redirect(location: str, headers: Mapping[str, str] | None = None) -> Response:
    """302 as authentik sends it: with the type of a page and no body."""
    return Response(None, 302, {"location": location, **(headers or {})}, media_type="text/html")


def again(request: Request) -> Response:
    """302 to the same address: how the executor says that an answer was good."""
    return redirect(request.url.path + (f"?{request.url.query}" if request.url.query else ""), ALLOW)

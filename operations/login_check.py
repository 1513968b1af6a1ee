"""`gatehouse login-check`: whom authentik lets use an app gets in, and nobody else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import assert_never

from components.apps import planned
from components.settings import App, Person
from components.settings.apps import AppContext, NoLogin, OidcLogin, PageLogin
from operations.asking import opened
from operations.browser import Where
from operations.errors import OperatorError
from operations.evaluation import DeclaredAccess, Evaluation
from operations.login import LoginResult, log_in, probe_login
from operations.oidc import Client
from operations.stack import Stack

WANTED = ((True, True), (True, False), (False, True))
"""Who is logged in to an app: (is active, may use it)."""
STRANGER = "somebody without a session"
MOST = 10
"""Others that authentik is asked about while one of these has not been found: each question takes it 0.1 s."""


@dataclass(frozen=True)
class LoginCheck:
    """One login that was tried, what authentik and the stack file say of it, and how it ended."""

    app: str
    person: str
    allowed: bool
    """Whether authentik, asked, would let the person in."""
    declared: bool | None
    """Whether the stack file does; None where it alone does not decide."""
    refusal: Where
    """How somebody who may not is turned away: to be kept out by an error does not count."""
    result: LoginResult

    @property
    def expected(self) -> bool:
        """Whether the person should get in: as declared, or else as authentik has it."""
        return self.allowed if self.declared is None else self.declared

    @property
    def ok(self) -> bool:
        """Whether it ended as it should, and as authentik says."""
        if self.allowed is not self.expected:
            return False
        return self.result.accepted if self.allowed else self.result.where is self.refusal

    @property
    def measure(self) -> str:
        """What it is measured by."""
        return "authentik says" if self.declared is None else "declared"


def login_check(
    stack: Stack, app: str | None, echo: Callable[[LoginCheck], None], note: Callable[[str], None]
) -> bool:
    """Log in to each app (or to one) as people who may and who may not; whether all ended as they should.

    First passwords are derived, so this works until a person has changed theirs. What can't be checked is `noted`.

    Raises:
        OperatorError: there is no such app, nobody to log in with, or no authentik to ask.
    """
    settings, server = opened(stack)
    wanted = [each for each in settings.apps if app in (None, each.key)]
    if not wanted:
        known = ", ".join(each.key for each in settings.apps) or "none"
        raise OperatorError(
            f"{stack.name} has no app to log in to{f' named {app}' if app else ''}.", f"Apps: {known}"
        )
    evaluation = Evaluation(server)
    people = [each for each in settings.people if not each.adopt and evaluation.knows(each.username)]
    if not people:
        raise OperatorError(
            f"{stack.name} has nobody to log in with.", "Add people to gatehouse:people, and bring it up."
        )
    declared = DeclaredAccess(planned(settings, settings.derived()).specs)
    ended = []
    context = AppContext(settings, settings.derived())
    for each in wanted:
        way = each.login(context)
        if isinstance(way, NoLogin):
            note(f"not checked  {each.key}: {way.why}")
            continue
        for checked in checks(context, each, way, people, evaluation, declared):
            ended.append(checked.ok)
            echo(checked)
    return all(ended)


def checks(
    context: AppContext,
    app: App,
    way: OidcLogin | PageLogin,
    people: Sequence[Person],
    evaluation: Evaluation,
    declared: DeclaredAccess,
) -> Iterator[LoginCheck]:
    """All logins to one app."""
    if isinstance(way, PageLogin):
        yield LoginCheck(app.key, STRANGER, way.open, way.open, Where.LOGIN, probe_login(way.url))
        if way.open:
            return  # whoever comes is let in without being asked who it is
    for person, allowed, told in candidates(app, people, evaluation, declared):
        result = attempt(context, way, person)
        if person.active:
            yield LoginCheck(app.key, person.username, allowed, told, Where.POLICY, result)
        else:
            yield LoginCheck(app.key, person.username, False, False, Where.IDENTITY, result)


def candidates(
    app: App, people: Sequence[Person], evaluation: Evaluation, declared: DeclaredAccess
) -> Iterator[tuple[Person, bool, bool | None]]:
    """Whom to log in, with what authentik and the stack file say: one who may, one who may not, one who is not active.

    Also everybody on the way to these of whom authentik says something else than the file.
    """
    told = {person.username: declared.may_use(app.key, person.username) for person in people}
    # Those who are it by the file come first, so that a door that is open or shut by hand is found.
    picks = [next((p for p in people if (p.active, told[p.username]) == wanted), None) for wanted in WANTED]
    first = [person for person in picks if person]
    missing = set(WANTED)
    for number, person in enumerate([*first, *(person for person in people if person not in first)]):
        if number >= len(first) and (not missing or number >= len(first) + MOST):
            return
        allowed = evaluation.may_use(app.key, person.username)
        if (person.active, allowed) in missing or told[person.username] not in (None, allowed):
            missing.discard((person.active, allowed))
            yield person, allowed, told[person.username]


def attempt(context: AppContext, way: OidcLogin | PageLogin, person: Person) -> LoginResult:
    """Log one person in to one app, the way a browser and the app would."""
    password = context.secrets.value(f"person/{person.id}/password")
    match way:
        case PageLogin():
            return log_in(way.url, person.username, password)
        case OidcLogin():
            return log_in(oidc_client(way), person.username, password)
        case _:
            assert_never(way)


def oidc_client(way: OidcLogin) -> Client:
    """The app as it is registered."""
    return Client(
        issuer=way.issuer,
        client_id=way.client_id,
        client_secret=way.client_secret,
        redirect_uri=way.redirect_uri,
        scopes=way.scopes,
    )

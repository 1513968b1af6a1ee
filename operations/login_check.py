"""`gatehouse login-check`: whom authentik lets use an app gets in, and nobody else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from components.apps import planned
from components.apps.protocols.oidc import issuer, written_out
from components.settings import App, Person, Settings
from components.settings.scopes import asked
from operations.browser import Where
from operations.errors import OperatorError
from operations.evaluation import Declared, Evaluation, authentik_of
from operations.login import LoginResult, log_in
from operations.oidc import Client
from operations.stack import Stack

WANTED = ((True, True), (True, False), (False, True))
"""Who is logged in to an app: (is active, may use it)."""
MOST = 10
"""Others that authentik is asked about while one of these has not been found: each question takes it 0.1 s."""


@dataclass(frozen=True)
class Checked:
    """One login that was tried, what authentik and the stack file say of it, and how it ended."""

    app: str
    person: str
    allowed: bool
    """Whether authentik, asked, would let the person use the app."""
    declared: bool | None
    """Whether the stack file does; None where it alone does not decide."""
    active: bool
    result: LoginResult

    @property
    def expected(self) -> bool:
        """Whether the person should get in: as declared, or else as authentik has it."""
        return self.active and (self.allowed if self.declared is None else self.declared)

    @property
    def ok(self) -> bool:
        """Whether it ended as it should, and as authentik says. To be kept out by an error does not count."""
        if not self.active:
            return self.result.where is Where.IDENTITY
        if self.allowed is not self.expected:
            return False
        return self.result.accepted if self.allowed else self.result.where is Where.POLICY

    @property
    def measure(self) -> str:
        """What it is measured by."""
        return "declared" if self.declared is not None or not self.active else "authentik says"


def login_check(stack: Stack, app: str | None, said: Callable[[Checked], None]) -> bool:
    """Log in to each app (or to one) as people who may and who may not; whether all ended as they should.

    First passwords are derived, so this works until a person has changed theirs.

    Raises:
        OperatorError: there is no such app, nobody to log in with, or no authentik to ask.
    """
    settings = stack.require().settings()
    wanted = [each for each in settings.apps if app in (None, each.key) and each.speaks == "oidc"]
    if not wanted:
        known = ", ".join(each.key for each in settings.apps) or "none"
        raise OperatorError(
            f"{stack.name} has no app to log in to{f' named {app}' if app else ''}.", f"Apps: {known}"
        )
    evaluation = Evaluation(authentik_of(stack, settings))
    people = [each for each in settings.people if not each.adopt and evaluation.knows(each.username)]
    if not people:
        raise OperatorError(
            f"{stack.name} has nobody to log in with.", "Add people to gatehouse:people, and bring it up."
        )
    declared = Declared(planned(settings).specs)
    ended = []
    for each in wanted:
        for person, allowed, told in candidates(each, people, evaluation, declared):
            result = attempt(settings, each, person)
            checked = Checked(each.key, person.username, allowed, told, person.active, result)
            ended.append(checked.ok)
            said(checked)
    return all(ended)


def candidates(
    app: App, people: Sequence[Person], evaluation: Evaluation, declared: Declared
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


def attempt(settings: Settings, app: App, person: Person) -> LoginResult:
    """Log one person in to one app, the way a browser and the app would."""
    secrets, redirect_uri = settings.derived(), written_out(app)
    if redirect_uri is None:
        raise OperatorError(
            f"{app.key} has patterns as redirect URIs only, none of which can be tried.",
            f"Name another app, or write one of the redirect URIs of gatehouse:apps.{app.key} out.",
        )
    client = Client(
        issuer=issuer(app, settings),
        client_id=secrets.value(f"app/{app.id}/client-id"),
        client_secret=secrets.value(f"app/{app.id}/client-secret"),
        redirect_uri=redirect_uri,
        scopes=" ".join(asked(app)),
    )
    return log_in(client, person.username, secrets.value(f"person/{person.id}/password"))

"""`gatehouse login-check`: a person in an app's group gets in, one outside does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from components.apps.protocols.oidc import issuer, web_redirect
from components.settings import App, Person, Settings
from components.settings.scopes import asked
from operations.browser import Where
from operations.errors import OperatorError
from operations.login import LoginResult, log_in
from operations.oidc import Client
from operations.stack import Stack


@dataclass(frozen=True)
class Checked:
    """One login that was tried: whether it ended as the stack file says, and how."""

    app: str
    person: str
    expected: bool
    result: LoginResult

    @property
    def ok(self) -> bool:
        """Whether the person was let in, or kept out, as declared. Being kept out by an error does not count."""
        if self.expected:
            return self.result.accepted
        return self.result.where is Where.POLICY


def login_check(stack: Stack, app: str | None, said: Callable[[Checked], None]) -> bool:
    """Log in to each app (or to one) as a person who may and as one who may not; whether all ended as they should.

    First passwords are derived, so this works until a person has changed theirs.

    Raises:
        OperatorError: there is no such app, or nobody to log in with.
    """
    settings = stack.require().settings()
    wanted = [each for each in settings.apps if app in (None, each.key) and each.speaks == "oidc"]
    if not wanted:
        known = ", ".join(each.key for each in settings.apps) or "none"
        raise OperatorError(
            f"{stack.name} has no app to log in to{f' named {app}' if app else ''}.", f"Apps: {known}"
        )
    ended = []
    for each in wanted:
        for person, expected in candidates(settings, each):
            checked = Checked(each.key, person.username, expected, attempt(settings, each, person))
            ended.append(checked.ok)
            said(checked)
    if not ended:
        raise OperatorError(f"{stack.name} has nobody to log in with.", "Add people to gatehouse:people.")
    return all(ended)


def candidates(settings: Settings, app: App) -> list[tuple[Person, bool]]:
    """One active person whose groups let them in, and one whose don't, as far as there are any."""
    inside = {
        person.username: bool({*person.groups} & {*app.groups}) or not app.groups
        for person in settings.people
    }
    active = [person for person in settings.people if person.active and not person.adopt]
    found = [next((p for p in active if inside[p.username] is allowed), None) for allowed in (True, False)]
    return [(person, inside[person.username]) for person in found if person is not None]


def attempt(settings: Settings, app: App, person: Person) -> LoginResult:
    """Log one person in to one app, the way a browser and the app would."""
    secrets = settings.derived()
    client = Client(
        issuer=issuer(app, settings),
        client_id=secrets.value(f"app/{app.id}/client-id"),
        client_secret=secrets.value(f"app/{app.id}/client-secret"),
        redirect_uri=web_redirect(app),
        scopes=" ".join(asked(app)),
    )
    return log_in(client, person.username, secrets.value(f"person/{person.id}/password"))

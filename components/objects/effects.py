"""What takes effect by a call of its own, after it was written, and when the server gets to it."""

from __future__ import annotations

import tenacity

from components.objects.dialect import Dialect, Effect, Kind
from components.objects.errors import ObjectError, UnclearOutcomeError
from components.objects.http import RefusedError
from components.objects.object_errors import ObjectErrors, object_title
from components.objects.store import Object

PATIENCE = 300.0
"""Seconds for a server's worker to get to it; on a first start it has some minutes' work before."""


class Effects:
    """Brings objects of one server into effect."""

    def __init__(self, dialect: Dialect, words: ObjectErrors) -> None:
        self._dialect = dialect
        self._words = words

    def apply(self, effect: Effect, kind: Kind, logical: str, item: Object, address: str) -> Object:
        """Make the call and wait for its end; the object as it is then. Raises ObjectError where it ends badly."""

        def finished(found: Object) -> bool:
            return bool(found.get(effect.moment) != item.get(effect.moment))

        waiting = tenacity.Retrying(
            retry=tenacity.retry_if_not_result(finished),
            stop=tenacity.stop_after_delay(PATIENCE),
            wait=tenacity.wait_exponential(0.2, max=2),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )
        try:
            self._dialect.request("POST", address + effect.path)
            found: Object = waiting(self._dialect.request, "GET", address)
        except RefusedError as refused:
            raise self._words.refusal(kind, logical, item, refused, effect.verb) from None
        except UnclearOutcomeError:
            raise self._words.unexplained_failure(kind, logical, item, 1) from None
        if finished(found) and not effect.is_due(found):
            return found
        status = found.get(effect.status)
        if not finished(found):
            what, remedy = f"is not done after {PATIENCE:.0f} s", "See whether its worker runs"
        else:
            told = "; ".join(self._dialect.effect_log(kind, found)) or "it does not say why"
            what, remedy = f"ended with the status {status!r}: {told}", "Correct what is named"
        raise ObjectError(
            f"to {effect.verb} {object_title(kind, item)} {what}",
            self._words.place(logical),
            f"{remedy}, then run the same command again",
        )

"""What can go wrong between the program and a server, said so that an operator can act on it."""

from __future__ import annotations


class ObjectError(Exception):
    """Something an operator has to know: what is wrong, where, and what to do.

    Texts never hold a request or response body, since either may hold a secret.
    """

    __module__ = (
        "builtins"  # tracebacks then say "ObjectError: …", without a path that means nothing to an operator
    )

    def __init__(self, what: str, where: str, remedy: str) -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        self.rolled_back = False
        """Of a create: whether it is sure that nothing of it is on the server."""
        super().__init__(f"{where}: {what}.\n  {remedy}")


class UnclearOutcomeError(Exception):
    """A write was sent and its outcome is not known: look before doing anything else."""

"""How the engine speaks to an operator: titles, names, and errors that say where and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Any

from components.objects.desired import DesiredObject
from components.objects.dialect import Dialect, Kind
from components.objects.errors import ObjectError
from components.objects.http import RefusedError
from components.objects.store import UnresolvedNameError
from components.objects.values import canonical, is_empty


class ObjectErrors:
    """Errors about objects of one server. No text holds a value of a secret field."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def already_exists(self, kind: Kind, logical: str, fields: Mapping[str, Any], pk: str) -> ObjectError:
        """An object of that name is there and may not be taken over."""
        return ObjectError(
            f"{kind_title(kind)} {kind.key.display_name(fields)!r} is there already (pk {pk}), and this resource "
            "did not make it; "
            "it is left as it is",
            self.place(logical),
            "Give yours another name, or take over what is there with `adopt: true` (its values are put back when you "
            "let go of it); if you have only renamed the resource, keep its old name as `id`; if the client's state "
            "was lost: ./gatehouse recover NAME",
        )

    def unknown_kind(self, kind: str, logical: str) -> ObjectError:
        """A kind that the state has an object of, and the server as it is declared now has not."""
        return ObjectError(
            f"the state holds an object of {kind}, a kind that is not known for this server",
            self.place(logical),
            "Declare the server's version that the stack ran with, or use the gatehouse that it ran with",
        )

    def name_conflict(self, kind: Kind, logical: str, fields: Mapping[str, Any], pk: str) -> ObjectError:
        """A rename to a name that another object has."""
        return ObjectError(
            f"there is another {kind_title(kind)} {kind.key.display_name(fields)!r} (pk {pk}), so ours cannot be "
            "renamed to that",
            self.place(logical),
            "Rename or remove the other one first; to swap two names, go through a third one in two runs",
        )

    def secret_conflict(
        self, kind: Kind, desired: DesiredObject, names: list[str], there: Mapping[str, Any]
    ) -> ObjectError:
        """An object that is to be adopted has secrets of its own, or what else it is known by elsewhere."""
        those = " and ".join(names)
        commands = [
            f"{desired.keep[name]} (it asks for the {name}, which the server shows where this object is edited)"
            if name in kind.hidden
            else f"{desired.keep[name]} {quote(str(there[name]))}"
            for name in names
            if name in desired.keep
        ]
        return ObjectError(
            f"{object_title(kind, desired.fields)} is there and has another {those}, which taking over leaves as found",
            self.place(desired.logical),
            f"Declare what is there: {'; '.join(commands)}"
            if commands
            else f"Take {those} out of its fields: what is there is then kept",
        )

    def ambiguous_name(self, kind: Kind, desired: DesiredObject, owned: Mapping[str, Any]) -> ObjectError:
        """What is to be adopted is called otherwise, and another object is called as it is declared."""
        name = kind.key.display_name(desired.fields)
        return ObjectError(
            f"{desired.owner!r} has {object_title(kind, owned)}, and another one that it does not have is called "
            f"{name!r}",
            self.place(desired.logical),
            f"Give that other one, {name!r}, another name by hand: here, the name would mean both",
        )

    def wrong_kind(self, kind: Kind, desired: DesiredObject, other: Mapping[str, Any]) -> ObjectError:
        """What is to be adopted is of another kind than it is declared."""
        owner = kind_title(self._dialect.kind(kind.owner[0])) if kind.owner else ""
        what = str(other.get("verbose_name") or "one of another kind")
        return ObjectError(
            f"{owner} {desired.owner!r} has {kind.key.display_name(other)!r} ({what}), and {kind_title(kind)} is "
            "declared for it",
            self.place(desired.logical),
            "Declare what it has; to have another one made, take the one that is there off it by hand first",
        )

    def shadow(self, kind: Kind, logical: str, fields: Mapping[str, Any], other: Kind) -> ObjectError:
        """An object that is to be adopted is of another kind, which the server lists along."""
        return ObjectError(
            f"{kind.key.display_name(fields)!r} is a {kind_title(other)}, which the server also lists as a "
            f"{kind_title(kind)}",
            self.place(logical),
            f"Declare it as {other.name}, or give yours another name",
        )

    def adopted_in_the_way(
        self, kind: Kind, logical: str, fields: Mapping[str, Any], other: Kind
    ) -> ObjectError:
        """An adopted object that is to make room for one of another kind: it is never deleted."""
        return ObjectError(
            f"{object_title(kind, fields)} was there before this stack, which only gives it back: a "
            f"{kind_title(other)} cannot "
            "take its name",
            self.place(logical),
            "Let go of it in a run of its own and delete it by hand, or give yours another name",
        )

    def not_found(self, kind: Kind, logical: str, fields: Mapping[str, Any]) -> ObjectError:
        """An object that is to be updated is not there."""
        return ObjectError(
            f"{kind_title(kind)} {kind.key.display_name(fields)!r} is no longer there",
            self.place(logical),
            "Run `gatehouse up` (it refreshes first and makes it again), or `pulumi refresh`",
        )

    def unresolved_name(self, logical: str, field: str, missing: UnresolvedNameError) -> ObjectError:
        """A field names something that does not exist, or that may be one of several."""
        if missing.matches:
            several = len(set(missing.matches)) > 1
            choices = " or ".join(f"{kind}:{missing.name}" for kind in sorted(set(missing.matches)))
            titles = " and ".join(kind_title(self._dialect.kind(kind)) for kind in missing.matches)
            return ObjectError(
                f"{field} names {missing.name!r}, which {len(missing.matches)} objects are called: {titles}",
                self.place(logical),
                f"Write {choices}" if several else "Give the other one another name",
            )
        titles = " or ".join(kind_title(self._dialect.kind(kind)) for kind in missing.kinds[:4])
        return ObjectError(
            f"{field} names {missing.name!r}, and there is no such {titles}",
            self.place(logical),
            "Correct the name, or declare the object",
        )

    def unexplained_failure(
        self, kind: Kind, logical: str, fields: Mapping[str, Any], attempts: int
    ) -> ObjectError:
        """A write that fails without an answer that says why."""
        return ObjectError(
            f"writing {kind_title(kind)} {kind.key.display_name(fields)!r} failed without a word, {attempts} times",
            self.place(logical),
            "See the server's log, then run the same command again",
        )

    def value_mismatch(
        self, kind: Kind, logical: str, item: Mapping[str, Any], off: list[str]
    ) -> ObjectError:
        """The server took a write and holds other values than it was sent."""
        shown = ", ".join(
            name if name in kind.hidden else f"{name} (it keeps {canonical(item.get(name))!r})"
            for name in off
        )
        return ObjectError(
            f"the server took the write and keeps other values than it was sent: {shown}",
            self.place(logical),
            "Declare the value that it keeps, or leave the field out",
        )

    def setter_refused(
        self, kind: Kind, logical: str, fields: Mapping[str, Any], name: str, refused: RefusedError
    ) -> ObjectError:
        """A field with a call of its own was refused."""
        words = self._reason(kind, fields, refused)
        return ObjectError(
            f"{name} was refused (HTTP {refused.status})" + (f": {words}" if words else ""),
            self.place(logical),
            "The server's own rules for it are not met; choose another value",
        )

    def dependent_exists(
        self,
        kind: Kind,
        logical: str,
        item: Mapping[str, Any],
        other: Kind,
        name: str,
        via: str,
    ) -> ObjectError:
        """Deleting one object would delete another, of that name, that nobody asked for."""
        return ObjectError(
            f"{kind_title(other)} {name!r} still uses {kind_title(kind)} {kind.key.display_name(item)!r} ({via}), and "
            "would be deleted with it",
            self.place(logical),
            "Give it another one first, or delete it",
        )

    def refusal(
        self, kind: Kind, logical: str, fields: Mapping[str, Any], refused: RefusedError, verb: str
    ) -> ObjectError:
        """Any other refusal."""
        if refused.status in {401, 403}:
            return ObjectError(
                f"it does not let us {verb} {kind_title(kind)} {kind.key.display_name(fields)!r} (HTTP "
                f"{refused.status})",
                self._dialect.where,
                "The token may have been revoked meanwhile: check it, then run the same command again",
            )
        if refused.status == 404:
            return ObjectError(
                f"{kind_title(kind)} {kind.key.display_name(fields)!r} vanished meanwhile",
                self.place(logical),
                "Run `gatehouse up` again: it refreshes first and makes it anew",
            )
        words = self._reason(kind, fields, refused)
        return ObjectError(
            f"cannot {verb} {kind_title(kind)} {kind.key.display_name(fields)!r} (HTTP {refused.status})"
            + (f": {words}" if words else ", and it does not say why"),
            self.place(logical),
            "Correct what is named, then run the same command again"
            if words
            else "See the logs of its server, then run the same command again",
        )

    def _reason(self, kind: Kind, fields: Mapping[str, Any], refused: RefusedError) -> str:
        """The server's own words, without our secrets, should it repeat what it was sent."""
        secrets = [text for name in kind.hidden for text in _texts(fields.get(name))]
        return self._dialect.explain(kind, _without(refused.payload, secrets)).rstrip(".")

    def place(self, logical: str) -> str:
        """Where an error is: the server and the resource."""
        return f"{self._dialect.where}, resource {logical!r}"


def _texts(value: Any) -> Iterator[str]:
    """Every text and number in a value."""
    if isinstance(value, (Mapping, list)):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)
    elif not is_empty(value) and not isinstance(value, bool):
        yield str(value)


def _without(payload: Any, secrets: list[str]) -> Any:
    if isinstance(payload, dict):
        return {_without(name, secrets): _without(inner, secrets) for name, inner in payload.items()}
    if isinstance(payload, list):
        return [_without(inner, secrets) for inner in payload]
    if isinstance(payload, str):
        for secret in secrets:
            payload = payload.replace(secret, "[secret]")
    return payload


def kind_title(kind: Kind) -> str:
    """What people call the kind."""
    return kind.title or kind.name


def object_title(kind: Kind, fields: Mapping[str, Any]) -> str:
    """What the object is and how it is called."""
    return f"{kind_title(kind)} {kind.key.display_name(fields)!r}"

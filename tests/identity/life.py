"""One kind's way through everything that can happen to an object, over the gRPC surface that the engine uses.

What wrote and what looks at it afterwards are never the same provider (`Plugin.later`), so that no reading rests on
what a provider remembers of its own writes.
"""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from components.identity.kinds import ReleaseLine
from tests.identity.samples import Samples
from tests.identity.traffic import ByHand, Traffic
from tests.objects.plugin import Plugin

Props = dict[str, Any]
CHANGING = {
    "last_updated",
    "date_joined",
    "password_change_date",
    "expires",
    "last_applied",
    "last_applied_hash",
}
"""What the server changes by itself at a write."""


class Life:
    """An object of one kind, from its creation to its end, and then another that somebody made by hand."""

    def __init__(
        self, line: ReleaseLine, samples: Samples, plugin: Plugin, traffic: Traffic, hand: ByHand, label: str
    ) -> None:
        self.line = line
        self.samples = samples
        self.plugin = plugin
        self.traffic = traffic
        self.hand = hand
        self.label = label
        self.kind = line.kind(label)
        self.key = set(self.kind.key.fields)
        self.hidden = self.kind.secret | self.kind.write_only | set(self.kind.setters)

    def run(self) -> None:
        first, second = (self.samples.fields(self.label, variant, "subject-") for variant in (0, 1))
        run = self.plugin.later()
        inputs = run.check(self.props(first))
        id_, outs = run.create(inputs)
        assert outs == inputs
        self.unchanged(id_, outs, inputs)
        former = self.find(id_)
        outs = inputs = self.each_field(id_, outs, inputs, self.props(second))
        self.unchanged(id_, outs, inputs)
        self.drift(id_, outs, {name: inputs[name] for name in self.props(second)}, former)
        outs = self.least(id_, inputs)
        self.deleted(id_, outs)
        self.adopted(self.plugin.check(self.props(first)), second)

    def props(self, fields: Props, **meta: Any) -> Props:
        return {**fields, "gatehouse": {"kind": self.label, "logical": "subject", **meta}}

    def unchanged(self, id_: str, outs: Props, inputs: Props) -> None:
        """Read by another run: no difference, and an update writes nothing."""
        run = self.plugin.later()
        self.traffic.fresh()
        assert run.read(id_, outs) == (id_, outs, inputs)
        assert run.diff(id_, outs, inputs) == (False, [])
        assert run.update(id_, outs, inputs) == outs
        assert self.traffic.fresh() == []

    def each_field(self, id_: str, outs: Props, inputs: Props, second: Props) -> Props:
        """Change one field after the other: each is seen at preview as itself, and the server has it afterwards."""
        run = self.plugin.later()
        wanted = run.check(second, inputs)
        for name in second:  # in the samples' order: some fields are valid only after another one
            if wanted[name] == inputs.get(name):
                continue
            edited = run.check({**inputs, name: wanted[name]}, inputs)
            assert run.diff(id_, outs, edited) == (True, []), name
            self.traffic.fresh()
            outs = run.update(id_, outs, edited)
            assert outs == edited, name
            assert len(self.traffic.fresh()) == 1 + self.takes_effect(name, edited), name
            inputs = edited
        return inputs

    def takes_effect(self, name: str, fields: Props) -> bool:
        """Whether a change of the field needs a call of its own to take effect."""
        effect = self.kind.effect
        return effect is not None and name in effect.fields and effect.applies(fields)

    def drift(self, id_: str, outs: Props, inputs: Props, former: Props) -> None:
        """Fields go back by hand to what they were `former`ly: one, all at once, and what the object is called."""
        item = self.find(id_)
        unreadable = self.kind.write_only | set(self.kind.setters)
        back = [
            name
            for name in inputs
            if name not in unreadable and former.get(name, item.get(name)) != item.get(name)
        ]
        loose = [name for name in back if name not in self.key]
        assert back
        for names in (loose[-1:], loose, *([name] for name in back if name in self.key)):
            if names:
                self.changed_by_hand(id_, outs, inputs, {name: former[name] for name in names})

    def changed_by_hand(self, id_: str, outs: Props, inputs: Props, values: Props) -> None:
        """What is changed by hand shows as itself, and is repaired."""
        item = self.find(id_)
        least = self.samples.fields(self.label, 1, least=True)
        repeated = {each: item[each] for each in (*self.kind.always_sent, *least) if each in item}
        self.hand.request("PATCH", f"{self.kind.path}{item[self.kind.url]}/", body={**repeated, **values})
        run = self.plugin.later()
        _, seen, _ = run.read(id_, outs)
        drifted = {each for each in outs if seen.get(each) != outs[each]}
        # Switched on by hand, an object that takes effect by a call of its own is not in effect, either.
        waiting = (
            self.kind.effect.fields if self.kind.effect and self.kind.effect.is_due(self.find(id_)) else set()
        )
        assert {*values} <= drifted <= {*values, *waiting}, f"drift of {values}"
        assert run.diff(id_, seen, inputs) == (True, [])
        assert run.update(id_, seen, inputs) == outs
        assert {name for name in self.find(id_) if self.find(id_)[name] != item[name]} <= CHANGING

    def least(self, id_: str, inputs: Props) -> Props:
        """Fields that are no longer declared are cleared, and stay so."""
        least = {*self.samples.fields(self.label, 1, "subject-", least=True), *self.key, "gatehouse"}
        fewer = {name: value for name, value in inputs.items() if name in least}
        run = self.plugin.later()
        fewer = run.check(fewer, inputs)
        outs = run.update(id_, inputs, fewer)
        self.unchanged(id_, outs, fewer)
        return outs

    def deleted(self, id_: str, outs: Props) -> None:
        run = self.plugin.later()
        run.delete(id_, outs)
        assert not self.there(id_)
        assert self.plugin.later().read(id_, outs)[0] == ""

    def adopted(self, theirs: Props, ours: Props) -> None:
        """An object that somebody made by hand: refused, then adopted, then given back as it was."""
        id_, _ = self.plugin.later().create(theirs)
        run = self.plugin.later()
        twin = {**theirs, "gatehouse": {"kind": self.label, "logical": "twin"}}
        with pytest.raises(grpc.RpcError, match="there already"):
            run.create(twin)
        before = self.find(id_)
        wanted = {name: value for name, value in ours.items() if name not in self.hidden}
        wanted |= {name: theirs[name] for name in self.key if name in theirs}
        wanted = run.check({**wanted, "gatehouse": {**twin["gatehouse"], "adopt": True}})
        made, outs = run.create(wanted)
        assert made == id_
        run.delete(id_, theirs)  # the old logical name's turn, in the same process
        assert self.there(id_)
        later = self.plugin.later()
        _, seen, _ = later.read(id_, outs)
        assert later.diff(id_, seen, wanted) == (False, [])
        later.delete(id_, outs)
        after = self.find(id_)
        assert {name for name in before if before[name] != after[name]} <= CHANGING
        self.plugin.later().delete(id_, theirs)
        assert not self.there(id_)

    def there(self, id_: str) -> list[Props]:
        """The objects on the server that have this pk."""
        return [dict(each) for each in self.hand.list_objects(self.kind) if str(each[self.kind.pk]) == id_]

    def find(self, id_: str) -> Props:
        """The object as it is on the server."""
        [item] = self.there(id_)
        return item

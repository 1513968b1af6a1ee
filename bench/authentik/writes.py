"""Creates, changes and deletes objects as authentik does: checks in its order, then effects on other objects."""

from __future__ import annotations

import uuid
from typing import Any

from bench.authentik import fields, hooks, names
from bench.authentik.catalog import Kind, Ref, Schema
from bench.authentik.context import APPLICATIONS, USERS, Context
from bench.authentik.fields import Invalid, as_uuid
from bench.authentik.render import default
from bench.authentik.rules import FIELD_RULES, Crash, Request, duration, python_fields
from bench.authentik.store import Data
from bench.authentik.unique import clash, unique_sets
from bench.authentik.wholes import OBJECT_RULES

ENTERPRISE = "Enterprise is required to create/update this object."
# Fields whose duplicate is reported by a validator of authentik's own, in other words.
PLAIN_UNIQUE = {(USERS, "username"), ("/core/brands/", "domain")}


def reference(context: Context, ref: Ref, value: Any) -> Any:
    """The canonical form of one reference; Invalid when it names nothing."""
    kinds = [context.line.kinds[path] for path in ref.kinds if path in context.line.kinds]
    if not kinds:
        return value
    if kinds[0].pk_type == "int" and ref.by in ("pk", kinds[0].pk_field):
        try:
            value = int(value) if not isinstance(value, bool) else None
        except (TypeError, ValueError):
            message = f"Incorrect type. Expected pk value, received {type(value).__name__}."
            raise Invalid([message]) from None
    elif kinds[0].pk_type == "uuid" or ref.by == "uuid":
        value = as_uuid(value)
    found = context.locate(ref, value)
    if found is None and ref.field == "target":
        found = next(
            (
                (kind, data)
                for kind in kinds
                for data in context.store.all(kind.path)
                if data.get("policybindingmodel_ptr_id") == value
            ),
            None,
        )
    if found is None:
        raise Invalid([f'Invalid pk "{value}" - object does not exist.'])
    return found[1][found[0].pk_field if ref.by == "pk" else ref.by]


def references(context: Context, ref: Ref, value: Any, node: Schema) -> Any:
    """A reference field: one or many, many in the order in which their targets were made."""
    if value is None:
        if node.get("nullable"):
            return None
        raise Invalid([fields.NOT_NULL])
    if not ref.many:
        return reference(context, ref, value)
    if not isinstance(value, list):
        raise Invalid([f'Expected a list of items but got type "{type(value).__name__}".'])
    found = list(dict.fromkeys(reference(context, ref, item) for item in value))
    if ref.reverse:
        return found
    return sorted(found, key=lambda key: order(context, ref, key))


def order(context: Context, ref: Ref, key: Any) -> int:
    """When a reference's target was made."""
    located = context.locate(ref, key)
    return context.store.seq(located[0].path, located[1][located[0].pk_field]) if located else 0


def formatted(request: Request, name: str, form: str) -> None:
    """Formats that the schema does not tell; countries are put in order, too."""
    value = request.sent[name]
    for part in form.split("|"):
        if part == "duration" and value:
            duration(str(value))
        elif part == "country_list_sorted":
            request.sent[name] = sorted(value)
        elif part.startswith("max:") and value and len(str(value)) > int(part[4:]):
            raise Invalid([f"Ensure this field has no more than {part[4:]} characters."])


def prepare(
    context: Context, kind: Kind, values: dict[str, Any], before: Data | None, partial: bool
) -> Request:
    """Check a body; the returned request holds what is to be stored. Raises Invalid or Crash."""
    schema = context.line.schemas[
        kind.request if before is None else kind.facts.get("update_schema", kind.request)
    ]
    properties = schema.get("properties", {})
    plain = {**schema, "properties": {n: node for n, node in properties.items() if n not in kind.refs}}
    if set(kind.facts.get("never_send", ())) & values.keys():
        raise Crash
    sent, errors = fields.collect(context.line, plain, values, partial)
    request = Request(context, kind, sent, before, partial)
    for name, ref in kind.refs.items():
        if name not in properties or properties[name].get("readOnly"):
            continue
        if name not in values:
            if not partial and name in schema.get("required", ()):
                errors[name] = [fields.REQUIRED]
            continue
        try:
            sent[name] = references(context, ref, values[name], properties[name])
            if kind.facts["refs"][name].get("not_empty") and not sent[name]:
                raise Invalid(["This list may not be empty."])
        except Invalid as error:
            errors[name] = error.detail
    check_fields(request, errors)
    if errors:
        raise Invalid(errors)
    check_whole(request)
    return request


def check_fields(request: Request, errors: dict[str, Any]) -> None:
    """What is reported field by field: formats, uniqueness, the field rules."""
    kind = request.kind
    for name, form in kind.facts.get("format", {}).items():
        if name in request.sent and request.sent[name] is not None:
            try:
                formatted(request, name, form)
            except Invalid as error:
                errors[name] = error.detail
    for names_ in unique_sets(kind):
        if len(names_) == 1 and names_[0] in request.sent and clash(request, names_):
            name = names_[0]
            errors[name] = ["This field must be unique."]
            if (kind.path, name) not in PLAIN_UNIQUE:
                word = names.FIELD_WORDS.get(name, name)
                errors[name] = [f"{names.noun(kind, name)} with this {word} already exists."]
    for rule in [*kind.rules(), *python_fields(request)]:
        if rule["rule"] in FIELD_RULES:
            try:
                FIELD_RULES[rule["rule"]](request, rule)
            except Invalid as error:
                errors.update({name: detail for name, detail in error.detail.items() if name not in errors})


def check_whole(request: Request) -> None:
    """What is checked once all fields are good: unique sets, the object rules, the licence."""
    kind = request.kind
    # The validator of bindings reads the target without looking whether it was sent.
    if (
        request.partial
        and "target" in kind.facts.get("patch_must_repeat", ())
        and "target" not in request.sent
    ):
        raise Crash
    for names_ in unique_sets(kind):
        if len(names_) > 1 and clash(request, names_):
            message = f"The fields {', '.join(names_)} must make a unique set."
            raise Invalid({"non_field_errors": [message]})
    for rule in kind.rules():
        if rule["rule"] in OBJECT_RULES:
            OBJECT_RULES[rule["rule"]](request, rule)
    if kind.facts.get("enterprise") or any(enterprise_field(request, rule) for rule in kind.rules()):
        raise Invalid({"non_field_errors": [ENTERPRISE]})


def enterprise_field(request: Request, rule: Schema) -> bool:
    """Whether a field asks for something that needs a licence."""
    value = request.get(rule["f"]) if isinstance(rule.get("f"), str) else None
    return bool(
        (rule["rule"] == "enterprise_if" and value == rule["v"])
        or (rule["rule"] == "enterprise_if_set" and value)
    )


def apply(request: Request, caller: Data | None) -> Data:
    """Store a checked request; Crash when another one took a unique value meanwhile. The object as stored."""
    context, kind = request.context, request.kind
    if any(clash(request, names_) for names_ in kind.facts.get("unique", [])):
        raise Crash
    hide(request)
    data = create_data(request) if request.before is None else {**request.before, **request.sent}
    hooks.before_save(request, data, caller)
    mirrored = {
        name: data.pop(name)
        for name, ref in kind.refs.items()
        if ref.mirror and kept_elsewhere(kind, ref) and name in data
    }
    pk = data[kind.pk_field]
    if request.before is None:
        context.store.insert(kind.path, pk, data)
    else:
        context.store.replace(kind.path, pk, data)
    for name, keys in mirrored.items():
        set_mirror(context, kind.refs[name], pk, keys)
    if "backchannel_providers" in request.sent:
        steal(context, pk, request.sent["backchannel_providers"])
    hooks.after_save(request, data)
    return data


def hide(request: Request) -> None:
    """Keep what the API never shows under hidden names: a key's PEM is `_key_data`."""
    shown = request.context.line.schemas[request.kind.response].get("properties", {})
    for name in list(request.sent):
        if not name.startswith("_") and (name not in shown or shown[name].get("writeOnly")):
            request.sent["_" + name] = request.sent.pop(name)


def create_data(request: Request) -> dict[str, Any]:
    """A new object: what was sent over the server's defaults, with a new key."""
    context, kind = request.context, request.kind
    schema = context.line.schemas[kind.request].get("properties", {})
    data: dict[str, Any] = {
        name: default(context.line, node) for name, node in schema.items() if not node.get("writeOnly")
    }
    for name, ref in kind.refs.items():
        data[name] = [] if ref.many else None
    data.update(kind.facts.get("defaults", {}))
    data.update(request.sent)
    if not data.get(kind.pk_field):
        data[kind.pk_field] = new_pk(context, kind)
    return data


def new_pk(context: Context, kind: Kind) -> Any:
    """A key that no object of the kind's table ever had: providers count together, as they share a table."""
    if kind.pk_type == "int":
        return context.store.next_int(context.line.space(kind, "name")[0])
    return str(uuid.uuid4())


def kept_elsewhere(kind: Kind, ref: Ref) -> bool:
    """Whether a two-sided relation is kept on the other side: a user's groups, a group's parent."""
    return (kind.path, ref.field) in {("/core/groups/", "users"), ("/core/groups/", "children")}


def set_mirror(context: Context, ref: Ref, pk: Any, keys: list[Any]) -> None:
    """Make the objects `keys`, and no others, name this one in their field."""
    assert ref.mirror is not None
    path, field = ref.mirror
    other = context.line.kinds[path]
    for data in list(context.store.all(path)):
        wanted, many = data[other.pk_field] in keys, other.refs[field].many
        has = pk in data.get(field, []) if many else data.get(field) == pk
        if wanted == has:
            continue
        one = pk if wanted else None
        several = [*data.get(field, []), pk] if wanted else [key for key in data.get(field, []) if key != pk]
        context.store.replace(path, data[other.pk_field], {**data, field: several if many else one})


def steal(context: Context, application: str, providers: list[Any]) -> None:
    """A back-channel provider belongs to one application: others lose it."""
    for pk in providers:
        if found := context.group("any_provider", pk):
            context.store.touch(found[0].path, pk)
    for data in list(context.store.all(APPLICATIONS)):
        kept = [pk for pk in data.get("backchannel_providers", []) if pk not in providers]
        if data["pk"] != application and kept != data.get("backchannel_providers", []):
            context.store.replace(APPLICATIONS, data["pk"], {**data, "backchannel_providers": kept})


def delete(context: Context, kind: Kind, data: Data) -> None:
    """Delete an object with all that goes along, and take it out of what only names it."""
    key = data[kind.pk_field]
    if context.store.get(kind.path, key) is None:
        return
    context.store.remove(kind.path, key)
    for other, ref in context.line.referrers[kind.path]:
        by = data.get(kind.pk_field if ref.by == "pk" else ref.by)
        for referrer in list(context.store.all(other.path)):
            stored = referrer.get(ref.field)
            if (by not in stored) if isinstance(stored, list) else (stored != by or by is None):
                continue
            if ref.on_delete == "CASCADE":
                delete(context, other, referrer)
            else:
                value = [item for item in stored if item != by] if isinstance(stored, list) else None
                context.store.replace(other.path, referrer[other.pk_field], {**referrer, ref.field: value})
    if kind.path == APPLICATIONS:
        for pk in data.get("backchannel_providers", []):
            if found := context.group("any_provider", pk):
                delete(context, *found)
    hooks.after_delete(context, kind, data)

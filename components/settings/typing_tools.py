"""What the models' annotations say: which models a value may be, and what a list or mapping holds."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


@dataclass(frozen=True)
class OneOf:
    """Said of a model's type: a value is of one of these, which inherit from it; what the value says decides."""

    models: tuple[type[BaseModel], ...]


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a value of this type may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        either = next((each for each in metadata if isinstance(each, OneOf)), None)
        yield from either.models if either else models(inner)
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from models(member)


@cache
def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What each setting of a model is for, by its YAML name: the text below it, also where a base class has it.

    pydantic can read these texts when the classes are made, which costs every run 20 ms; they are needed only for a
    mistake and for the reference page.
    """
    found: dict[str, str] = {}
    for base in reversed(model.__bases__):
        if issubclass(base, BaseModel) and base.model_fields:
            found |= meanings(base)
    (definition,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(definition, ast.ClassDef)
    for field, text in pairwise(definition.body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
        ):
            name, words = model.model_fields.get(field.target.id), ast.literal_eval(text.value)
            if name is not None:
                found[name.alias or field.target.id] = " ".join(str(words).split())
    return found


def plain(annotation: Any) -> Any:
    """`tuple` for a list, `dict` for a mapping, else None; whatever else is said about it."""
    if get_origin(annotation) is Annotated:
        return plain(get_args(annotation)[0])
    return get_origin(annotation) if get_origin(annotation) in (tuple, dict) else None


def inside(annotation: Any) -> Any:
    """The type of what a list or mapping holds; None for anything else."""
    if get_origin(annotation) is Annotated:
        return inside(get_args(annotation)[0])
    arguments = get_args(annotation)
    return {tuple: lambda: arguments[0], dict: lambda: arguments[1]}.get(plain(annotation), lambda: None)()

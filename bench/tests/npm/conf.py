"""Reads nginx configuration files into directives, to compare generated files without their layout."""

from __future__ import annotations

import re

Directive = tuple[str, ...]
Block = list["Directive | tuple[Directive, Block]"]

_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*|(?P<sign>[{};])|"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>[^']*)'|(?P<word>[^\s{};"']\S*?(?=[\s{};]|$)))"""
)


def parse(text: str) -> list:
    """Nested lists: a directive is a tuple of words, a block a pair of its head and its content."""
    tokens = [match for match in _TOKEN.finditer(text) if match.lastgroup]
    content, rest = _block(tokens, 0)
    assert rest == len(tokens)
    return content


def _block(tokens: list, at: int) -> tuple[list, int]:
    found: list = []
    words: list[str] = []
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token["sign"] == ";":
            found.append(tuple(words))
            words = []
        elif token["sign"] == "{":
            inner, at = _block(tokens, at)
            found.append((tuple(words), inner))
            words = []
        elif token["sign"] == "}":
            break
        else:
            words.append(
                next(one for one in (token["double"], token["single"], token["word"]) if one is not None)
            )
    assert not words, words
    return found, at

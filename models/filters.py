"""The filter language: `categories has "Comedy" and year >= 1990 and not (tags has "violent")`.

either      = both ("or" both)*
both        = single ("and" single)*
single      = "not" single | "(" either ")" | comparison
comparison  = name ("=" | "!=" | "<" | "<=" | ">" | ">=" | "has") value | name "in" "[" value ("," value)* "]"
name        = a word, or attributes["any text"]
value       = a string or a number as JSON writes them, true, false
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from models.conditions import (
    FIELDS,
    OPERATORS,
    Condition,
    Reader,
    Value,
    among,
    attribute,
    compare,
    every,
    negation,
    some,
)
from models.data import ItemInfo

MAX_LENGTH = 4096  # characters: some 300 ids in an `in` list; longer lists belong into the excluded ids of a request
MAX_DEPTH = 32  # of parentheses and `not`: more than anybody writes, and far from Python's limit of nested calls

WORDS = ("and", "or", "not", "has", "in", "true", "false")
MEANT = {"==": "=", "<>": "!=", "&&": "and", "&": "and", "||": "or", "|": "or", "!": "not"}

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
TOKEN = re.compile(
    r"""\s*(?:
        (?P<string> "(?:[^"\\]|\\.)*")
      | (?P<number> -?[0-9](?:[eE][+-]|[\w.])*)
      | (?P<word>   [^\W\d][\w.-]*)
      | (?P<symbol> ==|&&|\|\||<>|<=|>=|!=|.)
      | (?P<end>    $)
    )""",
    re.VERBOSE | re.DOTALL,
)


class FilterError(ValueError):
    """A filter that cannot be read; the message says where, what was expected and what stands there instead."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"at character {position + 1}: {message}")
        self.position = position  # characters before the mistake


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on items, and the text it was read from."""

    text: str
    matches: Condition

    def mask(self, items: Sequence[ItemInfo]) -> NDArray[np.bool_]:
        """Shape (len(items),): which of them match."""
        return np.fromiter(map(self.matches, items), np.bool_, len(items))


def compile_filter(text: str) -> Filter:
    """Raises FilterError."""
    if len(text) > MAX_LENGTH:
        raise FilterError(f"a filter has at most {MAX_LENGTH:,} characters, this one has {len(text):,}", MAX_LENGTH)
    return Filter(text, _Parser(text).whole())


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # a group of TOKEN
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while not found or found[-1].kind != "end":
        match = TOKEN.match(text, position)
        assert match, "any character is a symbol"
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind)))
        position = match.end()
    return found


class _Parser:
    """Recursive descent: a method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0

    def whole(self) -> Condition:
        condition = self._either(0)
        if self._token.kind != "end":
            self._fail("`and`, `or` or the end", ("and", "or"))
        return condition

    def _either(self, depth: int) -> Condition:
        parts = [self._both(depth)]
        while self._take("or"):
            parts.append(self._both(depth))
        return some(parts)

    def _both(self, depth: int) -> Condition:
        parts = [self._single(depth)]
        while self._take("and"):
            parts.append(self._single(depth))
        return every(parts)

    def _single(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise FilterError(f"parentheses and not stand at most {MAX_DEPTH} deep", self._token.position)
        if self._take("not"):
            return negation(self._single(depth + 1))
        if self._take("("):
            inner = self._either(depth + 1)
            self._expect(")", "`and`, `or` or `)`", ("and", "or"))
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        name, read = self._name()
        position, symbol = self._token.position, self._token.text
        if self._take("in"):
            return among(read, self._list(name))
        if self._take("has"):
            if name in ("id", "title", "created"):
                raise FilterError(f"{name} is a single value: compare it with = or in", position)
            return among(read, [self._value(name)])
        if self._token.kind != "symbol" or symbol not in OPERATORS:
            self._fail("one of = != < <= > >= has in", ("has", "in"))
        if name == "categories":
            raise FilterError("categories is a list: ask it with has or in", position)
        self._next += 1
        return compare(read, symbol, self._value(name, ordered=symbol not in ("=", "!=")))

    def _name(self) -> tuple[str, Reader]:
        """The name, empty for attributes["..."], and what reads its value from an item."""
        token = self._token
        if token.kind != "word" or token.text in WORDS:
            self._fail("`not`, `(` or a name (id, title, created, categories or an attribute)", ("not",))
        self._next += 1
        if token.text == "attributes" and self._take("["):
            read = attribute(self._string("the name of an attribute in double quotes"))
            self._expect("]", "`]`")
            return "", read
        return token.text, FIELDS.get(token.text) or attribute(token.text)

    def _list(self, name: str) -> list[Value]:
        self._expect("[", "`[` and a list of values")
        values = [self._value(name)]
        while self._take(","):
            values.append(self._value(name))
        self._expect("]", "`,` or `]`")
        return values

    def _value(self, name: str, *, ordered: bool = False) -> Value:
        if name == "created":
            return self._number("a number (Unix seconds)")
        if name in FIELDS:
            return self._string("a string in double quotes")
        if ordered:
            expected = "a number or a string in double quotes"
        else:
            expected = "a number, a string in double quotes, true or false"
            if self._take("true"):
                return True
            if self._take("false"):
                return False
        return self._number(expected) if self._token.kind == "number" else self._string(expected)

    def _number(self, expected: str) -> float:
        token = self._token
        if token.kind != "number" or not NUMBER.fullmatch(token.text):
            self._fail(expected)
        if math.isinf(float(token.text)):
            raise FilterError("this number is too large", token.position)
        self._next += 1
        return float(token.text)

    def _string(self, expected: str) -> str:
        token = self._token
        if token.kind != "string":
            self._fail(expected, ("true", "false"))
        self._next += 1
        try:
            return str(json.loads(token.text, strict=False))
        except json.JSONDecodeError as error:
            message = 'after a backslash stands one of " \\ / b f n r t, or u and four hexadecimal digits'
            raise FilterError(message, token.position + error.pos) from None

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, text: str) -> bool:
        taken = self._token.text == text and self._token.kind in ("word", "symbol")
        self._next += taken
        return taken

    def _expect(self, symbol: str, expected: str, words: Sequence[str] = ()) -> None:
        if not self._take(symbol):
            self._fail(expected, words)

    def _fail(self, expected: str, words: Sequence[str] = ()) -> NoReturn:
        """Refuses the next token; of `words` the nearest is offered."""
        token = self._token
        if token.kind == "end":
            raise FilterError(f"expected {expected}, found the end", token.position)
        if token.text == '"':
            raise FilterError("this string has no closing double quote", token.position)
        found = repr(token.text if len(token.text) <= 40 else f"{token.text[:40]}...")
        raise FilterError(f"expected {expected}, found {found}{_hint(token.text, words)}", token.position)


def _hint(text: str, words: Sequence[str]) -> str:
    near = MEANT.get(text) or next(iter(difflib.get_close_matches(text.lower(), words, 1)), text)
    return f"; did you mean `{near}`?" if near != text else ""

"""The filter language: what matches, what is refused and where, and agreement with a direct evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data import AttributeValue, ItemInfo
from models.filters import MAX_DEPTH, MAX_LENGTH, FilterError, compile_filter

AIRPLANE = ItemInfo(
    "1",
    "Airplane!",
    categories=("Comedy",),
    attributes={"year": 1980.0, "tags": ("spoof", "planes"), "seen": True, "country": "US", "release year": 1980},
    created=1_000.0,
)
ALIEN = ItemInfo(
    "2", "Alien", categories=("Horror", "Sci-Fi"), attributes={"year": 1979, "tags": "violent", "seen": False}
)
BARE = ItemInfo("3")
ITEMS = (AIRPLANE, ALIEN, BARE)


def matching(text: str) -> str:
    return "".join(item.id for item, kept in zip(ITEMS, compile_filter(text).mask(ITEMS), strict=True) if kept)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('categories has "Comedy"', "1"),
        ('categories in ["Sci-Fi", "Comedy"]', "12"),
        ('not categories has "Comedy"', "23"),
        ("year = 1980", "1"),
        ("year < 1980", "2"),
        ("year <= 1980.0", "12"),
        ("year > 197.9e1", "1"),
        ("year in [1979, 2001]", "2"),
        ('title = "Alien"', "2"),
        ('title = ""', "3"),
        ('title >= "Air" and title < "B"', "12"),
        ('id in ["3", "1"]', "13"),
        ("created > 0", "1"),
        ("seen = true", "1"),
        ("seen != true", "2"),
        ("seen in [true, false]", "12"),
        ('attributes["release year"] = 1980', "1"),
        ('attributes = 1 or country="US"', "1"),
        (' ( year>=1979 ) and\n\tnot(tags has "violent")', "1"),
    ],
)
def test_a_filter_keeps_what_it_says(text: str, ids: str) -> None:
    assert matching(text) == ids


def test_a_single_value_counts_as_a_list_of_one() -> None:
    assert matching('tags has "violent"') == "2"
    assert matching('tags has "planes"') == "1"
    assert matching('country in ["US", "FR"]') == "1"


def test_a_missing_value_fulfils_no_comparison() -> None:
    assert matching("year != 1980") == "2"
    assert matching("created != 5") == "1"
    assert matching("nothing != 5 or nothing = 5 or nothing has 5 or nothing in [5]") == ""


def test_a_value_of_another_kind_fulfils_no_comparison() -> None:
    assert matching('year != "1980" or year = "1980" or year >= "0"') == ""
    assert matching("seen = 1 or seen has 1 or country != 5 or tags != 5") == ""


def test_values_that_the_language_cannot_name_match_nothing() -> None:
    odd: Mapping[str, AttributeValue] = {"a": float("nan"), "b": None, "c": [["x"]], "d": {"x": 1}}  # type: ignore[dict-item, list-item]
    item = ItemInfo("4", attributes=odd)
    for name in odd:
        assert not compile_filter(f'{name} != 1 or {name} has "x" or {name} in [1, "x"]').matches(item)


def test_and_binds_tighter_than_or_and_not_tighter_than_both() -> None:
    assert matching("year = 1979 or year = 1980 and seen = false") == "2"
    assert matching("(year = 1979 or year = 1980) and seen = false") == "2"
    assert matching("(year = 1979 or year = 1980) and seen = true") == "1"
    assert matching("not year = 1980 and seen = false") == "2"
    assert matching("not (year = 1980 and seen = false)") == "123"


def test_strings_have_the_escapes_of_json() -> None:
    item = ItemInfo("1", 'a "b" \\ é\n')
    assert compile_filter(r'title = "a \"b\" \\ \u00e9\n"').matches(item)


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "found the end"),
        ("year", 4, "expected one of = != < <= > >= has in, found the end"),
        ("year == 1", 5, "did you mean `=`?"),
        ("year = 1 && id = 2", 9, "did you mean `and`?"),
        ("year = 1 AND id = 2", 9, "expected `and`, `or` or the end, found 'AND'; did you mean `and`?"),
        ('categories hs "x"', 11, "found 'hs'; did you mean `has`?"),
        ("year = True", 7, "did you mean `true`?"),
        ("title = 'x'", 8, "expected a string in double quotes"),
        ("title = 5", 8, "expected a string in double quotes, found '5'"),
        ('created > "x"', 10, "expected a number (Unix seconds)"),
        ('title has "x"', 6, "title is a single value"),
        ('categories = "x"', 11, "categories is a list"),
        ("seen < true", 7, "expected a number or a string in double quotes"),
        ("year in 5", 8, "expected `[`"),
        ("year in []", 9, "expected a number, a string"),
        ("year in [1 2]", 11, "expected `,` or `]`"),
        ("(year = 1", 9, "expected `and`, `or` or `)`"),
        ("year = 1)", 8, "expected `and`, `or` or the end"),
        ('title = "x', 8, "no closing double quote"),
        (r'title = "\x"', 9, "after a backslash"),
        ("year = 1e999", 7, "too large"),
        ("year = 12a", 7, "found '12a'"),
        ("1990 < year", 0, "or a name (id, title, created, categories or an attribute), found '1990'"),
        ("attributes[year] = 1", 11, "the name of an attribute in double quotes"),
        ("and = 1", 0, "found 'and'"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, position: int, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text)
    assert caught.value.position == position
    assert str(caught.value).startswith(f"at character {position + 1}: ") and message in str(caught.value)


def test_length_is_bounded() -> None:
    text = "a = 1".ljust(MAX_LENGTH)
    assert compile_filter(text)
    with pytest.raises(FilterError, match=r"at most 4,096 characters, this one has 4,097"):
        compile_filter(text + " ")


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("not ", "")])
def test_depth_is_bounded(opening: str, closing: str) -> None:
    assert compile_filter(opening * MAX_DEPTH + "a = 1" + closing * MAX_DEPTH)
    with pytest.raises(FilterError, match="at most 32 deep"):
        compile_filter(opening * (MAX_DEPTH + 1) + "a = 1" + closing * (MAX_DEPTH + 1))


def test_a_long_row_of_conditions_is_no_depth() -> None:
    assert compile_filter(" or ".join(["a = 1"] * 400)).matches(ItemInfo("1", attributes={"a": 1}))


@dataclass(frozen=True)
class Expression:
    """A filter as text, and what it means, written a second time."""

    text: str
    holds: Callable[[Mapping[str, AttributeValue]], bool]


NAMES = ("a", "b", "Wörd-1", "with.dot")
SCALARS = st.one_of(st.booleans(), st.integers(-3, 3).map(float), st.sampled_from(["", "x", "xy", 'q"\\']))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3))


def written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def alike(value: object, wanted: object) -> bool:
    return type(value) is type(wanted)


def equality(name: str, wanted: AttributeValue, negated: bool) -> Expression:
    symbol = "!=" if negated else "="
    return Expression(
        f"{name}{symbol}{written(wanted)}",
        lambda item: alike(item.get(name), wanted) and (item[name] == wanted) is not negated,
    )


def order(name: str, symbol: str, wanted: str | float) -> Expression:
    def holds(item: Mapping[str, AttributeValue]) -> bool:
        value = item.get(name)
        if not alike(value, wanted):
            return False
        smaller, equal = sorted([value, wanted])[0] == value, value == wanted  # type: ignore[type-var]
        return {"<": smaller and not equal, "<=": smaller, ">": not smaller, ">=": not smaller or equal}[symbol]

    return Expression(f"{name} {symbol} {written(wanted)}", holds)


def membership(name: str, wanted: list[str | float | bool]) -> Expression:
    def holds(item: Mapping[str, AttributeValue]) -> bool:
        value = item.get(name)
        members = value if isinstance(value, list) else [value]
        return any(alike(each, want) and each == want for each in members for want in wanted)

    text = f"{name} has {written(wanted[0])}" if len(wanted) == 1 else f"{name} in {written(wanted)}"
    return Expression(text, holds)


COMPARISONS = st.one_of(
    st.builds(equality, st.sampled_from(NAMES), SCALARS, st.booleans()),
    st.builds(
        order,
        st.sampled_from(NAMES),
        st.sampled_from(["<", "<=", ">", ">="]),
        SCALARS.filter(lambda v: not isinstance(v, bool)),
    ),
    st.builds(membership, st.sampled_from(NAMES), st.lists(SCALARS, min_size=1, max_size=3)),
)


def combined(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.one_of(
        parts.map(lambda part: Expression(f"not({part.text})", lambda item: not part.holds(item))),
        st.tuples(parts, parts).map(
            lambda two: Expression(
                f"({two[0].text}) and ({two[1].text})", lambda item: two[0].holds(item) and two[1].holds(item)
            )
        ),
        st.tuples(parts, parts).map(
            lambda two: Expression(
                f"({two[0].text})or({two[1].text})", lambda item: two[0].holds(item) or two[1].holds(item)
            )
        ),
    )


@given(
    st.recursive(COMPARISONS, combined, max_leaves=8),
    st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES), min_size=1, max_size=5),
)
def test_random_expressions_agree_with_a_direct_evaluation(
    expression: Expression, items: list[dict[str, AttributeValue]]
) -> None:
    mask = compile_filter(expression.text).mask([ItemInfo("1", attributes=item) for item in items])
    assert list(mask) == [expression.holds(item) for item in items]


PIECES = st.sampled_from(
    [*"()[],=<>!&'\"\\ \n-.", "and", "or", "not", "has", "in", "true", "a", "id", "categories", "12", '"x"']
)


@given(st.one_of(st.text(), st.lists(PIECES).map("".join), st.lists(PIECES).map(" ".join)))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    position = 0
    try:
        compile_filter(text).mask(ITEMS)
    except FilterError as error:
        position = error.position
    assert 0 <= position <= len(text)

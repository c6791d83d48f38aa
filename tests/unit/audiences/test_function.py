from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from policenotify.audiences.function import FunctionAudience
from policenotify.audiences.model import Audience, Row, Subscriber, WrongRow
from policenotify.errors import SettingsError

PEOPLE: list[object] = [
    "a@example.org",
    {"address": "b@example.org", "language": "en", "unknown": object()},
    Subscriber(position=70, address="c@example.org"),
    WrongRow(position=80, reason="is not known any more."),
    "",
    17,
]


def audience(function: Any) -> FunctionAudience:
    return FunctionAudience(name="app", function=function)


def test_rows_of_all_kinds() -> None:
    people = audience(lambda: PEOPLE)
    assert isinstance(people, Audience)
    expected: list[Row] = [
        Subscriber(position=0, address="a@example.org"),
        Subscriber(position=1, address="b@example.org", language="en"),
        Subscriber(position=2, address="c@example.org"),
        WrongRow(position=3, reason="is not known any more."),
        WrongRow(position=4, reason="address: is missing."),
        WrongRow(position=5, reason="is neither an address nor a mapping, but int."),
    ]
    for start in range(7):
        assert list(people.rows(start=start)) == expected[start:]


def test_a_function_that_goes_on_by_itself() -> None:
    asked = []

    def function(start: int = 0) -> Iterator[object]:
        asked.append(start)
        for number in range(10, 40, 10):
            if number >= start:
                yield {"address": f"{number}@example.org", "position": number}
        yield Subscriber(position=50, address="50@example.org")

    people = audience(function)
    assert [row.position for row in people.rows()] == [10, 20, 30, 50]
    assert [row.position for row in people.rows(start=21)] == [30, 50]
    assert asked == [0, 21]


def test_the_revision() -> None:
    def function() -> list[str]:
        return []

    assert audience(function).revision() == "always"
    function.revision = lambda: 17  # type: ignore[attr-defined]  # as users write it
    assert audience(function).revision() == "17"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("a@example.org is twice"), "RuntimeError."),
        (SettingsError("The directory does not answer."), "The directory does not answer."),
    ],
)
def test_a_function_that_fails(error: BaseException, reason: str) -> None:
    def function() -> Iterator[str]:
        yield "a@example.org"
        raise error

    def revision() -> str:
        raise error

    function.revision = revision  # type: ignore[attr-defined]
    rows = audience(function).rows()
    assert next(rows)
    for call in (lambda: next(rows), audience(function).revision):
        with pytest.raises(SettingsError) as caught:
            call()
        assert str(caught.value) == f"audiences.app: the function failed: {reason}"


@pytest.mark.parametrize("function", [partial(tuple, ["a@example.org"]), partial({"x": ["a@example.org"]}.get, "x")])
def test_a_function_in_c_that_names_no_parameters(function: Callable[[], Any]) -> None:
    assert list(audience(function).rows()) == [Subscriber(position=0, address="a@example.org")]


def test_a_misspelt_name_gives_no_one_everything() -> None:
    with pytest.raises(SettingsError, match=r"the function failed: a row has a column 'area'\. Call it 'areas'"):
        [*audience(lambda: [{"address": "a@example.org", "area": "dept:34"}]).rows()]


def test_names_that_are_no_texts_are_ignored() -> None:
    [row] = audience(lambda: [{"address": "a@example.org", 7: "a", None: "b"}]).rows()
    assert row == Subscriber(position=0, address="a@example.org")

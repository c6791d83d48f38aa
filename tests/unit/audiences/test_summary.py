import pytest

from policenotify.audiences.function import FunctionAudience
from policenotify.audiences.model import WrongRow
from policenotify.audiences.summary import AudienceSummary, count_people, summarize
from policenotify.errors import SettingsError
from policenotify.model.location import Location
from policenotify.model.message import Message, Translation


def audience(*rows: object) -> FunctionAudience:
    return FunctionAudience(name="press", function=lambda: rows)


def test_a_summary() -> None:
    wrong = ["" for _ in range(12)]
    people = audience(
        "a@example.org", {"address": "b@example.org", "consent_at": "2026-03-14"}, "A@example.org", *wrong
    )
    reason = "address: is missing."
    assert summarize(people) == AudienceSummary(
        people=2,
        doubles=1,
        wrong=12,
        first_wrong=tuple(WrongRow(position=n, line=n + 1, reason=reason) for n in range(3, 13)),
        consents=1,
    )


def test_an_audience_that_fails() -> None:
    def function() -> list[str]:
        raise OSError

    with pytest.raises(SettingsError):
        summarize(FunctionAudience(name="press", function=function))


MESSAGE = Message(
    category="recruitment",
    headline="Concours",
    location=Location(commune="34172"),
    translations=(Translation(language="en", headline="Join"),),
)
PEOPLE = (
    audience("a@example.org", {"address": "b@example.org", "areas": "dept:30"}, "", "c@example.org"),
    audience("c@example.org", {"address": "d@example.org", "language": "en", "consent_at": "2026-03-14"}),
)


@pytest.mark.parametrize(
    ("language", "main", "needs_consent", "count"),
    [("fr", True, False, 2), ("en", False, False, 1), ("en", False, True, 1), ("fr", True, True, 0)],
)
def test_people_whom_a_message_concerns(*, language: str, main: bool, needs_consent: bool, count: int) -> None:
    assert count_people(PEOPLE, MESSAGE, language=language, main=main, needs_consent=needs_consent) == count


def test_counting_stops_above_a_limit() -> None:
    read = []

    def function() -> object:
        for number in range(100):
            read.append(number)
            yield f"{number}@example.org"

    people = [FunctionAudience(name="press", function=function)]  # type: ignore[arg-type]  # as users write it
    assert count_people(people, MESSAGE, language="fr", main=True, most=5) == 6
    assert len(read) == 6

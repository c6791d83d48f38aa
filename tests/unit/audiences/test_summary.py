import pytest

from policenotify.audiences.function import FunctionAudience
from policenotify.audiences.model import WrongRow
from policenotify.audiences.selection import ChannelAudience
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
        first_wrong=tuple(WrongRow(position=n, reason=reason) for n in range(3, 13)),
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
    ("languages", "count"),
    [(("fr",), {"fr": 2}), (("fr", "en"), {"fr": 2, "en": 1}), (("en", "fr"), {"en": 3, "fr": 0})],
)
def test_people_whom_a_message_concerns(languages: tuple[str, ...], count: dict[str, int]) -> None:
    assert count_people(PEOPLE, MESSAGE, languages) == count


def test_people_who_consented() -> None:
    needed = frozenset({"recruitment"})
    people = [ChannelAudience(audience=each, languages=("fr",), consent_for=needed) for each in PEOPLE]
    assert count_people(people, MESSAGE, ("fr",)) == {"fr": 1}
    assert count_people(people, MESSAGE.model_copy(update={"category": "fire"}), ("fr",)) == {"fr": 3}

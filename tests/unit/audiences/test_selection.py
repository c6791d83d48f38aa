from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.audiences.function import FunctionAudience
from policenotify.audiences.model import Audience, Consent, Subscriber, WrongRow
from policenotify.audiences.selection import ChannelAudience, Position, SubscriberFilter, count_people, overlap, select
from policenotify.model import places
from policenotify.model.cap import Precision, Severity
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Area, Location, Point, Polyline
from policenotify.model.message import Message, Translation

MONTPELLIER = (3.8767, 43.6108)
NIMES = (4.3601, 43.8367)


def subscriber(**values: object) -> Subscriber:
    return Subscriber(position=0, address="a@example.org", **values)  # type: ignore[arg-type]


def message(**values: object) -> Message:
    return Message.model_validate({"category": "fire", "severity": Severity.MODERATE, "headline": "Feu", **values})


def gets(person: Subscriber, of: Message, *, language: str = "fr", main: bool = True, consent: bool = False) -> bool:
    return SubscriberFilter(of, language=language, main=main, needs_consent=consent).concerns(person)


def at(**values: object) -> Message:
    return message(location=Location.model_validate(values))


# --- categories, severities, consents -------------------------------------------------------------------------------


def test_categories() -> None:
    assert gets(subscriber(categories=frozenset({"fire", "arrest"})), message())
    assert not gets(subscriber(categories=frozenset({"arrest"})), message())


@pytest.mark.parametrize("least", list(Severity))
@pytest.mark.parametrize("severity", [None, *Severity])
def test_the_least_severity(severity: Severity | None, least: Severity) -> None:
    expected = (severity or Severity.UNKNOWN).rank >= least.rank
    assert gets(subscriber(severity=least), message(severity=severity)) is expected


@pytest.mark.parametrize("stage", list(Stage))
def test_what_ends_or_corrects_goes_to_all_whatever_the_severity(stage: Stage) -> None:
    incident = None if stage is Stage.STANDALONE else "2026-1"
    corrects = "01ARZ3NDEKTSV4RRFFQ69G5FAV" if stage is Stage.CORRECTION else None
    of = message(lifecycle=Lifecycle(stage=stage, incident=incident, corrects=corrects))
    assert gets(subscriber(severity=Severity.EXTREME), of) is (
        stage in {Stage.END, Stage.CORRECTION, Stage.CANCELLATION}
    )


@pytest.mark.parametrize(
    ("purpose", "covered"),
    [
        ("", True),
        ("arrest, fire", True),
        ("arrest", False),
        ("fire_drill", False),
    ],
)
def test_consent(*, purpose: str, covered: bool) -> None:
    consent = Consent(at=datetime(2026, 3, 14, tzinfo=UTC), source="guichet", purpose=purpose)
    assert gets(subscriber(consent=consent), message(), consent=True) is covered
    assert gets(subscriber(consent=consent), message())


# --- languages ------------------------------------------------------------------------------------------------------

ENGLISH = Translation(language="en", headline="Fire")


@pytest.mark.parametrize(
    ("own", "language", "main", "reads"),
    [
        ("", "fr", True, True),
        ("fr", "fr", True, True),
        ("fr-CA", "fr", True, True),
        ("fr", "fr-CA", False, True),
        ("en", "fr", True, False),  # gets the English one
        ("en-GB", "en", False, True),
        ("de", "fr", True, True),  # there is none in German
    ],
)
def test_languages(*, own: str, language: str, main: bool, reads: bool) -> None:
    of = message(translations=(ENGLISH,))
    assert gets(subscriber(language=own), of, language=language, main=main) is reads


# --- areas ----------------------------------------------------------------------------------------------------------


def test_an_area_that_is_not_known_may_share_any_place() -> None:
    assert all(overlap(area, "dept:34") and overlap("dept:34", area) for area in ("epci:999999999", "region:76"))


def communes_in(area: str) -> set[str]:
    kind, _, code = area.partition(":")
    return {code} if kind == "commune" else {each.code for each in places.communes_of(code)}


COMMUNES = ["34172", "34270", "30189", "30007", "01033", "48095", "2A004"]
AREAS = st.sampled_from(
    [f"commune:{code}" for code in COMMUNES if places.commune(code)]
    + ["epci:243400017", "epci:243000643", "dept:34", "dept:30", "dept:48", "dept:2A"]
)


@given(AREAS, AREAS)
def test_agrees_with_the_sets_of_communes(area: str, other: str) -> None:
    assert overlap(area, other) is bool(communes_in(area) & communes_in(other))


@pytest.mark.parametrize(
    ("place", "areas", "expected"),
    [
        ({"commune": "34172"}, ("commune:34270", "epci:243400017"), True),
        ({"commune": "34172"}, ("commune:34270",), False),
        ({"commune": "34172", "department": "34"}, ("commune:34270",), False),  # only the finest counts
        ({"commune": "34172", "epci": "243400017"}, ("commune:34270",), True),  # the whole EPCI
        ({"epci": "243400017", "department": "34"}, ("commune:34270",), True),
        ({"department": "34"}, ("dept:30",), False),
        ({"department": "34", "also_departments": ("30",)}, ("commune:30189",), True),
        ({"label": "autoroute A9"}, ("dept:75",), True),  # cannot be compared
    ],
)
def test_areas_of_people(*, place: dict[str, object], areas: tuple[str, ...], expected: bool) -> None:
    assert gets(subscriber(areas=areas), at(**place)) is expected


def test_without_a_place_it_concerns_everybody() -> None:
    assert gets(subscriber(areas=("dept:75",)), message())
    assert gets(subscriber(point=NIMES), message())
    assert gets(subscriber(), at(commune="34172"))


# --- positions ------------------------------------------------------------------------------------------------------

SQUARE = ((3.85, 43.60), (3.90, 43.60), (3.90, 43.62), (3.85, 43.62), (3.85, 43.60))
AROUND_NIMES = ((4.3, 43.8), (4.4, 43.8), (4.4, 43.9), (4.3, 43.9), (4.3, 43.8))
HOLE = ((3.87, 43.605), (3.88, 43.605), (3.88, 43.615), (3.87, 43.615), (3.87, 43.605))
POLYGON = Area(type="Polygon", coordinates=(SQUARE,))
HOLED = Area(type="Polygon", coordinates=(SQUARE, HOLE))
BOTH = Area(type="MultiPolygon", coordinates=((SQUARE,), (AROUND_NIMES,)))
CENTRE = Point(latitude=MONTPELLIER[1], longitude=MONTPELLIER[0])
VAGUE = CENTRE.model_copy(update={"accuracy": 50_000.0})
ROAD = Polyline(coordinates=(MONTPELLIER, NIMES))


@pytest.mark.parametrize(
    ("place", "point", "expected"),
    [
        (Location(area=POLYGON), MONTPELLIER, True),
        (Location(area=POLYGON), (3.85, 43.61), True),  # on the edge
        (Location(area=HOLED), MONTPELLIER, False),
        (Location(area=BOTH), NIMES, True),
        (Location(area=POLYGON, point=VAGUE), NIMES, False),  # what was drawn decides
        (Location(point=CENTRE), (3.92, 43.6108), True),
        (Location(point=CENTRE), (3.95, 43.6108), False),
        (Location(point=VAGUE), NIMES, True),
        (Location(polyline=ROAD), (4.12, 43.72), True),
        (Location(commune="34172"), NIMES, True),  # its commune is not known
    ],
)
def test_positions_of_people(*, place: Location, point: Position, expected: bool) -> None:
    assert gets(subscriber(point=point), message(location=place)) is expected


def test_areas_or_position_are_enough() -> None:
    of = message(location=Location(commune="34172", area=POLYGON))
    assert gets(subscriber(areas=("dept:34",), point=NIMES), of)
    assert gets(subscriber(areas=("dept:30",), point=MONTPELLIER), of)
    assert not gets(subscriber(areas=("dept:30",), point=NIMES), of)


@given(
    st.sampled_from([each for each in Precision if each is not Precision.EXACT]),
    st.sampled_from([None, POLYGON]),
    st.floats(3.85, 3.90),
    st.floats(43.60, 43.62),
    st.sampled_from(["commune:34172", "epci:243400017", "dept:34"]),
)
def test_blurring_excludes_nobody(precision: Precision, area: Area | None, x: float, y: float, code: str) -> None:
    place = Location(commune="34172", point=CENTRE, area=area, polyline=ROAD)
    blurred = message(location=place.blur(precision))
    if gets(subscriber(point=(x, y)), message(location=place)):
        assert gets(subscriber(point=(x, y)), blurred)
    assert gets(subscriber(areas=(code,)), blurred)


# --- several audiences ----------------------------------------------------------------------------------------------


def test_selection_goes_on_behind_each_row() -> None:
    rows = [{"address": f"{n}@example.org", "areas": "dept:34" if n % 3 else "dept:30"} for n in range(7)]
    rows[4] = {"address": ""}
    audiences = [FunctionAudience(name=name, function=lambda: rows) for name in ("press", "residents")]
    of = at(commune="34172")
    everything = list(select(audiences, of, language="fr", main=True))
    taken = [(audience, row.position) for audience, row in everything]
    assert taken == [(audience, n) for audience in (0, 1) for n in (1, 2, 4, 5)]
    assert [isinstance(row, WrongRow) for _, row in everything] == [False, False, True, False] * 2
    for number, (audience, row) in enumerate(everything, start=1):
        behind = (audience, row.position + 1)
        assert list(select(audiences, of, language="fr", main=True, start=behind)) == everything[number:]
    assert list(select(audiences, of, language="fr", main=True, start=(2, 0))) == []


def test_an_audience_as_a_channel_uses_it() -> None:
    people = [
        {"address": "A@example.org", "language": "fr-CA"},
        {"address": "b@example.org", "language": "de"},
        {"address": "c@example.org", "language": "pt"},
        {"address": "d@example.org"},
        "",
    ]
    inner = FunctionAudience(name="app", function=lambda: people)
    audience = ChannelAudience(audience=inner, spell=str.lower, languages=("fr", "pt-BR"))
    assert isinstance(audience, Audience)
    assert (audience.name, audience.revision()) == ("app", "always")
    rows = list(audience.rows())
    seen = [(row.address, row.language) for row in rows if isinstance(row, Subscriber)]
    assert seen == [("a@example.org", "fr"), ("b@example.org", ""), ("c@example.org", "pt-BR"), ("d@example.org", "")]
    assert isinstance(rows[4], WrongRow)
    assert list(audience.rows(start=2)) == rows[2:]
    assert list(ChannelAudience(audience=inner).rows()) == list(inner.rows())


# --- counting


def listed(*rows: object) -> FunctionAudience:
    return FunctionAudience(name="press", function=lambda: rows)


JOBS = Message(
    category="recruitment",
    headline="Concours",
    location=Location(commune="34172"),
    translations=(Translation(language="en", headline="Join"),),
)
LISTS = (
    listed("a@example.org", {"address": "b@example.org", "areas": "dept:30"}, "", "c@example.org"),
    listed("c@example.org", {"address": "d@example.org", "language": "en", "consent_at": "2026-03-14"}),
)


@pytest.mark.parametrize(
    ("languages", "count"),
    [(("fr",), {"fr": 2}), (("fr", "en"), {"fr": 2, "en": 1}), (("en", "fr"), {"en": 3, "fr": 0})],
)
def test_people_whom_a_message_concerns(languages: tuple[str, ...], count: dict[str, int]) -> None:
    assert count_people(LISTS, JOBS, languages) == count


def test_people_who_consented() -> None:
    needed = frozenset({"recruitment"})
    people = [ChannelAudience(audience=each, languages=("fr",), consent_for=needed) for each in LISTS]
    assert count_people(people, JOBS, ("fr",)) == {"fr": 1}
    assert count_people(people, JOBS.model_copy(update={"category": "fire"}), ("fr",)) == {"fr": 3}

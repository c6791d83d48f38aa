import base64
import json
import os
import pickle
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from policenotify.errors import UnsupportedVersion
from policenotify.model import message as message_module
from policenotify.model.cap import Certainty, Precision, Severity, Urgency
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Area, Location, Point, Polyline, RoadRef
from policenotify.model.message import SCHEMA_VERSION, Basis, Category, Image, Known, Message, Translation, read
from tests.support import golden

GOLDEN = Path(__file__).parents[2] / "golden"
PARIS = ZoneInfo("Europe/Paris")
ULID = "01K1BB00000000000000000000"
PNG = b"\x89PNG\r\n\x1a\n\x00\xff\xfe=+/"

EVERYTHING = Message(
    category=Category.TRAFFIC_ACCIDENT,
    severity=Severity.SEVERE,
    urgency=Urgency.IMMEDIATE,
    certainty=Certainty.OBSERVED,
    location=Location(
        commune="34172",
        commune_name="Montpellier",
        department="34",
        department_name="Hérault",
        epci="243400017",
        street="avenue de Toulouse",
        district="quartier Gambetta",
        road=RoadRef(
            road="A709", point="14+200", direction="Béziers → Nîmes", exit="sortie 31", administrator="DIR Méditerranée"
        ),
        label="à hauteur du rond-point Flandres-Dunkerque",
        between=("avenue de Lodève", "rue du Faubourg-Figuerolles"),
        line="ligne 2 du tramway",
        point=Point(latitude=43.59421, longitude=3.84915, accuracy=25),
        area=Area.model_validate(
            {"type": "MultiPolygon", "coordinates": [[[[3.84, 43.59], [3.86, 43.59], [3.86, 43.6], [3.84, 43.59]]]]}
        ),
        polyline=Polyline(coordinates=((3.849, 43.594), (3.8514, 43.5951))),
        precision=Precision.STREET,
        also_departments=("30", "2A"),
    ),
    lifecycle=Lifecycle(stage=Stage.CORRECTION, incident="2026-07-26_0142", corrects=ULID, reopens=True),
    headline="Accident avenue de Toulouse : évitez le secteur",
    description="Deux véhicules impliqués.\n\nLes secours sont sur place 🚒.",
    instruction="Laissez passer les secours.",
    known=Known(confirmed="Deux personnes sont légèrement blessées.", unconfirmed="L'origine de la collision."),
    source="DIR Méditerranée",
    starts_at=datetime(2026, 7, 26, 14, 5, tzinfo=PARIS),
    expires_at=datetime(2026, 7, 26, 20, 0, 0, 123456, tzinfo=UTC),
    next_update_at=datetime(2026, 7, 26, 15, 0, tzinfo=PARIS),
    link="https://www.police.example/hérault?a=1&b=2#info",
    images=(
        Image(alt="Plan de la déviation", digest="cd" * 32),
        Image(alt="La chaussée", data=PNG),
        Image(alt="Le rond-point", digest="ab" * 32),
    ),
    hashtags=("InfoTrafic", "Montpellier34"),
    language="fr",
    translations=(
        Translation(
            language="oc",
            headline="Accident avenguda de Tolosa: evitatz lo sector",
            description="Dos veïculs.",
            instruction="Daissatz passar los socorses.",
            known=Known(confirmed="Doas personas son blaçadas.", unconfirmed="La causa de l'accident."),
            alts=("Plan", "La cauçada", "Lo rond-point"),
        ),
        Translation(language="en", headline="Accident on avenue de Toulouse: avoid the area"),
    ),
    exercise=True,
    sender="Police nationale de l’Hérault",
    basis=(Basis(who="prosecutor", at=datetime(2026, 7, 26, 13, 0, tzinfo=UTC), reference="2026/4711"),),
)


def make(**fields: Any) -> Message:
    return Message.model_validate({"category": "fire", "headline": "Feu de broussailles", **fields})


def refusal(**fields: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        make(**fields)
    return str(refused.value)


# --- the released form ---------------------------------------------------------------------------------------------


def test_version_1_as_it_was_released_is_still_read() -> None:
    """That file is never edited: a field that was added since has its default there."""
    text = (GOLDEN / "message_v1.json").read_text()
    assert read(text) == EVERYTHING
    assert json.loads(EVERYTHING.model_dump_json()).items() >= json.loads(text).items()


@pytest.mark.parametrize("line", (GOLDEN / "message_digests_v1.jsonl").read_text(encoding="utf-8").splitlines())
def test_a_message_of_an_earlier_release_keeps_its_digest(line: str) -> None:
    """No line of that file is ever edited: repeated keys and approvals of stored messages depend on it."""
    pinned = json.loads(line)
    assert read(pinned["message"]).digest() == pinned["digest"]


def test_the_json_schema_is_pinned() -> None:
    schema = json.dumps(Message.model_json_schema(), ensure_ascii=False, indent=2)
    golden.check(GOLDEN / "message_schema_v1.json", f"{schema}\n")


def test_every_field_is_in_the_docstring() -> None:
    for model in (Message, Known, Image, Translation, Location, Point, Area, Polyline, RoadRef, Lifecycle):
        assert model.__doc__ is not None
        told = {line.strip().split(":")[0] for line in model.__doc__.partition("Attributes:")[2].splitlines()}
        assert set(model.model_fields) <= told, model


# --- in and out ----------------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(str.strip)
moments = st.datetimes(
    datetime(1900, 1, 2),  # noqa: DTZ001 - hypothesis adds the zones itself
    datetime(2200, 1, 1),  # noqa: DTZ001 - a time without a zone is the point
    timezones=st.sampled_from([UTC, PARIS, ZoneInfo("Pacific/Tahiti"), timezone(timedelta(hours=5, minutes=45))]),
)
places = st.builds(
    Location,
    commune=st.sampled_from([None, "34172", "2A004", "97411"]),
    street=st.none() | words,
    label=st.none() | words,
    precision=st.none() | st.sampled_from(Precision),
    point=st.none()
    | st.builds(
        Point,
        latitude=st.floats(41, 51),
        longitude=st.floats(-5, 9),
        accuracy=st.none() | st.floats(0.1, 1e6),
    ),
)
images = st.builds(Image, alt=words, data=st.binary(min_size=1)) | st.builds(Image, alt=words, digest=st.just("0" * 64))
messages = st.builds(
    Message,
    category=st.from_regex(r"[a-z][a-z0-9_]{0,63}", fullmatch=True),
    severity=st.none() | st.sampled_from(Severity),
    urgency=st.none() | st.sampled_from(Urgency),
    certainty=st.none() | st.sampled_from(Certainty),
    location=st.none() | places,
    lifecycle=st.just(Lifecycle()) | st.builds(Lifecycle, stage=st.just(Stage.UPDATE), incident=st.just("i")),
    headline=words,
    description=st.just("") | words,
    instruction=st.just("") | words,
    starts_at=st.none() | moments,
    next_update_at=st.none() | moments,
    images=st.lists(images, max_size=2).map(tuple),
    hashtags=st.lists(st.sampled_from(["#Montpellier", "InfoTrafic", "été2026"]), max_size=2).map(tuple),
    language=st.sampled_from(["fr", "oc"]),
    translations=st.just(()) | st.builds(lambda h: (Translation(language="en", headline=h),), words),
    exercise=st.booleans(),
    sender=st.none() | words,
)


@given(messages)
def test_a_message_travels_as_json(message: Message) -> None:
    text = message.model_dump_json()
    for arrived in (read(text), read(text.encode()), read(json.loads(text)), read(message.model_dump())):
        assert arrived == message
        assert arrived.digest() == message.digest()
        assert arrived.model_dump_json() == text
    assert read(message.model_dump_json(exclude_none=True)) == message
    assert Message.model_validate_json(text) == message


@given(messages, messages)
def test_two_messages_have_one_digest_exactly_when_they_are_equal(one: Message, other: Message) -> None:
    assert (one.digest() == other.digest()) == (one == other)


class LaterLocation(Location):
    floor: int | None = None


class LaterTranslation(Translation):
    tone: str = ""


class LaterMessage(Message):
    """The message of a release with a new field at each depth."""

    location: LaterLocation | None = None
    translations: tuple[LaterTranslation, ...] = ()
    weather: str = ""
    sirens: tuple[str, ...] = ()


@given(messages)
@example(EVERYTHING)
def test_a_field_that_a_later_release_adds_changes_no_digest(message: Message) -> None:
    later = LaterMessage.model_validate(message.model_dump())
    assert later.digest() == message.digest()
    assert later.model_copy(update={"weather": "Vent"}).digest() != message.digest()


def test_any_changed_field_changes_the_digest() -> None:
    changes: dict[str, Any] = {
        "category": "fire",
        "severity": None,
        "urgency": Urgency.EXPECTED,
        "certainty": Certainty.LIKELY,
        "location": None,
        "lifecycle": Lifecycle(),
        "headline": "Accident",
        "description": "",
        "instruction": "Évitez le secteur.",
        "known": None,
        "source": "préfecture",
        "starts_at": datetime(2026, 7, 26, 12, 5, 0, 1, tzinfo=UTC),
        "expires_at": None,
        "next_update_at": datetime(2026, 7, 26, 15, 0, tzinfo=UTC),
        "link": None,
        "images": (EVERYTHING.images[0], Image(alt="La chaussée", data=PNG + b"\0"), EVERYTHING.images[2]),
        "hashtags": ("Montpellier34", "InfoTrafic"),
        "language": "fr-FR",
        "translations": EVERYTHING.translations[1:],
        "exercise": False,
        "sender": None,
        "basis": (),
    }
    changed = [Message.model_validate({**dict(EVERYTHING), name: value}) for name, value in changes.items()]
    assert len({EVERYTHING.digest(), *(message.digest() for message in changed)}) == len(changes) + 1


def test_one_moment_has_one_digest_in_any_zone() -> None:
    moment = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in Paris, for the first of two times
    told = [
        moment,
        moment.astimezone(PARIS),
        moment.astimezone(timezone(timedelta(hours=-10))),
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T00:30:00.000000Z",
    ]
    said = [make(starts_at=one) for one in told]
    assert all(one == said[0] and hash(one) == hash(said[0]) and one.digest() == said[0].digest() for one in said)
    assert said[1].starts_at == moment
    assert read(said[1].model_dump_json()) == said[1]


def test_an_equivalent_notation_is_the_same_message() -> None:
    untidy = make(
        headline="  Feu de\n broussailles ",
        description="Un.\r\nDeux.\rTrois.\u2028",
        hashtags=("#InfoTrafic", " ＃＃Hérault "),
        sender="Police\tnationale",
    )
    tidy = make(
        description="Un.\nDeux.\nTrois.",
        hashtags=("InfoTrafic", "Hérault"),
        sender="Police nationale",
        schema_version=1,
    )
    assert untidy == tidy
    assert untidy.digest() == tidy.digest()


def test_a_message_is_frozen_all_the_way_down() -> None:
    def walk(value: object) -> None:
        assert not isinstance(value, list | dict | set | bytearray)
        if isinstance(value, BaseModel):
            with pytest.raises(ValidationError, match="frozen"):
                setattr(value, next(iter(type(value).model_fields)), None)
            for _, inner in value:
                walk(inner)
        elif isinstance(value, tuple):
            for inner in value:
                walk(inner)

    walk(EVERYTHING)
    assert hash(EVERYTHING) == hash(EVERYTHING.model_copy(deep=True))
    assert pickle.loads(pickle.dumps(EVERYTHING)) == EVERYTHING  # noqa: S301 - our own bytes


# --- reading invalid messages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        '"x"',
        "null",
        "1",
        "{",
        "{}",
        b"\xff",
        b" ",
        "[" * 100_000,
        '{"headline": "\\ud800"}',
        "\ud800",
        "NaN",
    ],
)
def test_an_invalid_message_is_refused_as_such(text: str | bytes) -> None:
    with pytest.raises(ValidationError, match="Message"):
        read(text)


def test_read_names_every_wrong_field_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        read('{"category": "Feu", "headline": "", "severty": "Severe", "images": [{"alt": "", "path": "x"}]}')
    assert {".".join(map(str, error["loc"])) for error in refused.value.errors()} == {
        "category",
        "headline",
        "severty",
        "images.0.alt",
        "images.0.path",
    }


def test_only_python_names_a_file_of_this_machine() -> None:
    """Another system writes the JSON, and would publish whatever this process may read."""
    foreign: dict[str, Any] = {"category": "fire", "headline": "Feu", "images": [{"alt": "a", "path": "/etc/shadow"}]}
    text = json.dumps(foreign)
    for reads in (
        lambda: read(foreign),
        lambda: read(text),
        lambda: read(text.encode()),
        lambda: Message.model_validate(foreign),  # as web frameworks do with the body of a request
        lambda: Message.model_validate_json(text),
        lambda: make().followed_by(Stage.UPDATE, headline="Feu", incident="7", images=foreign["images"]),
        lambda: Image(alt="a", path="/etc/shadow"),
        lambda: Image.model_validate({"alt": "a", "path": os.fspath(Path("a").absolute()).encode()}),
    ):
        with pytest.raises(ValidationError, match=r"path\n  Value error, an image in JSON is given by its data or its"):
            reads()
    image = Image(alt="a", path=Path("/etc/shadow"))
    assert Message.model_validate({**foreign, "images": [image.model_copy()]}).images == (image,)
    assert pickle.loads(pickle.dumps(image)) == image  # noqa: S301 - made here
    assert json.loads(image.model_dump_json())["path"] == "/etc/shadow"
    assert Image.model_validate(image.model_dump()) == image
    assert make(images=[image]).digest() != make(images=[Image(alt="a", path=Path("/etc/passwd"))]).digest()
    assert read({**foreign, "images": [{"alt": "a", "path": None, "digest": "0" * 64}]}).images[0].digest == "0" * 64


@pytest.mark.parametrize(
    "text",
    [
        '{"category": "fire", "headline": "Feu", "headline": "Fin"}',
        '{"category": "fire", "headline": "Feu", "images": [{"alt": "a", "alt": "b", "data": "aaaa"}]}',
        '{"category": "fire", "headline": "Feu", "\\u0063ategory": "arrest"}',
    ],
)
def test_json_gives_each_name_once(text: str) -> None:
    for source in (text, text.encode()):
        with pytest.raises(ValidationError, match=r"'(headline|alt|category)' occurs twice, give it once"):
            read(source)


def test_a_message_has_at_most_ten_images() -> None:
    images = [{"alt": "a", "data": "aaaa"}] * 11
    with pytest.raises(ValidationError, match="at most 10 items"):
        read({"category": "fire", "headline": "Feu", "images": images})
    assert len(read({"category": "fire", "headline": "Feu", "images": images[1:]}).images) == 10


@pytest.mark.parametrize("version", [2, 99, 10**30])
def test_a_newer_message_is_refused_naming_its_version(version: int) -> None:
    with pytest.raises(
        UnsupportedVersion, match=f"message has schema version {version}; this policenotify reads up to 1"
    ) as e:
        read(json.dumps({"schema_version": version, "category": "fire", "what": "is new"}))
    assert (e.value.kind, e.value.version, e.value.supported) == ("message", version, SCHEMA_VERSION)


@pytest.mark.parametrize(
    "version", ['"1"', '"2"', "0", "-3", f"-{10**18}", "2.5", "null", "1e400", "[]", "{}", "false"]
)
def test_an_invalid_version_is_refused(version: str) -> None:
    with pytest.raises(ValidationError, match="schema_version"):
        read(f'{{"schema_version": {version}, "category": "fire", "headline": "Feu"}}')


def test_a_missing_version_is_this_release_s() -> None:
    assert read({"category": "fire", "headline": "Feu"}).schema_version == SCHEMA_VERSION


# --- fields --------------------------------------------------------------------------------------------------------


TEXTS: dict[str, Any] = {
    "headline": lambda text: {"headline": text},
    "description": lambda text: {"description": text},
    "instruction": lambda text: {"instruction": text},
    "sender": lambda text: {"sender": text},
    "hashtags": lambda text: {"hashtags": [text]},
    "link": lambda text: {"link": f"https://police.example/{text}"},
    "images.alt": lambda text: {"images": [{"alt": text, "data": "aaaa"}]},
    "images.path": lambda text: {"images": [{"alt": "a", "path": Path(text)}]},
    "translations.headline": lambda text: {"translations": [{"language": "en", "headline": text}]},
    "translations.description": lambda text: {
        "translations": [{"language": "en", "headline": "a", "description": text}]
    },
    "location.street": lambda text: {"location": {"street": text}},
    "location.road.exit": lambda text: {"location": {"road": {"road": "A9", "exit": text}}},
    "lifecycle.incident": lambda text: {"lifecycle": {"stage": "opening", "incident": text}},
    "category": lambda text: {"category": text},
    "language": lambda text: {"language": text},
}


@pytest.mark.parametrize("bad", ["\0", "\x07", "\x1b[2J", "\x7f", "\x92", "\ud83d"])
@pytest.mark.parametrize("field", TEXTS)
def test_an_unreadable_character_is_refused_and_never_dropped(field: str, bad: str) -> None:
    assert field.split(".", maxsplit=1)[0] in refusal(**TEXTS[field](f"a{bad}b"))


def test_a_refusal_names_the_character_and_its_place() -> None:
    assert "headline\n  Value error, character 5 is U+0007, which nobody can read: remove it" in refusal(
        headline="Feu \ab"
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"headline": " \n "}, "headline"),
        ({"headline": "x" * 161}, "at most 160 characters"),
        ({"headline": None}, "headline"),
        ({"description": "x" * 10_001}, "at most 10000 characters"),
        ({"sender": ""}, "sender"),
        ({"category": "Fire"}, "category"),
        ({"category": "x" * 65}, "category"),
        ({"severity": "severe"}, "severity"),
        ({"language": "FR"}, "language"),
        ({"language": "french"}, "language"),
        ({"language": "fr_FR"}, "language"),
        ({"language": "es-٤١٩"}, "language"),
        ({"hedline": "x"}, "hedline\n  Extra inputs are not permitted"),
        ({"location": {"city": "x"}}, "location.city\n  Extra"),
        ({"lifecycle": {"stage": "end"}}, "lifecycle\n  Value error, incident: an end must name"),
        ({"starts_at": "2026-07-26T14:05:00"}, "starts_at\n  Input should have timezone info"),
        ({"starts_at": datetime(2026, 7, 26)}, "starts_at\n  Input should have timezone info"),  # noqa: DTZ001 - proved
        ({"starts_at": "2026-07-26"}, "starts_at\n  Input should have timezone info"),
        ({"expires_at": "20260726"}, "expires_at\n  Value error, write the time as RFC 3339"),
        ({"expires_at": 1785067500}, "expires_at\n  Value error, write the time as RFC 3339"),
        ({"expires_at": 1.5}, "expires_at\n  Value error, write the time as RFC 3339"),
        ({"next_update_at": "in ten minutes"}, "next_update_at"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at\n  Value error, this time lies outside the years"),
        ({"starts_at": "9999-12-31T23:59:59-01:00"}, "starts_at\n  Value error, this time lies outside the years"),
        (
            {"starts_at": "2026-07-26T14:00:00+02:00", "expires_at": "2026-07-26T12:00:00Z"},
            "expires_at: must be later than starts_at",
        ),
        ({"translations": [{"language": "fr", "headline": "x"}]}, "translations: each language once"),
        ({"translations": [{"language": "en", "headline": "x"}] * 2}, "translations: each language once"),
        (
            {"translations": [{"language": "en", "headline": "x", "alts": ["a"]}]},
            "translations: alts: one for each image, in the same order, or none",
        ),
        ({"images": [{"data": "aaaa"}]}, "images.0.alt"),
        ({"images": [{"alt": "a"}]}, "path: an image is given by exactly one of path, data or digest"),
        ({"images": [{"alt": "a", "path": Path("a"), "digest": "0" * 64}]}, "path: an image is given by exactly one"),
        ({"images": [{"alt": "a", "digest": "AB" * 32}]}, "images.0.digest"),
        ({"images": [{"alt": "a", "path": ""}]}, "images.0.path"),
        ({"images": [{"alt": "a", "data": ""}]}, "images.0.data"),
        ({"images": [{"alt": "a", "data": b""}]}, "images.0.data"),
        ({"images": [{"alt": "a", "data": "a"}]}, "images.0.data\n  Value error, not Base64 (RFC 4648, section 4)"),
        ({"images": [{"alt": "a", "data": "é==="}]}, "images.0.data\n  Value error, not Base64"),
        ({"images": [{"alt": "a", "data": 7}]}, "images.0.data"),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields: dict[str, Any], says: str) -> None:
    assert says in refusal(**fields)


@pytest.mark.parametrize("language", ["fr", "oc", "gsw", "zh-Hant", "pt-BR", "es-419", "sr-Latn-RS"])
def test_a_language_tag(language: str) -> None:
    assert make(language=language).language == language


def test_huge_texts_are_refused_in_few_words() -> None:
    assert len(refusal(headline="x" * 5_000_000)) < 300
    assert len(refusal(link="https://police.example/" + "x" * 5_000_000)) < 300
    assert len(refusal(images=[{"alt": "a", "path": Path("a"), "data": b"x" * 5_000_000}])) < 300


def test_a_refusal_never_repeats_what_was_written() -> None:
    said = refusal(
        link="https://claire:geheim@police.example/",
        headline="geheim" * 40,
        language="geheim",
        location={"road": {"road": "geheim"}, "street": "geheim\0"},
        images=[{"alt": "a", "path": "geheim", "data": "geheim"}],
    )
    assert "geheim" not in said
    assert "claire" not in said


@pytest.mark.parametrize(
    "link",
    [
        "https://www.police.example",
        "http://police.example:8080/a?b=c#d",
        "HTTPS://Police.example/",
        "https://préfecture.example/hérault",
        "https://police.example/@compte/1",
        "https://[2001:db8::1]/",
        "https://police.example/" + "a" * 1_900,
    ],
)
def test_a_link_is_kept_as_written(link: str) -> None:
    assert make(link=link).link == link


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("javascript:alert(1)", "begins with https://"),
        ("ftp://police.example", "begins with https://"),
        ("data:text/html,x", "begins with https://"),
        ("//police.example", "begins with https://"),
        ("police.example", "begins with https://"),
        ("https:police.example", "begins with https://"),
        ("https:/police.example", "begins with https://"),
        ("https:\\\\police.example", "begins with https://"),
        ("https://police.example\\@other.example", "begins with https://"),
        ("https://police.example/a b", "white space"),
        (" https://police.example", "white space"),
        ("https://police.example/\n", "white space"),
        ("https://police.example/<script>", "none of <"),
        ('https://police.example/"', "none of <"),
        ("", "begins with https://"),
        ("https://", "begins with https://"),
        ("https://claire:pw@police.example/", "no user name and no password"),
        ("https://claire@police.example/", "no user name and no password"),
        ("https://@police.example/", "no user name and no password"),
        ("https://police.example:99999/", "invalid port number"),
        ("https://police .example/", "white space"),
        ("https://[2001:db8::1/", "link"),
        ("https://police.example/" + "a" * 2_000, "at most 2000 characters"),
    ],
)
def test_no_link(link: str, says: str) -> None:
    assert says in refusal(link=link)


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("#Montpellier", "Montpellier"),
        ("##a", "a"),
        ("# a", "a"),
        (" ＃été ", "été"),
        ("14juillet", "14juillet"),
        ("भारत", "भारत"),
    ],
)
def test_a_hashtag_is_kept_without_its_sign(written: str, tag: str) -> None:
    assert make(hashtags=[written]).hashtags == (tag,)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("#", "needs a letter"), ("", "needs a letter"), ("2026", "needs a letter"), ("#17", "needs a letter"),
        ("_", "needs a letter"), ("route coupée", "is one word"), ("a#b", "is one word"), ("a＃b", "is one word"),
        ("a\nb", "is one word"), ("a" * 65, "at most 64 characters"),
    ],
)  # fmt: skip
def test_no_hashtag(written: str, says: str) -> None:
    assert says in refusal(hashtags=["ok", written])


# --- pictures ------------------------------------------------------------------------------------------------------


def test_a_picture_s_bytes_are_its_file_s_bytes() -> None:
    image = Image(alt="La chaussée", data=PNG)
    assert image.data == PNG
    assert json.loads(image.model_dump_json())["data"] == base64.b64encode(PNG).decode()
    assert image.model_dump()["data"] == PNG
    assert Image.model_validate_json(image.model_dump_json()) == image
    assert Image.model_validate(image.model_dump(mode="json")) == image
    assert Image.model_validate({"alt": "La chaussée", "data": base64.b64encode(PNG).decode()}) == image
    assert "PNG" not in repr(image)


def test_bytes_that_happen_to_be_base64_are_bytes_all_the_same() -> None:
    assert Image(alt="a", data=b"AAAA").data == b"AAAA"


# --- words and what follows ----------------------------------------------------------------------------------------


def test_the_words_in_each_language() -> None:
    own = EVERYTHING.wording("fr")
    assert own == Translation(
        language="fr",
        headline=EVERYTHING.headline,
        description=EVERYTHING.description,
        instruction=EVERYTHING.instruction,
        known=EVERYTHING.known,
        alts=("Plan de la déviation", "La chaussée", "Le rond-point"),
    )
    assert EVERYTHING.wording("oc") is EVERYTHING.translations[0]
    assert EVERYTHING.wording("en") is EVERYTHING.translations[1]
    assert EVERYTHING.wording("de") is None


def test_stage_and_incident_are_the_lifecycle_s() -> None:
    assert (EVERYTHING.stage, EVERYTHING.incident) == (Stage.CORRECTION, "2026-07-26_0142")
    assert (make().stage, make().incident) == (Stage.STANDALONE, None)


def test_the_next_message_carries_what_holds_and_leaves_past_texts() -> None:
    following = EVERYTHING.followed_by(Stage.END, headline="Intervention terminée", incident="2026-07-26_0142")
    assert following == Message(
        category=EVERYTHING.category,
        severity=EVERYTHING.severity,
        certainty=EVERYTHING.certainty,
        location=EVERYTHING.location,
        lifecycle=Lifecycle(stage=Stage.END, incident="2026-07-26_0142"),
        headline="Intervention terminée",
        source=EVERYTHING.source,
        hashtags=EVERYTHING.hashtags,
        language="fr",
        exercise=True,
        sender=EVERYTHING.sender,
        basis=EVERYTHING.basis,
    )


def test_the_next_message_may_change_any_field_but_its_lifecycle() -> None:
    following = EVERYTHING.followed_by(
        Stage.CORRECTION,
        headline="Accident avenue de Lodève",
        incident=None,
        corrects=ULID,
        category="fire",
        severity="Minor",
        instruction="Évitez le secteur.",
    )
    assert (following.category, following.severity, following.instruction) == (
        "fire",
        Severity.MINOR,
        "Évitez le secteur.",
    )
    assert following.lifecycle == Lifecycle(stage=Stage.CORRECTION, corrects=ULID)
    with pytest.raises(TypeError, match="lifecycle follows from stage"):
        EVERYTHING.followed_by(Stage.UPDATE, headline="x", incident="i", lifecycle=Lifecycle())
    with pytest.raises(ValidationError, match="expries_at"):
        EVERYTHING.followed_by(Stage.UPDATE, headline="x", incident="i", expries_at=None)


def test_only_times_and_bytes_have_a_canonical_form_of_their_own() -> None:
    with pytest.raises(TypeError, match="set has no canonical form"):
        message_module._canonical(set())


def test_a_region_is_served_by_the_words_of_its_language() -> None:
    german = Translation(language="de", headline="Unfall")
    message = Message(category="fire", headline="Accident", translations=(german,))
    assert message.wording("de-CH") == german
    assert message.wording("fr-FR") == message.wording("fr")
    assert message.wording("de-Latn") is None
    swiss = Translation(language="de-CH", headline="Unfall!")
    assert message.model_copy(update={"translations": (german, swiss)}).wording("de-CH") == swiss


def test_what_is_known_says_at_least_one_thing() -> None:
    assert "known.confirmed: give what is known" in refusal(known={}) or "give what is known" in refusal(known={})
    assert make(known={"unconfirmed": "L'origine du feu."}).known == Known(unconfirmed="L'origine du feu.")
    assert "200" in refusal(known={"confirmed": "a" * 201})


def test_the_source_of_a_relay_is_carried_and_what_is_known_is_not() -> None:
    first = make(source="Météo-France", known={"confirmed": "a"})
    after = first.followed_by(Stage.UPDATE, headline="Suite", incident="i1")
    assert (after.source, after.known) == ("Météo-France", None)

import base64
import hashlib
import json
import os
import pickle
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from pydantic import ValidationError

from policenotify.errors import UnsupportedVersion
from policenotify.model import message as message_module
from policenotify.model.cap import Certainty, Precision, Severity, Urgency
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Area, Location, Point, Polyline, RoadRef
from policenotify.model.message import SCHEMA_VERSION, Basis, Category, Image, Known, Message, Translation, read
from policenotify.model.texts import reworded, text_fields
from policenotify.testing.strategies import messages
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


PINNED = {
    "message_v1.json": "5067a713e0ac07642c193e44a2a0d1b28368c82454c701240da1a6b71f65a66c",
    "message_digests_v1.jsonl": "02d9fee793370b31780af2f64216d39657dad78e5bbcffc65cb3141bd0573042",
}


@pytest.mark.parametrize("name", PINNED)
def test_what_an_earlier_release_wrote_is_never_edited(name: str) -> None:
    """A new field needs no line there: what it leaves unset changes no digest."""
    assert hashlib.sha256((GOLDEN / name).read_bytes()).hexdigest() == PINNED[name], f"Restore tests/golden/{name}."


def test_version_1_as_it_was_released_is_still_read() -> None:
    message = read((GOLDEN / "message_v1.json").read_text(encoding="utf-8"))
    assert message.digest() == "54846b1f4697ca1058296b39e2ab9ad723634f96bba20abf955cfc9a655e9da6"


@pytest.mark.parametrize("line", (GOLDEN / "message_digests_v1.jsonl").read_text(encoding="utf-8").splitlines())
def test_a_message_of_an_earlier_release_keeps_its_digest(line: str) -> None:
    """Repeated keys and approvals of stored messages depend on it."""
    pinned = json.loads(line)
    assert read(pinned["message"]).digest() == pinned["digest"]


def test_the_json_schema_is_the_public_one() -> None:
    schema = json.dumps(Message.model_json_schema(), ensure_ascii=False, indent=2)
    golden.check(GOLDEN / "message_schema.json", f"{schema}\n")


def test_the_message_of_everything_has_every_field() -> None:
    assert Message.model_fields.keys() - EVERYTHING.model_fields_set == {"schema_version"}, "add it to EVERYTHING"


def test_every_text_is_reworded_in_each_language() -> None:
    """Else a house number or an invisible sign stays in it."""
    fields = [field for field in text_fields(EVERYTHING) if field.kind in {"line", "prose", "description"}]
    assert {field.name for field in fields} > {"headline", "translations.oc.headline", "images.0.alt"}
    texts = {field.name: field.text for field in text_fields(reworded(EVERYTHING, lambda _: "new"))}
    assert [field.name for field in fields if texts[field.name] != "new"] == []


# --- in and out ----------------------------------------------------------------------------------------------------


@given(messages())
@example(EVERYTHING)
def test_a_message_travels_as_json(message: Message) -> None:
    text = message.model_dump_json()
    for arrived in (read(text), read(text.encode()), read(json.loads(text)), read(message.model_dump())):
        assert arrived == message
        assert arrived.digest() == message.digest()
        assert arrived.model_dump_json() == text
    assert read(message.model_dump_json(exclude_none=True)) == message
    assert Message.model_validate_json(text) == message


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


@given(messages())
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


# --- reading invalid messages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        '"x"',
        "{",
        b"\xff",
        "[" * 100_000,
        '{"headline": "\\ud800"}',
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


@pytest.mark.parametrize("version", [2, 10**30])
def test_a_newer_message_is_refused_naming_its_version(version: int) -> None:
    with pytest.raises(
        UnsupportedVersion, match=f"message has schema version {version}; this policenotify reads up to 1"
    ) as e:
        read(json.dumps({"schema_version": version, "category": "fire", "what": "is new"}))
    assert (e.value.kind, e.value.version, e.value.supported) == ("message", version, SCHEMA_VERSION)


@pytest.mark.parametrize("version", ['"1"', "0", "null"])
def test_an_invalid_version_is_refused(version: str) -> None:
    with pytest.raises(ValidationError, match="schema_version"):
        read(f'{{"schema_version": {version}, "category": "fire", "headline": "Feu"}}')


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
    changes: dict[str, Any] = {"category": "fire", "instruction": "Évitez le secteur."}
    following = EVERYTHING.followed_by(Stage.CORRECTION, headline="Erreur", incident=None, corrects=ULID, **changes)
    assert (following.category, following.instruction) == ("fire", "Évitez le secteur.")
    assert following.lifecycle == Lifecycle(stage=Stage.CORRECTION, corrects=ULID)
    with pytest.raises(TypeError, match="lifecycle follows from stage"):
        EVERYTHING.followed_by(Stage.UPDATE, headline="x", incident="i", lifecycle=Lifecycle())
    with pytest.raises(ValidationError, match="expries_at"):
        EVERYTHING.followed_by(Stage.UPDATE, headline="x", incident="i", expries_at=None)


def test_what_is_known_says_at_least_one_thing() -> None:
    assert "known.confirmed: give what is known" in refusal(known={}) or "give what is known" in refusal(known={})
    assert make(known={"unconfirmed": "L'origine du feu."}).known == Known(unconfirmed="L'origine du feu.")
    assert "200" in refusal(known={"confirmed": "a" * 201})


def test_only_times_and_bytes_and_paths_have_a_canonical_form_of_their_own() -> None:
    with pytest.raises(TypeError, match="set has no canonical form"):
        message_module._canonical(set())

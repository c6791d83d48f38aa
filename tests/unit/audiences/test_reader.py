from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.audiences.model import Consent, Subscriber, WrongRow
from policenotify.audiences.reader import COLUMNS, RowReader, misspelt_column
from policenotify.errors import SettingsError
from policenotify.model.cap import Severity

READER = RowReader()


def read(**values: object) -> Subscriber:
    row = READER.mapping({"address": "a@example.org", **values}, position=3)
    assert isinstance(row, Subscriber), row
    return row


def wrong(**values: object) -> str:
    row = READER.mapping({"address": "a@example.org", **values}, position=3)
    assert isinstance(row, WrongRow), row
    assert (row.position, row.line) == (3, 4)
    return str(row.reason)


@pytest.mark.parametrize(
    "address",
    ["a@example.org", "a+b@localhost", "+33 6 12-34.56/78", "0612345678", "(0)6 12 34 56 78"],
)
def test_addresses(address: str) -> None:
    assert READER.address(address, position=0) == Subscriber(position=0, address=address)
    assert read(address=f" {address} ").address == address


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "address: is missing."),
        ("a@", "address: is not a mail address."),
        ("a@example.org, b@example.org", "address: is not a mail address."),
        ("911", "address: a telephone number of 3 digits does not exist."),
        ("3,36E+10", "address: a spreadsheet has shortened the number. Format the column as text, and enter it again."),
        ("Mairie", "address: is neither a mail address nor a telephone number."),
        ("a@b\x00.org", "address: is too long, or has characters that no address has. One line holds one address."),
    ],
)  # fmt: skip
def test_wrong_addresses(address: str, reason: str) -> None:
    assert READER.address(address, position=0) == WrongRow(position=0, reason=reason)
    assert wrong(address=address) == reason


@given(st.text(max_size=30))
def test_no_reason_holds_the_address(address: str) -> None:
    row = READER.address(f"geheim{address}@", position=0)
    assert isinstance(row, WrongRow)
    assert "geheim" not in str(row.reason)


def test_a_row_with_everything() -> None:
    row = read(
        language="pt_br",
        areas="commune:34172; epci:243400017 dept:30",
        categories=["fire", "recruitment"],
        severity="severe",
        consent_at="2026-03-14T10:30+01:00",
        consent_source="guichet",
        consent_purpose="recruitment",
        notes="ignored",
    )
    at = datetime(2026, 3, 14, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    assert row == Subscriber(
        position=3,
        address="a@example.org",
        language="pt-BR",
        areas=("commune:34172", "epci:243400017", "dept:30"),
        categories=frozenset({"fire", "recruitment"}),
        severity=Severity.SEVERE,
        consent=Consent(at=at, source="guichet", purpose="recruitment"),
    )


def test_empty_cells_are_the_defaults() -> None:
    empty = RowReader().mapping(dict.fromkeys(COLUMNS, "") | {"address": "a@example.org"}, position=0)
    assert empty == Subscriber(position=0, address="a@example.org")
    reader = RowReader(
        language="en", areas=("dept:34",), categories=frozenset({"fire"}), severity=Severity.SEVERE, purpose="fire"
    )
    row = reader.mapping({"address": "a@example.org", "consent_at": "2026-03-14"}, position=0)
    assert isinstance(row, Subscriber)
    assert (row.language, row.areas, row.categories, row.severity) == (
        "en", ("dept:34",), frozenset({"fire"}), Severity.SEVERE
    )  # fmt: skip
    assert row.consent == Consent(at=datetime(2026, 3, 14, tzinfo=UTC), source="", purpose="fire")
    assert reader.address("a@example.org", position=0) == Subscriber(
        position=0,
        address="a@example.org",
        language="en",
        areas=("dept:34",),
        categories=frozenset({"fire"}),
        severity=Severity.SEVERE,
    )


def test_a_position_replaces_the_default_areas() -> None:
    row = RowReader(areas=("dept:34",)).mapping(
        {"address": "a@example.org", "longitude": "3,88", "latitude": 43.6}, position=0
    )
    assert isinstance(row, Subscriber)
    assert (row.areas, row.point) == ((), (3.88, 43.6))


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-03-14", datetime(2026, 3, 14, tzinfo=UTC)),
        ("14/03/2026 10:30", datetime(2026, 3, 14, 10, 30, tzinfo=UTC)),
        (date(2026, 3, 14), datetime(2026, 3, 14, tzinfo=UTC)),
        (datetime(2026, 3, 14, 10), datetime(2026, 3, 14, 10, tzinfo=UTC)),  # noqa: DTZ001 - as a database gives it
    ],
)
def test_dates_of_consent(written: object, moment: datetime) -> None:
    consent = read(consent_at=written).consent
    assert consent is not None
    assert consent.at == moment


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("areas", "dept:34;commune:34000", ("areas: 'commune:34000' is not an area of the COG 2026. "
         "Write commune:34172 (the code of INSEE, not a postcode), epci:243400017 or dept:34.")),
        ("severity", "Grave", ("severity: 'Grave' is not a severity. "
         "Known here: Extreme, Minor, Moderate, Severe, Unknown.")),
        ("language", "français", "language: 'français' is not a language. Write one such as 'fr', 'en' or 'pt-BR'."),
        ("consent_at", "31/02/2026", ("consent_at: is not a date. "
         "Write 2026-03-14, 2026-03-14T10:30+01:00 or 14/03/2026.")),
        ("latitude", "43.6", "longitude: is not a number of degrees from -180 to 180."),
        ("longitude", "200", "longitude: is not a number of degrees from -180 to 180."),
        ("longitude", True, "longitude: is not a number of degrees from -180 to 180."),
        ("longitude", [3.88], "longitude: is not a number of degrees from -180 to 180."),
        ("longitude", 10**400, "longitude: is not a number of degrees from -180 to 180."),
        ("severity", 1.5, "a cell is neither a text nor a whole number."),
    ],
)  # fmt: skip
def test_wrong_cells(column: str, value: object, reason: str) -> None:
    assert wrong(**{column: value}) == reason


def test_categories_that_the_installation_does_not_have() -> None:
    reader = RowReader(known_categories={"fire", "arrest"})
    row = reader.mapping({"address": "a@example.org", "categories": "fires"}, position=0)
    assert row == WrongRow(
        position=0,
        reason="categories: 'fires' is not a category here. Did you mean 'fire'? Known here: arrest, fire.",
    )
    assert isinstance(reader.mapping({"address": "a@example.org", "categories": "fire"}, position=0), Subscriber)


def test_a_commune_that_was_merged_is_one() -> None:
    assert read(areas="commune:01033").areas == ("commune:01033",)  # Bellegarde-sur-Valserine, in Valserhône since 2019


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("area", "areas"),
        ("Areas", "areas"),
        ("category", "categories"),
        ("categorie", "categories"),
        ("lang", "language"),
        ("langage", "language"),
        ("severty", "severity"),
        ("consent", "consent_at"),
    ],
)
def test_a_misspelt_name_is_refused(name: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"a row has a column '{name}'. Call it '{meant}' if it is that"):
        RowReader().mapping({"address": "anne@example.org", name: "dept:34"}, position=0)
    RowReader().mapping({"address": "anne@example.org", meant: None, name: "dept:34"}, position=0)


def test_other_names_of_exports_are_ignored() -> None:
    others = """
        id uuid nom Nom prénom prenom name civilité titre société organisation service grade rang sexe email e-mail mail
        mél courriel adresse Adresse adresse_postale address2 rue street tel tél téléphone téléphone_mobile mobile gsm
        phone ville city town commune epci dept departement département région region pays country code code_postal cp
        postcode zip code_insee insee quartier zone secteur lat lon lng long x y cat cate cat_id con add addr date
        date_inscription created_at updated_at actif active statut status tags note commentaire source purpose optin
        position la
    """
    assert misspelt_column(("address", *others.split(), "")) == ""

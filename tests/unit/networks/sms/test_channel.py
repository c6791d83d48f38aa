from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from policenotify.channel import Post, Recipient, RecipientOutcome, SupportsPeople
from policenotify.errors import Blocked, ChannelError, Refused, SettingsError, Unavailable
from policenotify.model.cap import Severity
from policenotify.model.channel_settings import BySeverity
from policenotify.networks._apprise.url import gateway
from policenotify.networks.registry import configure_channel
from policenotify.networks.sms.channel import Sms
from policenotify.networks.sms.numbers import BadNumber, e164
from policenotify.testing.fakes import FakeClock
from policenotify.testing.servers.http import Answer, FakeServer
from policenotify.text import sms, to_gsm
from tests.support import network_calls
from tests.support.audiences import addresses_of, listed
from tests.support.channels import open_channel
from tests.support.network_calls import a_post
from tests.support.patience import ANSWERED
from tests.support.sms_gateways import FakeGateways

OCTOPUSH = "/v1/public/sms-campaign/send"
CALL = ":version=&:title=&:type=&:message=text&:username=desk&:password=s3cret&:charset=UTF-8"
JASMIN_CALL = ":version=&:title=&:type=&:message=content&:username=desk&:password=s3cret"
NUMBERS = {name: f"+3360000000{number}" for number, name in enumerate(("ana", "bob", "cleo", "dan", "eve"), 1)}


def person(name: str, address: str = "") -> Recipient:
    return Recipient(key=f"key-of-{name}", address=address or NUMBERS[name])


PEOPLE = tuple(map(person, NUMBERS))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGateways]:
    with FakeGateways() as gateways:
        gateways.on("GET", "/send", Answer(200, b'Success "07033084-5cfd-4812-90a4-e4d24ffb6e3d"'))  # as jasmin
        for name, value in gateways.environment.items():
            monkeypatch.setenv(name, value)  # nothing called here reaches the outside
        yield gateways


def open_sms(url: str, **options: Any) -> Sms:
    return open_channel(Sms, url=SecretStr(url), **{"timeout": ANSWERED, "clock": FakeClock(), **options})


def urls(server: FakeGateways) -> dict[str, str]:
    at = server.url.removeprefix("http://")
    return {
        "kannel": f"form://{at}{server.KANNEL}?method=GET&{CALL}&:coding={{coding}}&:from={{sender}}&:to={{recipient}}",
        "jasmin": f"form://{at}/send?method=GET&{JASMIN_CALL}&:coding=0&:from={{sender}}&:to={{recipient}}",
        "json": f"json://desk:s3cret@{at}{server.JSON}?:to={{recipient}}&:from={{sender}}",
        "octopush": f"octopush://{{sender}}:{server.login}/{server.key}/{{recipient}}",
        "infobip": f"infobip://{server.key}@desk.infobip.example/{{recipient}}?from={{sender}}",
        "cm": f"cm://{{sender}}@{server.token}/{{recipient}}",
        "seven": f"seven://{server.key}/{{recipient}}?from={{sender}}",
        "sfr": f"sfr://desk:s3cret@{server.space}/{{recipient}}?from={{sender}}",
    }


GATEWAYS = ("kannel", "json", "octopush", "infobip", "cm", "seven", "sfr")


def channel(server: FakeGateways, name: str = "octopush", **options: Any) -> Sms:
    """Open a channel that asks for one person after the other, so that a fault meets a known person."""
    return open_sms(urls(server)[name], **{"sender": "POLICE34", "parallel": 1, **options})


def post(text: str = "Évitez le secteur.", **other: object) -> Post:
    return a_post(text, **{"account": "octopush POLICE34", "category": "accident"} | other)


def send(by: Sms, *people: Recipient, text: str = "Évitez le secteur.") -> dict[str, str]:
    return {name: each.outcome for name, each in outcomes_of(by, *people, text=text).items()}


def outcomes_of(by: Sms, *people: Recipient, text: str = "Évitez le secteur.") -> dict[str, RecipientOutcome]:
    told = network_calls.outcomes_of(by, by.prepare(post(text), ()), people or PEOPLE)
    return {each.key.removeprefix("key-of-"): each for each in told}


def until_error(by: Sms, *people: Recipient) -> tuple[dict[str, str], ChannelError]:
    return network_calls.until_error(by, by.prepare(post(), ()), people or PEOPLE)


# --- what arrives


@pytest.mark.parametrize("name", GATEWAYS)
def test_every_person_gets_the_text_whole_under_our_name(server: FakeGateways, name: str) -> None:
    by = channel(server, name)
    assert isinstance(by, SupportsPeople)
    text = "Évacuation levée : accès rétabli [A9] à 14h30, où vous voulez. " * 3
    assert set(send(by, text=text.strip()).values()) == {"posted"}
    assert [each.to for each in server.messages] == list(NUMBERS.values())
    got = server.phone(NUMBERS["bob"])[0]
    assert (got.text, got.sender, got.gateway) == (text.strip(), "POLICE34", name)
    assert (got.encoding, got.segments) == ("GSM-7", 2)


def test_a_jasmin_of_ones_own_is_asked_with_the_arguments_that_it_knows_alone(server: FakeGateways) -> None:
    assert send(channel(server, "jasmin"), PEOPLE[0], text="Forêt fermée") == {"ana": "posted"}
    [call] = server.requests
    assert call.query == {
        "username": ["desk"], "password": ["s3cret"], "content": ["Foret fermée"], "coding": ["0"],
        "from": ["POLICE34"], "to": ["33600000001"],
    }  # fmt: skip


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize(
    "text",
    [
        "a&from=EVIL&coding=2",
        "a\r\nto: 33899000000",
        'a","to":"33899000000',
        "{recipient} {sender} {coding}",
        "a</text><to>33899000000</to>",
    ],
)
def test_no_text_changes_a_parameter(server: FakeGateways, name: str, text: str) -> None:
    usual, hostile = channel(server, name), channel(server, name)
    assert send(usual, PEOPLE[0]) == send(hostile, PEOPLE[0], text=text)
    first, second = server.messages
    assert (second.to, second.sender, second.gateway) == (first.to, first.sender, first.gateway)
    assert "".join(second.text.split()) == "".join(to_gsm(text).split())
    [before, after] = server.requests
    assert list(before.query) == list(after.query)
    assert (before.method, before.path) == (after.method, after.path)


@pytest.mark.parametrize("name", ["kannel", "octopush"])
def test_with_accents_kept_they_stay_as_they_are(server: FakeGateways, name: str) -> None:
    by = channel(server, name, accents="keep")
    for text, expected in {
        "Forêt fermée 🚨": ("UCS-2", 1),
        "Forêt fermée, évitez le secteur et l’avenue. " + "x" * 60: ("UCS-2", 2),
        "Accès fermé.": ("GSM-7", 1),
        "Accès fermé. " * 20 + "Fin": ("GSM-7", 2),
    }.items():
        assert send(by, PEOPLE[0], text=text) == {"ana": "posted"}
        got = server.messages[-1]
        assert got.text == text
        assert (got.encoding, got.segments) == expected


def test_a_form_writes_numbers_in_digits_and_the_option_otherwise(server: FakeGateways) -> None:
    for number_format, written in {"auto": "33600000001", "+": "+33600000001", "00": "0033600000001"}.items():
        assert send(channel(server, "kannel", number_format=number_format), PEOPLE[0]) == {"ana": "posted"}
        assert server.requests[-1].query["to"] == [written]
    send(channel(server, "json"), PEOPLE[0])
    assert server.requests[-1].json()["to"] == "+33600000001"


# --- whose fault, and what is in doubt


def test_a_gateway_that_refuses_with_a_success_status_is_not_verified(server: FakeGateways) -> None:
    server.refuse(NUMBERS["ana"])
    by = channel(server, "seven")
    assert send(by, PEOPLE[0]) == {"ana": "posted"}
    assert server.messages == ()
    assert by.capabilities.acceptance == "unverified"


def refuse_after_two(server: FakeGateways, words: bytes) -> None:
    asked = count(1)
    server.disturb(lambda _request: (Answer(403, words), False) if next(asked) > 2 else None)


def test_an_own_gateway_out_of_credit_is_not_a_wrong_login(server: FakeGateways) -> None:
    refuse_after_two(server, b'Error "Cannot charge submit_sm, check RouterPB log file for details"')
    told, error = until_error(channel(server, "jasmin"))
    assert told == {"ana": "posted", "bob": "posted"}
    assert isinstance(error, Blocked)
    assert (error.code, str(error.remedy)) == ("403", "Buy credit, then: policenotify doctor")
    assert str(error.reason) == (
        'The SMS gateway is out of credit: Error "Cannot charge submit_sm, check RouterPB log file for details".'
    )


def test_a_rate_limit_of_an_own_gateway_is_not_a_wrong_login(server: FakeGateways) -> None:
    refuse_after_two(server, b'Error "User throughput exceeded"')
    told, error = until_error(channel(server, "jasmin"))
    assert told == {"ana": "posted", "bob": "posted"}
    assert isinstance(error, Unavailable)
    assert error.whole_channel
    assert error.retry_at == FakeClock().now() + timedelta(seconds=5)
    assert str(error.reason) == 'The SMS gateway asks us to wait: Error "User throughput exceeded".'
    assert "`rate`" in str(error.remedy)


@pytest.mark.parametrize("name", ["jasmin", "json"])
@pytest.mark.parametrize(
    ("status", "words", "kind", "said"),
    [
        (
            403,
            "Value filter failed for username [desk] (destination_addr).",
            Blocked,
            "does not let us send: Value filter",
        ),
        (403, "", Blocked, "does not accept our credentials."),
        (404, "No such service", Blocked, "does not know the target in it: No such service"),
    ],
)
def test_the_words_of_a_gateway_of_ones_own_are_read_and_quoted(
    server: FakeGateways, name: str, status: int, words: str, kind: type[ChannelError], said: str
) -> None:
    answer = (
        Answer.json({"error": {"code": 12, "text": words}}, status)
        if name == "json"
        else Answer(status, words.encode())
    )
    server.fail_next("*", "*", answer)
    told, error = until_error(channel(server, name))
    assert told == {}
    assert isinstance(error, kind)
    assert said in str(error.reason)


@pytest.mark.parametrize("name", ["jasmin", "json"])
def test_the_words_of_a_gateway_of_ones_own_explain_a_refusal_and_give_nothing_away(
    server: FakeGateways, name: str
) -> None:
    echo = (
        f"No route to {NUMBERS['ana']} (0033 6 00 00 00 01) for desk:s3cret, POLICE34, ops@police.example: %C3%89vitez"
    )
    page = f"<html><head><title>No</title></head><body><p>{echo}\x07</p>{'x' * 5000}</body></html>"
    for answer in (Answer(412, echo.encode()), Answer.html(page, 412), Answer.json({"why": [echo]}, 412)):
        server.fail_next("*", "*", answer)
        by = channel(server, name)
        ana = {each.key: each for each in network_calls.outcomes_of(by, by.prepare(post("Évitez"), ()), PEOPLE[:2])}[
            "key-of-ana"
        ]
        assert (ana.outcome, ana.code) == ("refused", "412")
        quoted = str(ana.reason).replace("+…", "…")
        said = "The SMS gateway refused the message: No route to … (…) for …:…, …, …: …"
        assert quoted.startswith(said)
        assert len(str(ana.reason)) < 210
        assert not re.search(r"s3cret|\d{2}|desk|@|vitez|\x07", str(ana.reason))


def test_it_is_reported_also_where_logging_is_switched_off(server: FakeGateways) -> None:
    logging.disable(logging.CRITICAL)
    try:
        server.fail_next("POST", OCTOPUSH, Answer.json({}, 400))
        assert send(channel(server), *PEOPLE[:2]) == {"ana": "refused", "bob": "posted"}
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("name", "answer", "outcome"),
    [
        ("infobip", Answer.json({"messages": [{"status": {"groupName": "EXPIRED"}}]}), "refused"),
        ("infobip", Answer.json({"messages": [{"status": {"groupName": "REJECTED", "name": "+336"}}]}), "refused"),
        ("sfr", Answer.html("<h1>Wi-Fi</h1>"), "unconfirmed"),
        ("sfr", Answer.json({"success": False}), "unconfirmed"),
        ("cm", Answer.json({"errorCode": 201}), "unconfirmed"),
    ],
)
def test_gateway_refusals_behind_a_success_status(
    server: FakeGateways, name: str, answer: Answer, outcome: str
) -> None:
    server.on("POST", "*", answer)
    assert send(channel(server, name), PEOPLE[0]) == {"ana": outcome}


def test_serwersms_is_read_too(server: FakeGateways) -> None:
    by = open_sms("serwersms://desk:s3cret@POLICE34/{recipient}", parallel=1)
    assert by.capabilities.acceptance == "verified"
    server.on("POST", "*", [Answer.json({"success": True}), Answer.json({"error": {"code": 3001, "message": "no"}})])
    assert send(by, *PEOPLE[:2]) == {"ana": "posted", "bob": "refused"}


# --- numbers


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("06 12 34 56 78", "+33612345678"),
        ("+33 (0)6-12-34-56-78", "+33612345678"),
        ("33612345678", "+33612345678"),
        ("06\u00a012\u202f34 56 78", "+33612345678"),
        ("0692 12 34 56", "+262692123456"),  # La Réunion
        ("0639 12 34 56", "+262639123456"),  # a range that phonenumbers does not list
        ("+352 (0)621 123 456", "+352621123456"),
    ],
)
def test_numbers_are_read_as_people_write_them(written: str, number: str) -> None:
    assert e164(written, "33") == number


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "not a telephone number"),
        ("06 12 34 56 7O", "not a telephone number"),
        ("٠٦١٢٣٤٥٦٧٨", "not a telephone number"),
        ("612345678", "neither a country's code"),
        ("0612345", "too short|receives no SMS"),
        ("+33412345678", "receives no SMS"),
        ("+4477", "too short, too long"),
        ("+0612345678", "too short, too long"),
    ],
)
def test_a_number_that_cannot_be_right_is_refused_for_that_person(server: FakeGateways, written: str, why: str) -> None:
    with pytest.raises(BadNumber, match=why):
        e164(written, "33")
    by = channel(server)
    outcomes = network_calls.outcomes_of(by, by.prepare(post(), ()), (person("bad", written or "-"), PEOPLE[0]))
    assert [(each.outcome, each.gone) for each in outcomes] == [("refused", False), ("posted", False)]
    assert (written or "-") not in str(outcomes[0].reason)


def test_another_country_has_numbers_of_its_own(server: FakeGateways) -> None:
    by = channel(server, country_code="32")
    assert send(by, person("jan", "0470 12 34 56")) == {"jan": "posted"}
    assert server.messages[0].to == "+32470123456"


TOLLS = (
    "+1 900 555 1234",
    "+44 909 879 0000",
    "+371 90 000 000",
    "+979 123456789",
    "+882 16 1234567",
    "+883 510 012345",
    "+800 1234 5678",
    "+870 123 456 789",
    "+881 6 1234 5678",
)


@pytest.mark.parametrize("written", TOLLS)
def test_premium_and_satellite_numbers_are_refused_in_any_country(server: FakeGateways, written: str) -> None:
    by = channel(server, countries=("33", "1", "44", "371", "979", "882", "883", "800", "870", "881"))
    outcomes = network_calls.outcomes_of(by, by.prepare(post(), ()), (person("toll", written), PEOPLE[0]))
    assert [each.outcome for each in outcomes] == ["refused", "posted"]
    assert len(server.messages) == 1


@pytest.mark.parametrize(
    ("written", "countries", "sent"),
    [
        ("0612 34 56 78", (), True),
        ("+689 87 12 34 56", (), True),
        ("+1 809 555 1234", (), False),
        ("+44 7700 900123", (), False),
        ("+44 7700 900123", ("44",), True),
        ("0612 34 56 78", ("44",), False),
    ],
)
def test_sms_go_to_the_listed_countries_only(
    server: FakeGateways, written: str, countries: tuple[str, ...], *, sent: bool
) -> None:
    by = channel(server, countries=countries)
    assert send(by, person("one", written)) == {"one": "posted" if sent else "refused"}
    assert len(server.messages) == sent


def test_a_number_too_short_for_apprise_is_refused_for_that_person(server: FakeGateways) -> None:
    by = channel(server, countries=("33", "290"))
    outcomes = network_calls.outcomes_of(by, by.prepare(post(), ()), (person("jon", "+290 51234"), PEOPLE[0]))
    assert {each.key: each.outcome for each in outcomes} == {"key-of-jon": "refused", PEOPLE[0].key: "posted"}
    assert "apprise takes no telephone numbers of this length." in {each.reason for each in outcomes}


# --- how long a text may be


@given(
    text=st.text(st.sampled_from("ab €êé[🚨…\nж"), max_size=400),
    segments=st.integers(1, 3),
    accents=st.sampled_from(["fold", "keep"]),
)
def test_a_text_that_fits_has_no_segment_too_many(text: str, segments: int, accents: str) -> None:
    url = "forms://gateway.example/?:coding={coding}&:to={recipient}"
    budget = open_sms(url, segments=segments, accents=accents).capabilities.budget
    assert budget.transliterate is not None
    written = budget.transliterate(text)
    assert budget.fits(text) is (sms(written).segments <= segments)
    assert budget.measure(written) == budget.measure(text)
    if accents == "fold":
        assert written == to_gsm(text)


@given(text=st.text(st.sampled_from("ab êœж🚨\n"), max_size=300), segments=st.integers(1, 3))
def test_with_accents_kept_what_fits_folded_fits_too(text: str, segments: int) -> None:
    url = "forms://gateway.example/?:coding={coding}&:to={recipient}"
    fold, keep = (open_sms(url, segments=segments, accents=each).capabilities.budget for each in ("fold", "keep"))
    assert keep.fits(text) or not fold.fits(text) or "ж" in text


def test_accents_are_kept_by_severity(server: FakeGateways) -> None:
    by = channel(server, "kannel", accents=BySeverity(severe="keep", minor="fold"))
    text, written = "Évacuez la forêt.", {}
    for severity in (None, Severity.MODERATE, Severity.SEVERE, Severity.EXTREME):
        budget = by.capabilities.for_severity(severity).budget
        assert budget.transliterate is not None
        written[severity] = budget.transliterate(text)
        assert send(by, PEOPLE[0], text=written[severity]) == {"ana": "posted"}
        assert server.messages[-1].text == written[severity]
    folded = "Évacuez la foret."
    assert list(written.values()) == [folded, folded, text, text]
    assert [each.encoding for each in server.messages] == ["GSM-7", "GSM-7", "UCS-2", "UCS-2"]


def test_the_budget_follows_from_the_subscription(server: FakeGateways) -> None:
    budget = channel(server).capabilities.budget
    assert budget.describe is not None
    assert budget.describe("Accès fermé.") == "GSM-7, 1 segment"
    assert budget.describe("Accès fermé. " * 13) == "GSM-7, 2 segments"
    assert budget.describe("Forêt") == "UCS-2, 1 segment"
    assert budget.usage("a" * 100) == (100, 459)
    assert channel(server, accents="keep").capabilities.budget.usage("ê" * 67) == (153, 459)


def test_the_price_of_accents_is_described(server: FakeGateways) -> None:
    budget = channel(server, accents="keep").capabilities.budget
    assert budget.describe is not None
    assert budget.price is not None
    text = "Feu de forêt : quittez les lieux à pied vers le nord, sans prendre votre voiture."
    assert budget.describe(text) == "UCS-2, 2 segments (1 without accents)"
    assert budget.describe(to_gsm(text)) == "GSM-7, 1 segment"
    assert (budget.price(text), budget.price(to_gsm(text))) == (2, 1)


def test_a_text_of_too_many_segments_or_of_no_letter_is_refused(server: FakeGateways) -> None:
    with pytest.raises(Refused, match="of SMS"):
        channel(server, segments=1).prepare(post("a" * 161), ())
    with pytest.raises(Refused, match="No letter of the text"):
        channel(server).prepare(post("🚨"), ())


# --- settings

GOOD = "octopush://{sender}:desk@police.example/s3cret/{recipient}"
FORM = "forms://gateway.example/send?:key=s3cret&:to={recipient}"


@pytest.mark.parametrize(
    ("url", "severe"),
    [
        (GOOD, "Évacuez la forêt."),
        (f"{FORM}&:coding={{coding}}", "Évacuez la forêt."),
        (f"{FORM}&:coding=0", "Évacuez la foret."),
        (FORM, "Évacuez la foret."),
    ],
)
def test_by_default_a_severe_text_keeps_its_accents_where_the_gateway_gets_the_coding(url: str, severe: str) -> None:
    sender = {"sender": "POLICE34"} if "{sender}" in url else {}
    able = open_sms(url, **sender).capabilities
    written = {each: able.for_severity(each).budget.transliterate for each in (Severity.MODERATE, Severity.SEVERE)}
    assert [spell and spell("Évacuez la forêt.") for spell in written.values()] == ["Évacuez la foret.", severe]


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("octopush://desk@police.example/s3cret\n/{recipient}", {}, "url: is not an apprise URL"),
        ("octopush://POLICE34:desk@police.example/s3cret", {}, "url: write {recipient} once.*octopush://"),
        ("freemobile://user@s3cret", {}, "network 'apprise'"),
        (f"{FORM}&overflow=split&retry=3", {}, "url: overflow, retry has no effect"),
        (FORM, {"sender": "POLICE34"}, "sender: the url has no {sender}"),
        (GOOD, {}, "sender: is missing; the url has"),
        ("octopush://desk@police.example/s3cret/{recipient}", {}, "sender: is missing; octopush"),
        (GOOD, {"sender": "POLICE MONTPELLIER"}, "sender: must be 3 to 11"),
        (GOOD, {"sender": "0612345678"}, "06 and 07 numbers may not send"),
        (GOOD, {"sender": "Info"}, "too general"),
        (f"{FORM}&:from=33612345678", {}, "06 and 07 numbers may not send"),
        ("twilio://sid:s3cret@33612345678/{recipient}", {}, "telephone numbers or short codes as sender"),
        ("bulksms://desk:s3cret@{recipient}?from={sender}", {"sender": "POLICE34"}, "bulksms supports no names"),
        (GOOD, {"sender": "POLICE34", "number_format": "00"}, "number_format: apprise formats"),
        (FORM, {"country_code": "+33"}, "country_code: must be 1 to 3 digits"),
        (FORM, {"segments": 9}, "segments: .* up to 8"),
        (f"{FORM}&:coding=0", {"accents": "keep"}, "url: :coding= must follow"),
        (f"{FORM}&-coding=2", {}, "url: -coding= must follow"),
        (FORM, {"accents": "keep"}, "accents: the url does not pass the coding"),
        (f"{FORM}&:coding={{data_coding}}", {}, "url: :coding= must follow"),
        ("sfr://u:s3cret@space/{recipient}?media=SMSUnicode", {}, "url: media is chosen for each message"),
    ],
)
def test_settings_that_cannot_be_right_are_refused_by_name(url: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        open_sms(url, **options)
    told = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "During handling" not in told


@pytest.mark.parametrize(
    ("url", "options", "account"),
    [
        (GOOD, {"sender": "POLICE34"}, "octopush POLICE34"),
        ("octopush://POLICE34:desk@police.example/s3cret/{recipient}", {}, "octopush POLICE34"),
        ("cm://POLICE34@5f1b6c1e-0a0b-4c0d-8e0f-0123456789ab/{recipient}", {}, "cm POLICE34"),
        ("seven://s3cret/{recipient}", {}, "seven"),
        ("twilio://sid:s3cret@{sender}/{recipient}", {"sender": "38123"}, "twilio 38123"),
        (f"{FORM}&:coding=0", {}, "forms gateway.example"),
        ("infobip://s3cret@abc.example/{recipient}?from=POLICE34", {}, "infobip abc.example POLICE34"),
        ("vonage://key:s3cret@32470123456/{recipient}", {"country_code": "32"}, "vonage"),
    ],
)
def test_the_account_names_no_secret_and_no_number(url: str, options: dict[str, Any], account: str) -> None:
    by = open_sms(url, **options)
    assert by.account == account
    assert "s3cret" not in repr(vars(by))


def test_every_url_of_the_page_is_one_that_apprise_reads() -> None:
    page = (Path(__file__).parents[4] / "docs/howto/sms.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .* \| `(\S+)` \| (verified|unverified)", page, re.MULTILINE)
    assert len(rows) == 10
    for url, acceptance in rows:
        ours = url.replace("PRODUCT-TOKEN", "5f1b6c1e-0a0b-4c0d-8e0f-0123456789ab")
        by = open_sms(ours, sender="POLICE34", unencrypted=True)
        assert by.capabilities.acceptance == acceptance
        service = by._service("+33600000001", "Fin")
        kept = {str(value) for value in vars(service).values()} | {str(getattr(service, "payload_extras", ""))}
        assert any("33600000001" in each for each in kept)
        assert any("POLICE34" in each for each in kept)


def test_bulksms_is_asked_not_to_charge_double() -> None:
    made = gateway(
        "bulksms://desk:s3cret@{recipient}",
        sender="",
        country_code="33",
        number_format="auto",
        keeps_accents=True,
    )
    assert made.url_for("+33600000001", gsm=True, segments=1) == "bulksms://desk:s3cret@%2B33600000001?unicode=no"
    assert made.url_for("+33600000001", gsm=False, segments=1).endswith("?unicode=yes")


# --- who we are


@pytest.mark.parametrize("name", ["kannel", "octopush"])
def test_whoami_reaches_the_gateway_and_sends_nothing(server: FakeGateways, name: str) -> None:
    by = channel(server, name)
    account = by.whoami()
    assert account.id == by.account
    assert account.name
    assert [request.method for request in server.requests] == ["HEAD"]
    assert server.messages == ()
    server.refuse_connections()
    with pytest.raises(Unavailable, match="cannot be reached"):
        by.whoami()


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("octopsh://desk@police.example/s3cret/{recipient}", {}, "has no service"),
        ("forms://:s3cret/{recipient}", {}, "cannot read the channel's url"),
        ("form://gateway.example/s3cret?:to={recipient}", {}, "without encryption"),
        ("smpps://desk:s3cret@smsc.example/32470123456/{recipient}", {"country_code": "32"}, "cannot use SMPP"),
        ("seven://s3cret/+33600000009/{recipient}", {}, "does not find one telephone number"),
        ("seven://{recipient}/", {}, "does not find one telephone number"),
    ],
)
def test_a_url_that_apprise_cannot_use_blocks_the_channel(
    server: FakeGateways, url: str, options: dict[str, Any], said: str
) -> None:
    by = open_sms(url, **options)
    with pytest.raises(Blocked, match=said) as caught:
        by.whoami()
    seen: BaseException | None = caught.value
    while seen is not None:
        assert "s3cret" not in f"{seen!r} {vars(seen)}"
        seen = seen.__cause__ or seen.__context__
    assert server.requests == []


def test_a_network_of_ones_own_may_be_called_without_encryption(server: FakeGateways) -> None:
    by = open_sms("form://gateway.example/send?:to={recipient}", unencrypted=True)
    for name in ("HTTP_PROXY", "http_proxy"):
        assert server.environment[name] == ""
    assert by._service("+33600000001", "x").host == "gateway.example"
    smseagle = open_sms("smseagle://s3cret@box.example/{recipient}")
    with pytest.raises(Blocked, match="without encryption"):
        smseagle.whoami()


def test_a_recipient_listed_in_several_forms_is_one_recipient() -> None:
    forms = (
        "06 12 34 56 78",
        "+33 (0)6 12 34 56 78",
        "0033612345678",
        "33612345678",
        "+33\u20116\u201112345678",
        "06 x",
    )
    url = "form://127.0.0.1:9/?:to={recipient}"
    how = configure_channel("sms", "sms", {"url": url}, audiences=listed("sms", lambda: forms))
    assert addresses_of(how) == ("+33612345678", "06 x")  # an invalid number is reported and refused


def test_a_plugin_that_would_carry_plain_http_to_a_proxy_blocks_the_channel(
    server: FakeGateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = open_sms(f"smseagle://s3cret@{server.url.removeprefix('http://')}/{{recipient}}")
    with FakeServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(Blocked, match="NO_PROXY"):
            plugin.whoami()
        _, error = until_error(plugin)
        assert isinstance(error, Blocked)
        assert proxy.requests == []
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert plugin.whoami()

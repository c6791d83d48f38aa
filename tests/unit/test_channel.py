import json
import math
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policenotify.audiences.function import FunctionAudience
from policenotify.channel import (
    Capabilities,
    Channel,
    ChannelConfig,
    Picture,
    Post,
    PostRef,
    Recipient,
    Request,
    Span,
    StoredValue,
)
from policenotify.errors import UnsupportedVersion
from policenotify.model.lifecycle import Stage
from policenotify.text import Budget

KEY = "0123456789abcdef" * 4
AT = datetime(2026, 7, 26, 12, 5, 0, 123456, tzinfo=UTC)
REF = PostRef(
    account="desk.example",
    id="at://did:plc:x/app.bsky.feed.post/1",
    url="https://bsky.example/1",
    extra={"cid": "bafy"},
)
PICTURE = Picture(
    digest=KEY, media_type="image/png", width=800, height=600, alt="Plan de la déviation", data=b"\x89PNG-secret"
)
POST = Post(
    key=KEY,
    account="desk.example",
    stage=Stage.UPDATE,
    category="fire",
    language="fr",
    text="Feu à #Montpellier 🚒 https://police.example/1",
    title="Feu",
    html="<p>Feu</p>",
    spans=(
        Span(kind="tag", start=6, end=18, value="Montpellier"),
        Span(kind="url", start=21, end=45, value="https://police.example/1"),
    ),
    link="https://police.example/1",
    pictures=(PICTURE,),
    created_at=AT,
    sender="Police nationale",
    exercise=True,
    variant=2,
)
REQUEST = Request(account="desk.example", key=KEY, body={"z": [1, 2.5, None, True, {"é": "🚒", "a": "x"}], "a": {}})
STORED = [REF, POST, REQUEST]


@pytest.mark.parametrize("value", STORED, ids=lambda value: type(value).__name__)
def test_a_stored_value_comes_back_as_it_went(value: PostRef | Post | Request) -> None:
    text = value.model_dump_json()
    back = type(value).read(text)
    assert back.model_dump_json() == text
    assert type(value).read(text.encode()) == back
    assert json.loads(text)["schema_version"] == 1
    assert back == (
        POST.model_copy(update={"pictures": (PICTURE.model_copy(update={"data": b""}),)}) if value is POST else value
    )


@pytest.mark.parametrize("value", STORED, ids=lambda value: type(value).__name__)
def test_a_value_stored_by_a_newer_release_is_refused_with_its_version(value: PostRef | Post | Request) -> None:
    kind = type(value)
    with pytest.raises(
        UnsupportedVersion, match=f"This {kind.__name__} has schema version 2; this policenotify reads up to 1"
    ):
        kind.read('{"schema_version": 2, "what": "is new"}')
    for version in ('"1"', '"2"', "true", "0", "-1", "1.5", "null", "[]"):
        with pytest.raises(ValidationError, match="schema_version"):
            kind.read(json.dumps(json.loads(value.model_dump_json()) | {"schema_version": json.loads(version)}))


@pytest.mark.parametrize("text", ["x", '"x"', b"\xff", "[" * 100_000, '{"id": "\\ud800"}'])
def test_an_invalid_stored_value_is_refused_as_such(text: str | bytes) -> None:
    with pytest.raises(ValidationError):
        PostRef.read(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_one_request_has_one_text_in_any_order_of_its_keys(body: dict[str, Any]) -> None:
    request = Request(account="a", key=KEY, body=body)
    other_way_round = Request(account="a", key=KEY, body=dict(reversed(body.items())))
    assert request.model_dump_json() == other_way_round.model_dump_json()
    assert Request.read(request.model_dump_json()) == request
    assert request.body == body


@pytest.mark.parametrize("value", [math.nan, b"\xff", object()])
def test_a_request_holds_json_and_nothing_else(value: object) -> None:
    for body in ({"a": value}, {"a": [{"b": value}]}):
        with pytest.raises(ValidationError, match="body"):
            Request.model_validate({"account": "a", "key": KEY, "body": body})


def test_an_unstorable_value_is_refused_at_once() -> None:
    """Half a surrogate pair in a network's answer must not be noticed only when the journal is written."""
    for make in (
        lambda bad: PostRef(account="a", id=bad),
        lambda bad: PostRef(account="a", id="1", extra={"cid": bad}),
        lambda bad: Request(account="a", key=KEY, body={"text": [bad]}),
        lambda bad: POST.model_validate({**dict(POST), "text": bad}),
    ):
        with pytest.raises(ValidationError) as refused:
            make("secret \ud83d")
        assert "UTF-8" in str(refused.value)
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"key": KEY.upper()}, "key"),
        ({"created_at": datetime(2026, 7, 26, 12, 5)}, "created_at"),  # noqa: DTZ001 - proved
        ({"spans": [{"kind": "tag", "start": -1, "end": 2, "value": "x"}]}, r"spans\.0\.start"),
        ({"pictures": [{**PICTURE.model_dump(), "media_type": "image/gif"}]}, r"pictures\.0\.media_type"),
        ({"pictures": [{**PICTURE.model_dump(), "alt": ""}]}, r"pictures\.0\.alt"),
        ({"txet": "x"}, "txet"),
    ],
)
def test_a_wrong_field_is_refused_by_name(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Post.model_validate({**dict(POST), **change})


def test_a_picture_s_bytes_are_never_printed_nor_stored() -> None:
    for text in (POST.model_dump_json(), repr(POST), str(POST), str(POST.model_dump()), repr(PICTURE)):
        assert "PNG-secret" not in text
    assert POST.pictures[0].data == b"\x89PNG-secret"
    assert Post.read(POST.model_dump_json()).pictures[0].data == b""


def test_addresses_and_kept_values_are_never_printed() -> None:
    recipient = Recipient(key="c0ffee00deadbeef", address="ana@home.example")
    for text in (repr(recipient), str(recipient), f"{recipient}", f"{[recipient]}"):
        assert "ana" not in text
        assert "c0ffee00…" in text
        assert "deadbeef" not in text
    kept = StoredValue(value="refresh-token", version=3)
    for text in (repr(kept), f"{kept}"):
        assert text == "StoredValue(<13 characters>, version=3)"
    assert (recipient.address, kept.value) == ("ana@home.example", "refresh-token")


@pytest.mark.parametrize("claim", ["people_per_call", "calls_at_once", "people_per_chunk"])
def test_a_list_reaches_one_person_at_least_in_each_step(claim: str) -> None:
    with pytest.raises(ValueError, match=claim):
        Capabilities(budget=Budget(300), **{claim: 0})  # type: ignore[arg-type]  # of the parameter


def test_a_configured_channel_prints_neither_its_key_ring_nor_its_readers() -> None:
    def readers() -> list[str]:
        return ["ana@home.example"]

    configured = ChannelConfig(
        name="lettre",
        network="email",
        account="desk@police.example",
        capabilities=Capabilities(budget=Budget(300)),
        open=lambda _clock, _keep: cast("Channel", None),
        audiences=(FunctionAudience(name="readers", function=readers),),
    )
    assert "readers" not in repr(configured)
    assert "open=" not in repr(configured)
    assert configured.model_copy(update={"exercise": True}).exercise
    assert configured.without_opening == "standalone"
    assert [configured.on_unknown.choice(severe=severe) for severe in (True, False)] == ["resend", "hold"]
    assert [configured.on_correction.choice(severe=severe) for severe in (True, False)] == ["both", "edit"]

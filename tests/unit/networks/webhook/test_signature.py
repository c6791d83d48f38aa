"""The signature of Standard Webhooks."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from policenotify.errors import SettingsError
from policenotify.networks.webhook import read_secret, signed_headers

# The example of the specification's own libraries (github.com/standard-webhooks/standard-webhooks, tests).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NAME = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1_614_265_330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def secret_of(length: int) -> str:
    return "whsec_" + base64.b64encode(bytes(range(length))).decode()


def test_the_example_of_the_specification() -> None:
    headers = signed_headers([read_secret(SECRET)], NAME, AT, BODY)
    assert headers == {
        "webhook-id": NAME,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_each_secret_gives_a_signature() -> None:
    keys = [read_secret(each) for each in (secret_of(32), SECRET)]
    first, second = signed_headers(keys, NAME, AT, BODY)["webhook-signature"].split(" ")
    assert second == SIGNATURE
    assert first != second
    assert first.startswith("v1,")


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        secret_of(23),
        secret_of(65),
        secret_of(32).removeprefix("whsec_"),
        "whsec_not base64",
        "whsec_é",
    ],
)
def test_another_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"^must be whsec_ and 24 to 64 bytes") as caught:
        read_secret(secret)
    assert caught.value.__cause__ is None
    assert len(secret) < 7 or secret not in str(caught.value)

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import SecretStr

from policenotify.channel import Post, PostRef, SupportsSend
from policenotify.errors import Blocked, ChannelError, Refused, SettingsError, Unavailable, Unconfirmed
from policenotify.networks._apprise import service
from policenotify.networks._apprise.answers import judge
from policenotify.networks.apprise import Apprise
from policenotify.testing.fakes import FakeClock
from policenotify.testing.servers.http import Answer, FakeServer, Reply
from tests.support.channels import open_channel
from tests.support.matrix_server import ROOM, matrix_server
from tests.support.network_calls import a_post
from tests.support.patience import ANSWERED
from tests.support.tls_tunnel import TlsTunnel


@pytest.fixture
def server() -> Iterator[TlsTunnel]:
    """Any service that takes everything."""
    with TlsTunnel(Answer.json({"id": "1"})) as opened:
        yield opened


@pytest.fixture
def everywhere(server: TlsTunnel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Direct services with a built-in URL to the fake server."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


def open_apprise(url: str, **options: Any) -> Apprise:
    return open_channel(Apprise, url=SecretStr(url), **{"timeout": ANSWERED, "clock": FakeClock(), **options})


def at(server: FakeServer) -> str:
    return server.url.removeprefix("http://")


def ntfy(server: FakeServer, **options: Any) -> Apprise:
    return open_apprise(f"ntfy://desk:s3cret@{at(server)}/alertes", **options)


def post(text: str = "Évitez l’avenue.", title: str = "Accident", **other: object) -> Post:
    return a_post(text, **{"account": "ntfy", "category": "accident", "title": title} | other)


def send(by: Apprise, text: str = "Évitez l’avenue.", title: str = "Accident") -> PostRef:
    return by.send(by.prepare(post(text, title), ()))


# --- what arrives


def test_a_post_is_a_message_with_its_title(server: FakeServer) -> None:
    by = ntfy(server)
    assert isinstance(by, SupportsSend)
    ref = send(by)
    assert ref == PostRef(account="ntfy", id=post().key)
    [request] = server.requests
    assert request.json() == {"topic": "alertes", "title": "Accident", "message": "Évitez l’avenue."}
    assert request.headers["Authorization"] == "Basic ZGVzazpzM2NyZXQ="
    assert "X-Icon" not in request.headers  # apprise would show a picture from GitHub
    assert "Apprise" not in str(request.headers)


def test_a_service_without_titles_shows_the_text_alone_and_no_sign_of_markup() -> None:
    with matrix_server() as server:
        matrix = open_apprise(f"matrix://desk:s3cret@{at(server)}/%23alertes")
        assert not matrix.capabilities.title
        send(matrix, "Évitez l’avenue.\n# 1 < 2")
        [seen] = [each for each in server.requests if each.method == "PUT"]
        assert "formatted_body" not in seen.json()
        assert seen.json()["body"] == "Évitez l’avenue.\n# 1 < 2"
        assert ROOM in unquote(seen.path)


@pytest.mark.parametrize(
    ("room", "reached"),
    [
        ("%23alertes:matrix.example", True),
        ("!f3lQJbR2kOaVnPzY8wXcTg?hsreq=no", True),
        ("!f3lQJbR2kOaVnPzY8wXcTg", False),  # apprise adds a server, which ids of room version 12 have not
    ],
)
def test_a_matrix_room_is_found_as_documented(room: str, *, reached: bool) -> None:
    with matrix_server() as server:
        by = open_apprise(f"matrix://desk:s3cret@{at(server)}/{room}")
        with nullcontext() if reached else pytest.raises(Blocked, match="not at the address"):
            send(by)
        assert any(each.method == "PUT" for each in server.requests) is reached


@pytest.mark.usefixtures("everywhere")
def test_a_service_that_reads_markup_is_given_it_escaped(server: FakeServer) -> None:
    server.on("POST", "*", Answer.json({"ok": True, "result": {}}))
    by = open_apprise("tgram://123456789:abcdefghijklmnopqrstuvwxyz012345678/12315544/")
    assert by.capabilities.hashtags
    send(by, "A9 & D612 < 3 *x*\nÉvitez")
    said = server.requests[-1].json()
    assert said["parse_mode"] == "HTML"
    assert said["text"] == "A9 &amp; D612 &lt; 3 *x*\r\nÉvitez"
    send(by, "Évitez <la rue> et <b>l’avenue</b>")
    assert server.requests[-1].json()["text"] == "Évitez &lt;la rue&gt; et &lt;b&gt;l’avenue&lt;/b&gt;"


DISCORD = "discord://123456789012345678/abcdefghijklmnopqrstuvwxyz"


@pytest.mark.usefixtures("everywhere")
def test_no_text_calls_people_on_discord(server: FakeServer) -> None:
    server.on("POST", "*", Answer(204))
    send(open_apprise(DISCORD), "Évitez <@&123456789012345678> l’avenue")
    assert server.requests[-1].json()["content"].endswith("Évitez < @&123456789012345678> l’avenue")
    send(open_apprise(DISCORD), "Évitez @everyone et @here l’avenue", "@everyone")
    assert not re.search("@(everyone|here)", server.requests[-1].body.decode())
    send(open_apprise(f"{DISCORD}?ping=<@%26123456789012345678>"), "Évitez l’avenue")  # the installation asks for it
    assert "<@&123456789012345678>" in server.requests[-1].json()["content"]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("[police.fr](https://evil.example)", "[police.fr] (https://evil.example)"),
        ("<https://evil.example|police.fr>", "< https://evil.example|police.fr>"),
        ("<!channel> <@U1> <#C1>", "< !channel> < @U1> < #C1>"),
        ("A9 [sud] (Orange) <3 https://police.fr", "A9 [sud] (Orange) <3 https://police.fr"),
    ],
)
def test_no_text_becomes_a_link_under_other_words(server: FakeServer, text: str, sent: str) -> None:
    send(open_apprise(f"mmost://{at(server)}/xk7p4q9d3jyhtcrb8kzsw1mn2e"), text)
    assert server.requests[-1].json()["text"].endswith(sent)


# --- capabilities


@pytest.mark.parametrize(
    ("url", "title", "limit"),
    [
        ("ntfys://ntfy.example/alertes", True, 5476),
        ("mmosts://chat.example/xk7p4q9d3jyhtcrb8kzsw1mn2e", False, 4000),
        ("discord://123456789012345678/abcdefghijklmnopqrstuvwxyz", True, 2000 - 250 - 2),
    ],
)
def test_abilities_are_the_plugins(url: str, title: bool, limit: int) -> None:  # noqa: FBT001 - a parameter of the test
    can = open_apprise(url).capabilities
    assert (can.title, can.budget.limit) == (title, limit)
    assert not any((can.replies, can.images, can.edits, can.deletes, can.recipients, can.html))
    assert can.lookup_delay is None
    assert can.idempotency_window == timedelta(0)
    assert can.acceptance == "unverified"


@pytest.mark.parametrize("sign", ["a", "🚨"])
def test_on_ntfy_no_text_that_fits_becomes_an_attachment(server: FakeServer, sign: str) -> None:
    by = ntfy(server)
    budget = by.capabilities.budget
    longest = next(count for count in range(5000, 0, -1) if budget.fits(sign * count))
    send(by, sign * longest, "🚨" * 160)
    assert server.requests[-1].json()["message"] == sign * longest
    assert len((sign * longest).encode()) <= 4096  # bytes (docs.ntfy.sh, "Limitations")
    with pytest.raises(Refused, match=r"The text takes \d+ of \d+ on ntfy"):
        by.prepare(post(sign * (longest + 1)), ())


def test_a_title_that_is_too_long_is_refused(server: FakeServer) -> None:
    with pytest.raises(Refused, match="title is longer than ntfy takes"):
        ntfy(server).prepare(post(title="x" * 201), ())


# --- failures


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (Answer.json({"code": 40301, "http": 403, "error": "forbidden"}, 403), Blocked, "403"),
        (Answer.json({}, 402), Blocked, "402"),
        (Answer.json({}, 404), Blocked, "404"),
        (Answer.json({"code": 42901, "http": 429, "error": "limit reached"}, 429), Unavailable, "429"),
        (Answer.json({"code": 40014, "http": 400, "error": "no s3cret"}, 400), Refused, "400"),
        (Answer.redirect("https://elsewhere.example/"), Unconfirmed, "302"),
    ],
)
def test_failures_are_reported_as_what_they_are(
    server: FakeServer, answer: Reply, kind: type[ChannelError], code: str
) -> None:
    by = ntfy(server)
    server.fail_next("POST", "/", answer)
    with pytest.raises(kind, match="ntfy") as caught:
        send(by)
    assert caught.value.code == code
    assert len(server.requests) == 1
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    send(by)


@pytest.mark.parametrize(
    ("status", "words", "kind", "said"),
    [
        (403, "User throughput exceeded", Unavailable, "asks us to wait: User throughput exceeded."),
        (403, "Cannot charge desk", Blocked, "is out of credit: Cannot charge …"),
        (400, "No key k3y-of-desk for Accident", Refused, "refused the message: No key … for …"),
    ],
)
@pytest.mark.parametrize("scheme", ["form", "json"])
def test_the_words_of_a_generic_call_decide_and_are_quoted(  # what no plugin knows
    server: FakeServer, scheme: str, status: int, words: str, kind: type[ChannelError], said: str
) -> None:
    server.on("POST", "/call/t0k", Answer(status, words.encode()))
    by = open_apprise(f"{scheme}://desk:s3cret@{server.url.removeprefix('http://')}/call/t0k?:key=k3y-of-desk")
    with pytest.raises(kind) as caught:
        send(by)
    assert str(caught.value.reason).endswith(said)


def test_no_form_of_a_login_is_quoted(server: FakeServer) -> None:
    by = open_apprise(f"form://desk:pa55@{at(server)}/send")
    server.on("POST", "/send", lambda request: Answer(400, f"Not known: {request.headers['Authorization']}".encode()))
    with pytest.raises(Refused) as caught:
        send(by)
    assert "Not known: Basic …" in str(caught.value)


MATRIX = "matrix://desk:s3cret@{at}/!room:police.example?v=3"


def matrix() -> FakeServer:
    server = FakeServer(Answer.json({}))
    server.on("GET", "/.well-known/*/*", Answer.json({}, 404))
    server.on("POST", "/_matrix/client/v3/login", Answer.json({"access_token": "t0ken", "user_id": "@desk:police"}))
    return server


def test_a_service_that_goes_away_in_the_middle_leaves_no_doubt_if_it_had_nothing() -> None:
    with matrix() as server:
        by = open_apprise(MATRIX.format(at=server.url.removeprefix("http://")))

        def gone(_: object) -> Answer:
            server.refuse_connections()
            return Answer.json({"access_token": "t0ken", "user_id": "@desk:police.example", "home_server": "police"})

        server.on("POST", "/_matrix/client/v3/login", gone)
        with pytest.raises(Unavailable):
            send(by)
        by.close()


def test_a_service_that_goes_on_asking_for_a_pause_is_tried_again_later() -> None:
    """The plugin itself waits, as long as it was asked to, before it gives up."""
    with matrix() as server:
        by = open_apprise(MATRIX.format(at=server.url.removeprefix("http://")))
        server.on("POST", "*", Answer.json({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 10}, 429))
        with pytest.raises(ChannelError) as caught:
            send(by)
        assert isinstance(caught.value, Unavailable), caught.value
        by.close()


class Crashing:
    """A plugin that fails in an unusual way."""

    protocol = "crash"
    _last_io_datetime: object = None

    def __init__(self, error: Exception, *, called: bool, sent: bool) -> None:
        self.error, self.called, self.sent = error, called, sent
        self.logger = service.CapturedLog()

    def notify(self, **_: object) -> bool:
        self._last_io_datetime = self.called or None
        self.logger.debug("%s %d", "no number", "there")
        if self.sent:
            self.logger.info("Sent s3cret.")
        self.logger.warning("error=400 s3cret")
        raise self.error


@pytest.mark.parametrize(
    ("error", "called", "sent", "kind"),
    [
        (ValueError("s3cret"), True, False, Unconfirmed),
        (ValueError("s3cret"), False, False, Blocked),
        (ConnectionRefusedError("s3cret"), True, False, Unavailable),
        (ConnectionRefusedError("s3cret"), True, True, Unconfirmed),
    ],
)
def test_a_plugin_that_crashes_is_judged_by_what_it_had_done(
    error: Exception, *, called: bool, sent: bool, kind: type[ChannelError]
) -> None:
    answer = service.send(Crashing(error, called=called, sent=sent), "x")
    problem = judge(answer, where="It", now=FakeClock().now())
    assert type(problem) is kind
    assert "s3cret" not in f"{problem!r} {answer!r}"


# --- settings


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("s3cret", {}, "url: is not an apprise URL"),
        ("mailtos://desk:s3cret@police.example", {}, "network = 'email'"),
        ("X://desk/s3cret", {}, "network = 'x'"),
        ("octopush://POLICE34:d@police.example/s3cret/+33600000001", {}, "network = 'sms'"),
        ("ntfys://s3cret@ntfy.example/alertes?verify=no", {}, "url: verify=no"),
        ("ntfys://s3cret@ntfy.example/alertes?overflow=split", {}, "url: overflow has no effect"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(url: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        open_apprise(url, **options)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ntfee://s3cret@ntfy.example/alertes", "has no service"),
        ("ntfys://s3cret@ntfy.example/a,b", "several targets"),
        ("gotifys://push.example/", "cannot read the channel's url"),
        ("ntfy://desk:s3cret@ntfy.example/alertes", "without encryption"),
        ("mqtts://desk:s3cret@mqtt.example/alertes", "cannot use MQTT"),
    ],
)
def test_a_url_that_apprise_cannot_use_is_reported_when_the_settings_are_read(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=rf"\Aurl: .*{said}") as caught:
        open_apprise(url)
    assert "s3cret" not in str(caught.value)


def test_a_network_of_ones_own_may_be_called_without_encryption() -> None:
    assert open_apprise("ntfy://desk:s3cret@ntfy.example/alertes", unencrypted=True).capabilities.title


def test_an_encrypted_address_of_any_scheme_needs_no_permission() -> None:
    assert open_apprise("ntfy://alertes").capabilities.title  # a topic on ntfy.sh
    assert open_apprise("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alertes").capabilities.title


@pytest.mark.parametrize(
    ("url", "label", "account"),
    [
        ("ntfys://s3cret@ntfy.example/alertes", "", "ntfys"),
        ("ntfys://s3cret-topic", "", "ntfys"),
        ("gotifys://push.example:8443/s3cret", "", "gotifys"),
        ("tgram://123:s3cret/12315544/", "", "tgram"),
        ("tgram://123:s3cret/12315544/", "Cellule de crise", "Cellule de crise"),
    ],
)
def test_the_account_names_no_secret(url: str, label: str, account: str) -> None:
    by = open_apprise(url, label=label)
    assert by.account == account
    assert "s3cret" not in f"{by} {vars(by)}"


# --- whom we call


def test_a_service_of_another_protocol_is_knocked_at(server: FakeServer) -> None:
    by = open_apprise(f"ircs://desk:s3cret@127.0.0.1:{server.url.rpartition(':')[2]}/#alertes")
    assert by.whoami().name
    server.refuse_connections()
    with pytest.raises(Unavailable):
        by.whoami()
    assert open_apprise("syslog://").whoami().name  # without a server to call
    assert server.requests == []

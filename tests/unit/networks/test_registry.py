import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, Self

import pytest
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError, model_validator

from policenotify.channel import Services
from policenotify.errors import MissingExtra, SettingsError, UnknownNetwork
from policenotify.journal.clock import SystemClock
from policenotify.networks.options import ChannelOptions, SecureUrl
from policenotify.networks.registry import (
    WITHHELD,
    check_networks,
    configure_channel,
    inspect_channel,
    network,
    networks,
)
from policenotify.render.locales import LOCALES
from policenotify.testing.fakes import InMemoryStateStore
from policenotify.validation import redact, secret_values
from tests.support.audiences import addresses_of, listed

NTFY = '''
from policenotify.channel import Account, Capabilities, PostRef, Services
from policenotify.networks.options import ChannelOptions, Secret
from policenotify.text import Budget, utf8_bytes


class Ntfy:
    """A topic on a server of one's own."""

    capabilities = Capabilities(budget=Budget(4096, utf8_bytes), title=True)

    class Options(ChannelOptions):
        url: str
        token: Secret
        timeout: float = 10.0

    def __init__(self, options, services):
        if "password" in options.url:
            raise ValueError(f"url: {options.url} with {options.token.get_secret_value()}")
        self.account, self.options, self.services = options.url, options, services

    def prepare(self, post, answers): ...
    def send(self, request): return PostRef(account=self.account, id="1")
    def whoami(self): return Account(id=self.account, name=self.account)
    def close(self): ...
'''


@dataclass
class Shelf:
    """A folder on sys.path into which packages are installed."""

    folder: Path

    def install(self, package: str, entry: str, source: str = NTFY) -> None:
        networks.cache_clear()
        module = entry.partition("= ")[2].partition(":")[0]
        (self.folder / f"{module}.py").write_text(source)
        info = self.folder / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[policenotify.networks]\n{entry}\n")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)  # forgets what importlib remembered, too
    networks.cache_clear()
    yield Shelf(tmp_path)
    networks.cache_clear()
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", "").startswith(str(tmp_path)):
            del sys.modules[name]


def test_bundled_networks_use_the_same_registry_as_others() -> None:
    assert {(one.name, one.package) for one in networks()} >= {("bluesky", "policenotify"), ("email", "policenotify")}
    assert network("bluesky").load().__name__ == "Bluesky"


def test_a_third_party_network_is_found_configured_and_opened(shelf: Shelf) -> None:
    shelf.install("Policenotify_Ntfy", "ntfy = police_ntfy:Ntfy")
    assert network("ntfy").package == "policenotify-ntfy"
    assert "police_ntfy" not in sys.modules
    options = {"url": "https://ntfy.example/police", "token": "t0ken", "timeout": "2"}
    channel = configure_channel("public", "ntfy", options, languages=("fr", "en"), tags=frozenset({"all"}))
    assert (channel.name, channel.network, channel.account) == ("public", "ntfy", "https://ntfy.example/police")
    assert channel.capabilities.title
    assert channel.languages == ("fr", "en")
    assert "t0ken" not in repr(channel)
    clock, keep = SystemClock(), InMemoryStateStore()
    first, second = channel.open(clock, keep), channel.open(clock, keep)
    assert first is not second
    assert vars(first)["services"] == Services(clock, keep)
    assert vars(first)["options"].timeout == 2.0
    assert vars(first)["options"].token.get_secret_value() == "t0ken"


def test_a_wrong_option_is_reported_by_channel(shelf: Shelf) -> None:
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy")
    with pytest.raises(SettingsError) as raised:
        configure_channel("public", "ntfy", {"urls": "x", "token": 12345678, "timeout": "soon", "langages": ["fr"]})
    lines = str(raised.value).splitlines()
    assert lines[0] == "channels.public.url: is missing."
    assert lines[1].startswith("channels.public.token: write a text")
    assert lines[2].startswith("channels.public.timeout: write a number")
    assert lines[3].startswith("channels.public.urls: is not known. Did you mean 'url'? Known here: audiences, ")
    assert lines[4].startswith("channels.public.langages: is not known. Did you mean 'languages'?")
    assert "12345678" not in str(raised.value)


def test_constructor_errors_are_shown_unless_they_contain_a_secret(shelf: Shelf) -> None:
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy")
    with pytest.raises(SettingsError) as raised:
        configure_channel("public", "ntfy", {"url": "https://u:password@ntfy.example", "token": "hunter22"})
    assert "hunter22" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert str(raised.value).startswith("channels.public.url: is wrong")
    with pytest.raises(SettingsError, match=r"^channels\.bluesky\.handle: a Bluesky handle is a domain name"):
        configure_channel("bluesky", "bluesky", {"handle": "desk@police.example", "password": "hunter22"})


@pytest.mark.parametrize("secret", ["token handle server timeout", "known.did.you.mean"])
@pytest.mark.parametrize("typo", [{"timeot": 5}, {"visibility": {"opennig": "public"}}])
def test_an_error_is_reported_whatever_words_a_secret_contains(secret: str, typo: dict[str, object]) -> None:
    given = {"server": "https://social.example", "handle": "police", "token": secret, **typo}
    with pytest.raises(SettingsError) as raised:
        configure_channel("one", "mastodon", given)
    assert "withheld" not in str(raised.value)
    assert "not repeated" not in str(raised.value)
    assert f"channels.one.{next(iter(typo))}" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "secrets", "ours", "shown"),
    [
        ("cannot use my-token-xyz", ["my-token-xyz"], False, False),
        ("cannot use my-token-xyz", ["my-token-xyz"], True, False),
        ("the token is too short", ["my-token-xyz"], False, True),
        ("the topic alerte34police is closed", ["ntfys://u:p@host/alerte34police"], False, False),
        ("the topic is on host", ["ntfys://user:pass@host/alerte34police"], False, True),
        ("hunter2 is no password", ["mailto://desk:hunter2@police.example"], True, False),
        ("p@ss w is bad", ["https://u:p%40ss%20w@h"], True, False),
    ],
)
def test_a_text_is_withheld_for_a_whole_secret_or_a_long_part_of_one(
    text: str, secrets: list[str], *, ours: bool, shown: bool
) -> None:
    assert (redact(text, secrets, trusted=ours) == text) == shown


def test_an_unknown_network_names_the_nearest_and_what_there_is() -> None:
    with pytest.raises(UnknownNetwork, match=r"'blusky'\. Did you mean 'bluesky'\? Installed: apprise, bluesky"):
        network("blusky")
    with pytest.raises(UnknownNetwork, match=r"'minitel'\. Installed: apprise, bluesky"):
        network("minitel")


def test_a_third_party_network_never_replaces_a_bundled_one(shelf: Shelf) -> None:
    shelf.install("aaa-better-bluesky", "bluesky = better:Ntfy")
    assert network("bluesky").package == "policenotify"
    assert "aaa-better-bluesky" not in {each.package for each in networks()}
    assert "better" not in sys.modules


def test_a_name_that_two_packages_claim_belongs_to_neither(shelf: Shelf) -> None:
    shelf.install("ntfy-one", "ntfy = one_ntfy:Ntfy")
    shelf.install("ntfy-two", "ntfy = two_ntfy:Ntfy")
    with pytest.raises(SettingsError, match="offered by 'ntfy-one' and 'ntfy-two': neither is used"):
        network("ntfy")
    assert network("bluesky").package == "policenotify"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_sdk", "cannot be loaded (ModuleNotFoundError: No module named 'no_such_sdk')"),
        ("Other = 1", "cannot be loaded (AttributeError"),
        ("class Ntfy:\n    def send(self, request): ...", "lacks prepare, whoami, close, Options"),
        (NTFY.replace("Options(ChannelOptions)", "Options"), "is not a network: police_ntfy:Ntfy lacks Options"),
        (NTFY.replace("token: Secret", "tags: str"), "has an option 'tags', which already has a meaning"),
        ("class Panic(BaseException): ...\nraise Panic('in Rust')", "cannot be loaded (Panic: in Rust)"),  # as PyO3's
    ],
)
def test_a_broken_network_is_named_and_stops_no_other(shelf: Shelf, source: str, said: str) -> None:
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy", source)
    troubles = {one.name: trouble for one, trouble in check_networks()}
    assert "ntfy" in str(troubles["ntfy"])
    assert said in str(troubles["ntfy"])
    assert troubles["bluesky"] == troubles["email"] == ""


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("capabilities = Capabilities(budget=Budget(4096, utf8_bytes), title=True)", "capabilities = None"),
        ("= options.url,", "= b'ntfy',"),
    ],
)
def test_a_channel_without_capabilities_is_refused(shelf: Shelf, ours: str, theirs: str) -> None:
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy", NTFY.replace(ours, theirs))
    with pytest.raises(SettingsError, match=r"'ntfy' states no Capabilities, or its account is not a text"):
        configure_channel("public", "ntfy", {"url": "https://ntfy.example", "token": "t0ken"})


@pytest.mark.parametrize(
    ("claim", "protocol"),
    [("recipients=True", "SupportsPeople"), ("deletes=True", "SupportsDelete"), ("edits=True", "SupportsEdit")],
)
def test_a_claim_without_its_method_is_refused_at_once(shelf: Shelf, claim: str, protocol: str) -> None:
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy", NTFY.replace("title=True", claim))
    with pytest.raises(SettingsError, match=rf"claims what it cannot do \({protocol}\)"):
        configure_channel("public", "ntfy", {"url": "https://ntfy.example", "token": "t0ken"})


def test_recipients_are_requested_exactly_where_they_are_sent_to(shelf: Shelf) -> None:
    url = {"url": "mailtos://desk:hunter22@police.example?smtp=mx.police.example"}
    with pytest.raises(SettingsError, match=r"channels\.press\.recipients: is missing"):
        configure_channel("press", "email", url)
    channel = configure_channel("press", "email", url, audiences=listed("press", lambda: ["a@press.example"]))
    assert channel.capabilities.recipients
    assert addresses_of(channel) == ("a@press.example",)
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy")
    audiences = listed("public", tuple)
    with pytest.raises(SettingsError, match=r"channels\.public\.recipients: is for networks that write to people"):
        configure_channel("public", "ntfy", {"url": "https://ntfy.example", "token": "t0ken"}, audiences=audiences)


class Room(BaseModel):
    """A table of its own."""

    number: int
    code: SecretStr | None = None


class Hotel:
    """A network with every kind of option."""

    class Options(ChannelOptions):
        rooms: list[Room]
        doors: dict[str, SecretStr] = {}  # noqa: RUF012 - pydantic copies it
        grade: Literal["low", "high"] = "low"
        plan: Path | None = None

        @model_validator(mode="after")
        def _is_closed(self) -> Self:
            if self.doors:
                raise ValueError(f"doors: {self.doors['back'].get_secret_value()} and {self.rooms[0].code}")
            if self.grade == "high" and not self.plan:
                raise SettingsError("plan: is missing for a high grade")
            return self


def test_each_wrong_option_is_named_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policenotify.networks.registry.network", lambda _: SimpleNamespace(load=lambda: Hotel))
    given = {"rooms": [{"nmber": 7, "tags": 1}, {"number": "seven"}], "grade": "medium", "tag": 1}
    with pytest.raises(SettingsError) as raised:
        configure_channel("one", "hotel", given)
    assert str(raised.value).splitlines() == [
        "channels.one.rooms[0].number: is missing.",
        "channels.one.rooms[0].nmber: is not known. Did you mean 'number'? Known here: code, number.",
        "channels.one.rooms[0].tags: is not known. Known here: code, number.",
        "channels.one.rooms[1].number: write a whole number",
        "channels.one.grade: write 'low' or 'high'",
        next(line for line in str(raised.value).splitlines() if line.startswith("channels.one.tag: is not known. Did")),
    ]
    with pytest.raises(SettingsError, match=r"^channels\.one\.plan: is missing for a high grade$"):
        configure_channel("one", "hotel", {"rooms": [], "grade": "high"})


@pytest.mark.parametrize("secret", ["hunter22", SecretStr("hunter22")])
def test_a_nested_secret_is_not_shown_either(secret: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policenotify.networks.registry.network", lambda _: SimpleNamespace(load=lambda: Hotel))
    with pytest.raises(SettingsError, match=r"^channels\.one: is wrong") as raised:
        configure_channel("one", "hotel", {"rooms": [{"number": 7, "code": "other"}], "doors": {"back": secret}})
    assert "hunter22" not in str(raised.value)
    assert secret_values(Hotel.Options, {"rooms": [{"number": 7, "code": secret}], "doors": {"a": secret}}) == [
        "hunter22",
        "hunter22",
    ]


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://police.example/api/", True),
        ("http://[::1]", True),
        ("http://localhost", True),
        ("http://police.example", False),
        ("https://[", False),
        ("https://desk:word@police.example", False),
        ("https://police.example/#part", False),
    ],
)
def test_secrets_are_sent_by_https_or_to_this_machine(url: str, *, right: bool) -> None:
    read = TypeAdapter(SecureUrl)
    if right:
        assert read.validate_python(url) == url.rstrip("/")
    else:
        with pytest.raises(ValidationError, match="must be https"):
            read.validate_python(url)


@pytest.mark.parametrize("name", ["x", "mastodon", "bluesky", "email", "sms", "apprise", "webhook", "feed"])
@pytest.mark.parametrize("seconds", [0, 31, float("nan")])
def test_no_network_waits_longer_than_its_lease(name: str, seconds: float) -> None:
    with pytest.raises(ValidationError) as raised:
        network(name).load().Options.model_validate({"timeout": seconds})
    assert ("timeout",) in [each["loc"] for each in raised.value.errors(include_input=False)]


def test_a_missing_library_of_a_third_party_network_names_the_extra_of_its_package(shelf: Shelf) -> None:
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy", "import no_such_sdk.client")
    info = shelf.folder / "policenotify_ntfy-1.0.dist-info" / "METADATA"
    info.write_text(info.read_text() + "Provides-Extra: ntfy\n")
    with pytest.raises(MissingExtra, match=r"pip install 'policenotify-ntfy\[ntfy\]'"):
        network("ntfy").load()
    (shelf.folder / "police_ntfy.py").write_text("import police_ntfy.parts")  # its own, which no extra brings
    with pytest.raises(SettingsError, match="Update the package"):
        network("ntfy").load()


def test_a_constructor_that_ends_the_process_is_refused(shelf: Shelf) -> None:
    shelf.install(
        "policenotify-ntfy", "ntfy = police_ntfy:Ntfy", NTFY.replace("if ", "raise SystemExit(3)\n        if ")
    )
    with pytest.raises(SettingsError, match=r"^channels\.public: SystemExit: 3$"):
        configure_channel("public", "ntfy", {"url": "https://ntfy.example", "token": "t0ken"})


@pytest.mark.parametrize(
    ("name", "options", "account"),
    [
        ("bluesky", {"handle": "police34.example", "password": WITHHELD}, "police34.example@bsky.social"),
        ("mastodon", {"server": "https://social.example", "handle": "police34", "token": WITHHELD}, "police34"),
        ("email", {"url": WITHHELD, "list_id": "presse.police34.example"}, ""),
        ("bluesky", {"handel": "police34.example", "password": "x"}, ""),
    ],
)
def test_what_is_known_of_a_channel_whose_options_cannot_be_read(
    name: str, options: dict[str, object], account: str
) -> None:
    """The account, unless it is in the secret itself, and what its network can do."""
    found, capabilities = inspect_channel(name, options, LOCALES)
    assert found.startswith(account)
    assert bool(found) is bool(account)
    assert capabilities is not None


def test_of_a_network_that_is_not_installed_nothing_is_known() -> None:
    assert inspect_channel("pigeon", {}, LOCALES) == ("", None)

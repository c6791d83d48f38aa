import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from policenotify.channel import Account, Capabilities, Clock, Post, PostRef, Request, StateStore
from policenotify.errors import MissingExtra, SettingsError, UnknownNetwork
from policenotify.journal.clock import SystemClock
from policenotify.model.lifecycle import Stage
from policenotify.networks.options import options_model, options_schema
from policenotify.networks.registry import check_networks, configure_channel, network, networks
from policenotify.testing.fakes import InMemoryStateStore
from policenotify.text import Budget
from policenotify.validation import redact, secret_values
from tests.support.audiences import addresses_of

NTFY = '''
from pydantic import SecretStr
from policenotify.channel import Capabilities, Account, Clock, StateStore, PostRef
from policenotify.text import Budget, utf8_bytes


class Ntfy:
    """A topic on a server of one's own."""

    capabilities = Capabilities(budget=Budget(4096, utf8_bytes), title=True)

    def __init__(self, url: str, token: SecretStr, *, timeout: float = 10.0, clock: Clock, store: StateStore | None):
        if "password" in url:
            raise ValueError(f"url: {url} with {token.get_secret_value()}")
        self.account, self.timeout, self.token, self.house = url, timeout, token, (clock, store)

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
    yield Shelf(tmp_path)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", "").startswith(str(tmp_path)):
            del sys.modules[name]


class Board:
    """A network that options are read from."""

    capabilities = Capabilities(budget=Budget(100))
    account = "board"

    def __init__(self, *, room: str, code: SecretStr, size: int = 3) -> None:
        self.room, self.code, self.size = room, code, size

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        raise NotImplementedError

    def send(self, request: Request) -> PostRef:
        raise NotImplementedError

    def whoami(self) -> Account:
        raise NotImplementedError

    def close(self) -> None:
        pass


def test_bundled_networks_use_the_same_registry_as_others() -> None:
    assert {(one.name, one.package) for one in networks()} >= {("bluesky", "policenotify"), ("email", "policenotify")}
    assert all(str(one.problem) == "" for one in networks())
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
    assert vars(first)["house"] == (clock, keep)
    assert vars(first)["timeout"] == 2.0
    assert vars(first)["token"].get_secret_value() == "t0ken"


def test_a_wrong_option_is_reported_by_channel(shelf: Shelf) -> None:
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy")
    with pytest.raises(SettingsError) as raised:
        configure_channel("public", "ntfy", {"urls": "x", "token": 12345678, "timeout": "soon", "langages": ["fr"]})
    lines = str(raised.value).splitlines()
    assert lines[0] == "channels.public.url: is missing."
    assert lines[1].startswith("channels.public.token: Input should be a valid string")
    assert lines[2].startswith("channels.public.timeout: Input should be a valid number")
    assert lines[3].startswith("channels.public.urls: is not known. Did you mean 'url'? Known here: audiences, ")
    assert lines[4].startswith("channels.public.langages: is not known. Did you mean 'languages'?")
    assert "12345678" not in str(raised.value)


def test_constructor_errors_are_shown_unless_they_contain_a_secret(shelf: Shelf) -> None:
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy")
    with pytest.raises(SettingsError) as raised:
        configure_channel("public", "ntfy", {"url": "https://u:password@ntfy.example", "token": "hunter22"})
    assert "hunter22" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert str(raised.value).startswith("channels.public.url: is not right")
    with pytest.raises(SettingsError, match=r"^channels\.bluesky\.handle: a Bluesky handle is a domain name"):
        configure_channel("bluesky", "bluesky", {"handle": "desk@police.example", "password": "hunter22"})


def test_a_secret_url_does_not_hide_the_advice_about_it() -> None:
    url = "mailto://desk:hunter22@police.example?mode=insecure"
    with pytest.raises(SettingsError) as raised:
        configure_channel("press", "email", {"url": url, "timeout": 0}, recipients=lambda: ())
    assert str(raised.value).startswith("channels.press")
    assert "hunter22" not in str(raised.value)
    assert "withheld" not in str(raised.value)


@pytest.mark.parametrize(
    "secret",
    [
        "my-token-xyz",
        "token handle server timeout",
        "server-token-0123456789",
        "known.did.you.mean",
        "mastodon",
        "required-password-of-the-stand",
    ],
)
@pytest.mark.parametrize("typo", [{"timeot": 5}, {"servre": "x"}, {"visibility": {"opennig": "public"}}])
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
        ("mailto needs a host", ["mailto://desk:hunter2@police.example"], True, True),
        ("pass%20word is bad", ["https://u:pass%20word@h"], True, False),
        ("p@ss w is bad", ["https://u:p%40ss%20w@h"], True, False),
        ("unknown: a b", ["ab"], False, True),
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
    refused = next(one for one in networks() if one.package == "aaa-better-bluesky")
    assert "'aaa-better-bluesky'" in str(refused.problem)
    assert "'policenotify'" in str(refused.problem)
    with pytest.raises(SettingsError, match="Uninstall 'aaa-better-bluesky'"):
        refused.load()
    assert "better" not in sys.modules


def test_a_name_that_two_packages_claim_belongs_to_neither(shelf: Shelf) -> None:
    shelf.install("ntfy-one", "ntfy = one_ntfy:Ntfy")
    shelf.install("ntfy-two", "ntfy = two_ntfy:Ntfy")
    with pytest.raises(SettingsError, match="offered by 'ntfy-one' and 'ntfy-two': neither is used"):
        network("ntfy")
    assert str(network("bluesky").problem) == ""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_sdk", "cannot be loaded (ModuleNotFoundError: No module named 'no_such_sdk')"),
        ("raise RuntimeError('boom')", "cannot be loaded (RuntimeError: boom)"),
        ("Other = 1", "cannot be loaded (AttributeError"),
        ("class Ntfy:\n    def send(self, request): ...", "lacks prepare, whoami, close"),
        (NTFY.replace("token: SecretStr", "token"), "'token' has no annotation"),
        (NTFY.replace("store: StateStore | None)", "**more: str)"), "takes anything; name each option"),
        (NTFY.replace("token: SecretStr", "tags: str"), "'tags' already has a meaning for every channel"),
        (NTFY.replace("token: SecretStr", "token: 'Missing'"), "name 'Missing' is not defined"),
        (NTFY.replace("token: SecretStr", "token: __import__('threading').Event"), "an option cannot be made"),
        (NTFY.replace("token: SecretStr", "_token: SecretStr"), "'_token' cannot be the name of an option"),
        (NTFY.replace("token: SecretStr", "model_config: str"), "'model_config' cannot be the name of an option"),
        (NTFY.replace("token: SecretStr", "token: 'not a type'"), "cannot be read (SyntaxError"),
        (NTFY.replace("token: SecretStr", "token: 'Clock.nowhere'"), "cannot be read (AttributeError"),
        (NTFY.replace("token: SecretStr", "token: __import__('typing').Callable[[], str]"), "cannot be written in"),
        (NTFY.replace("token: SecretStr", "token: __import__('annotated_types').Gt"), "an option cannot be made"),
        ("raise SystemExit('no licence')", "cannot be loaded (SystemExit: no licence)"),
        ("class Panic(BaseException): ...\nraise Panic('in Rust')", "cannot be loaded (Panic: in Rust)"),  # as PyO3's
    ],
)
def test_a_broken_network_is_named_and_stops_no_other(shelf: Shelf, source: str, said: str) -> None:
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy", source)
    troubles = {one.name: trouble for one, trouble in check_networks()}
    assert "ntfy" in troubles["ntfy"]
    assert said in troubles["ntfy"]
    assert troubles["bluesky"] == troubles["email"] == ""


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("entry_points.txt", b"[policenotify.networks]\nntfy\n"),
        ("entry_points.txt", b"[policenotify.networks]\nntfy = caf\xe9:Ntfy\n"),
        ("METADATA", b""),
        ("METADATA", None),
    ],
    ids=["a line without a class", "no UTF-8", "no name", "no metadata"],
)
def test_half_a_package_hides_no_other(shelf: Shelf, file: str, content: bytes | None) -> None:
    shelf.install("half", "half = half_ntfy:Ntfy")
    broken = shelf.folder / "half-1.0.dist-info" / file
    broken.unlink() if content is None else broken.write_bytes(content)
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy")
    troubles = {one.name: trouble for one, trouble in check_networks()}
    assert troubles["ntfy"] == troubles["bluesky"] == ""
    assert "half" not in troubles


def test_of_a_package_that_is_there_twice_the_first_on_the_path_counts(
    shelf: Shelf, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Shelf(tmp_path_factory.mktemp("older"))
    other.install("policenotify-ntfy", "ntfy = old_ntfy:Ntfy")
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy")
    monkeypatch.setattr(sys, "path", [*sys.path, str(other.folder)])
    assert (network("ntfy").target, str(network("ntfy").problem)) == ("police_ntfy:Ntfy", "")


def test_a_command_name_is_not_a_network_name(shelf: Shelf) -> None:
    shelf.install("policenotify-new", "new = police_ntfy:Ntfy")
    with pytest.raises(SettingsError, match="'policenotify-new' offers a network 'new', which is a command"):
        network("new")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("capabilities = Capabilities(budget=Budget(4096, utf8_bytes), title=True)", "capabilities = None"),
        ("self.account, self.timeout", "self.account, self.timeout = b'ntfy', 1\n        self.url, self.timeout"),
        ("self.account, self.timeout", "self.account, self.timeout = ' ', 1\n        self.url, self.timeout"),
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
    channel = configure_channel("press", "email", url, recipients=lambda: ["a@press.example"])
    assert channel.capabilities.recipients
    assert addresses_of(channel) == ("a@press.example",)
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy")
    with pytest.raises(SettingsError, match=r"channels\.public\.recipients: is for networks that write to people"):
        configure_channel("public", "ntfy", {"url": "https://ntfy.example", "token": "t0ken"}, recipients=lambda: ())


def test_options_are_validated_by_name_and_type_and_printed_without_secrets() -> None:
    model = options_model(Board)
    values = model.model_validate({"room": "A", "code": "hunter22", "size": "4"})
    assert values.model_dump()["size"] == 4
    assert "hunter22" not in repr(values) + values.model_dump_json()
    with pytest.raises(ValidationError) as raised:
        model.model_validate({"room": ["hunter22"], "code": 1})
    assert "hunter22" not in str(raised.value)
    schema = model.model_json_schema()
    assert schema["required"] == ["room", "code"]
    assert schema["properties"]["code"]["format"] == "password"
    assert schema["properties"]["size"]["default"] == 3
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema


class Room(BaseModel):
    """A table of its own."""

    number: int
    code: SecretStr | None = None


MASTER = SecretStr("masterkey")


class Hotel(Board):
    """A network with every kind of option."""

    def __init__(
        self,
        *,
        rooms: list[Room],
        doors: dict[str, SecretStr] | None = None,
        grade: Literal["low", "high"] = "low",
        plan: Path | None = None,
        patience: timedelta = timedelta(seconds=30),
        kind: Stage = Stage.OPENING,
        master: SecretStr = MASTER,
        anything: object = threading,
    ) -> None:
        if doors:
            raise ValueError(f"doors: {doors['back'].get_secret_value()} and {rooms[0].code}")
        self.given = rooms, grade, plan, patience, kind, master, anything


def test_options_of_every_kind_come_as_toml_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    values = options_model(Hotel).model_validate(
        {"rooms": [{"number": 7}], "plan": "plans/a.pdf", "patience": "PT5M", "kind": "end", "grade": "high"}
    )
    assert dict(values) == {
        "rooms": [Room(number=7)],
        "doors": None,
        "grade": "high",
        "plan": Path("plans/a.pdf"),
        "patience": timedelta(minutes=5),
        "kind": Stage.END,
        "master": MASTER,
        "anything": threading,
    }
    schema = options_schema(Hotel)
    assert "masterkey" not in json.dumps(schema)
    assert schema["properties"]["grade"]["enum"] == ["low", "high"]
    assert schema["properties"]["plan"]["anyOf"][0]["format"] == "path"
    assert schema["properties"]["patience"] == {
        "default": "PT30S", "format": "duration", "title": "Patience", "type": "string",
    }  # fmt: skip
    assert schema["properties"]["doors"]["anyOf"][0]["additionalProperties"]["writeOnly"] is True
    assert schema["$defs"]["Room"]["properties"]["code"]["anyOf"][0]["format"] == "password"
    assert schema["required"] == ["rooms"]

    monkeypatch.setattr("policenotify.networks.registry.network", lambda _: SimpleNamespace(load=lambda: Hotel))
    given = {"rooms": [{"nmber": 7, "tags": 1}, {"number": "seven"}], "grade": "medium", "tag": 1}
    with pytest.raises(SettingsError) as raised:
        configure_channel("one", "hotel", given)
    assert str(raised.value).splitlines() == [
        "channels.one.rooms[0].number: is missing.",
        "channels.one.rooms[0].nmber: is not known. Did you mean 'number'? Known here: code, number.",
        "channels.one.rooms[0].tags: is not known. Known here: code, number.",
        "channels.one.rooms[1].number: Input should be a valid integer, unable to parse string as an integer",
        "channels.one.grade: Input should be 'low' or 'high'",
        next(line for line in str(raised.value).splitlines() if line.startswith("channels.one.tag: is not known. Did")),
    ]


@pytest.mark.parametrize("secret", ["hunter22", SecretStr("hunter22")])
def test_a_nested_secret_is_not_shown_either(secret: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policenotify.networks.registry.network", lambda _: SimpleNamespace(load=lambda: Hotel))
    with pytest.raises(SettingsError, match=r"^channels\.one\.doors: is not right") as raised:
        configure_channel("one", "hotel", {"rooms": [{"number": 7, "code": "other"}], "doors": {"back": secret}})
    assert "hunter22" not in str(raised.value)
    assert secret_values(options_model(Hotel), {"rooms": [{"number": 7, "code": secret}], "doors": {"a": secret}}) == [
        "hunter22",
        "hunter22",
    ]


def test_services_of_the_installation_are_not_options() -> None:
    @dataclass
    class WithServices:
        timing: Clock
        room: str
        memory: StateStore | None
        doors: list[str] = field(default_factory=lambda: ["A"])

    model = options_model(WithServices)
    assert set(model.model_fields) == {"room", "doors"}
    assert model.model_validate({"room": "1"}).model_dump() == {"room": "1", "doors": ["A"]}


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - ours


@pytest.fixture
def fresh() -> Callable[[str], subprocess.CompletedProcess[str]]:
    return run


def test_looking_at_networks_loads_no_sdk(fresh: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    done = fresh(
        "import sys\nfrom policenotify.networks.registry import configure_channel, networks\n"
        "ours = {f'policenotify.networks.{name}' for name in 'apprise bluesky email mastodon sms x'.split()}\n"
        "assert not ours & set(sys.modules)\n"
        "networks()\n"
        "configure_channel('b', 'bluesky', {'handle': 'police.example', 'password': 'x'})\n"
        "heavy = {'atproto', 'atproto_client', 'apprise', 'requests', 'sqlalchemy', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_library_of_a_bundled_network_names_its_extra(
    fresh: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    done = fresh(
        "import sys\nsys.modules['pydantic_extra'] = None\n"
        "from policenotify.networks.registry import Network\n"
        "import pathlib, tempfile\n"
        "folder = tempfile.mkdtemp()\nsys.path.append(folder)\n"
        "pathlib.Path(folder, 'needs.py').write_text('import pydantic_extra')\n"
        "Network('bluesky', 'policenotify', 'needs:Bluesky').load()\n"
    )
    assert "MissingExtra: The network 'bluesky' needs an extra" in done.stderr
    assert "pip install 'policenotify[bluesky]'" in done.stderr


def test_a_missing_library_of_a_third_party_network_names_the_extra_of_its_package(shelf: Shelf) -> None:
    shelf.install("policenotify-ntfy", "ntfy = police_ntfy:Ntfy", "import no_such_sdk.client")
    info = shelf.folder / "policenotify_ntfy-1.0.dist-info" / "METADATA"
    info.write_text(info.read_text() + "Provides-Extra: ntfy\n")
    with pytest.raises(MissingExtra, match=r"pip install 'policenotify-ntfy\[ntfy\]'"):
        network("ntfy").load()
    (shelf.folder / "police_ntfy.py").write_text("import police_ntfy.parts")  # its own, which no extra brings
    with pytest.raises(SettingsError, match="Update the package"):
        network("ntfy").load()


def test_a_library_that_the_constructor_misses_names_the_extra_too(shelf: Shelf) -> None:
    shelf.install(
        "policenotify-ntfy", "ntfy = police_ntfy:Ntfy", NTFY.replace("if ", "import no_such_sdk\n        if ")
    )
    info = shelf.folder / "policenotify_ntfy-1.0.dist-info" / "METADATA"
    info.write_text(info.read_text() + "Provides-Extra: ntfy\n")
    with pytest.raises(MissingExtra, match=r"pip install 'policenotify-ntfy\[ntfy\]'"):
        configure_channel("public", "ntfy", {"url": "https://ntfy.example", "token": "t0ken"})


def test_a_constructor_that_ends_the_process_is_refused(shelf: Shelf) -> None:
    shelf.install(
        "policenotify-ntfy", "ntfy = police_ntfy:Ntfy", NTFY.replace("if ", "raise SystemExit(3)\n        if ")
    )
    with pytest.raises(SettingsError, match=r"^channels\.public: SystemExit: 3$"):
        configure_channel("public", "ntfy", {"url": "https://ntfy.example", "token": "t0ken"})


def test_a_missing_sdk_is_reported_by_the_network_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policenotify.networks.email.channel.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"policenotify\[email\]"):
        configure_channel("press", "email", {"url": "mailtos://police.example"}, recipients=lambda: ())


@pytest.mark.parametrize("shipped", [each.name for each in networks() if each.package == "policenotify"])
def test_a_channel_whose_constructor_failed_can_still_be_shown(shipped: str) -> None:
    """A program that shows the variables of a traceback calls `repr` on it."""
    made = network(shipped).load()
    assert made.__name__ in repr(made.__new__(made))

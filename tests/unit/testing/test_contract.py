"""The contract suite: correct networks pass, and each broken promise fails its test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree as ET

import pytest
from pydantic import SecretStr

import policenotify.testing
from policenotify.channel import Capabilities
from policenotify.errors import MissingExtra
from policenotify.testing import Answer, ChannelContract, Fault, OneCallFixture
from policenotify.testing.contract.case import NOT_CLAIMED
from policenotify.text import Budget
from tests.support.patience import ANSWERED

SUPPORT = Path(__file__).parents[2] / "support"
EXAMPLE = SUPPORT.parents[1] / "examples" / "policenotify-ntfy"

FAULTS = """
ConnectsAtOnce           test_construction_does_no_io                may reach no network
CannotEdit               test_claims_have_methods                    no method for: SupportsEdit
LogsItsToken             test_no_secret_leaks                        the log
StoresItsToken           test_no_secret_leaks                        the Request
ClosesOnce               test_close_is_always_possible               closed already
LeavesASocket            test_close_releases_resources               left open
GreetsItsReaders         test_whoami_posts_nothing                   whoami has posted
BelievesItself           test_whoami_proves_the_credentials          Raise an error when a call fails
RefusesForAPassword      test_whoami_proves_the_credentials          After UNAUTHORIZED raise Blocked, not Refused
PublishesTooEarly        test_prepare_publishes_nothing              only send may
PreparesByChance         test_prepare_is_deterministic               no time, no chance
RemembersWhatItPrepared  test_prepare_is_deterministic               read back was not published
RefusesWhenItCannotUpload  test_prepare_reports_failures               After UNREACHABLE raise Unavailable, not Refused
Composes                 test_text_arrives_unchanged                 The text
ReplacesTheEllipsis      test_any_text_arrives_unchanged             did not arrive as it was
Shortens                 test_longest_post_arrives_whole             did not arrive whole
PostsTwice               test_send_publishes_once                    2 times, not once
SaysAnotherPlace         test_send_publishes_once                    on the network the post is
DoubtsARefusal           test_refusal_raises_refused                 raise Refused, not Unconfirmed
ForgetsTheTime           test_rate_limit_raises_unavailable          retry_at is None
DoubtsWithoutReason      test_unreachable_raises_unavailable         raise Unavailable, not Unconfirmed
RefusesForAPassword      test_wrong_credentials_raise_blocked        raise Blocked, not Refused
NeverDoubts              test_unknown_result_raises_unconfirmed      After DISCONNECTED_AFTER raise Unconfirmed
RetriesByItself          test_unknown_result_raises_unconfirmed      repeats by itself
Sulks                    test_channel_recovers_after_failure         does not accept our credentials
WorksAlone               test_channels_work_in_parallel              Busy
ForgetsKeys              test_key_publishes_once                     times, not once
LooksBeforeItLeaps       test_key_publishes_once_from_many_threads   times, not once
FindsNothing             test_find_returns_a_published_post          same PostRef as send
FindsByItsWords          test_find_returns_none_for_an_unpublished_post  never be sent again
FindsWhatWasBefore       test_find_ignores_older_posts               a minute before
TakesSilenceForNo        test_find_raises_when_unreadable            Nothing was raised
AnswersTheOpening        test_replies_form_one_thread                The end answers
AnswersAnybody           test_foreign_post_is_not_replied_to         ignore posts in reply_to
DropsTheWords            test_images_arrive_with_alt_text            Alternative texts are lost
LosesTheTranslations     test_message_is_not_lost                    is not in the Request
TakesWordsAlone          test_post_without_message_is_refused        Nothing was raised
EditsByPosting           test_edit_replaces_the_post                 no further post
DeletesInVain            test_delete_removes_the_post                still shown
ShowsTheList             test_recipients_get_private_copies          sees another one's address
StopsAtTheFirstNo        test_refused_recipient_does_not_stop_the_others  refused the post
MailsAgain               test_unconfirmed_call_leaves_its_people_in_doubt  The post reached
IsAlone                  test_several_channel_objects_send_at_once   at the same time
DoubtsEverybody          test_unreached_recipients_are_not_in_doubt  raise Unavailable, not Unconfirmed
"""
FOUND_BY = [tuple(re.split(r"\s{2,}", line, maxsplit=2)) for line in FAULTS.strip().splitlines()]


def pytest_runs(folder: Path, report: Path, *what: str, **variables: str) -> dict[tuple[str, str], str]:
    """Run pytest in a process, and return the failure of each test by class and name. Empty: it passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    done = subprocess.run(  # noqa: S603 - our own interpreter and tests
        [*command, "-c", "/dev/null", "--import-mode=importlib", f"--junitxml={report}", *what],
        cwd=folder,
        env=os.environ | variables,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    failures: dict[tuple[str, str], str] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        key = case.attrib["classname"].rpartition(".Test")[2], case.attrib["name"].partition("[")[0]
        words = [f"{problem.attrib['message']}\n{problem.text}" for problem in case]
        failures[key] = "\n".join(filter(None, [failures.get(key, ""), *words]))
    return failures


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    tried = [f"Test{network}::{test}" for network, test, _ in FOUND_BY]
    nodes = [f"broken_networks.py::{each}" for each in ("TestPerfect", "TestUploads", "TestPerfectMail", *tried)]
    return pytest_runs(SUPPORT, tmp_path_factory.mktemp("contract") / "report.xml", *nodes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "test", "words"), FOUND_BY, ids=[f"{network}-{test}" for network, test, _ in FOUND_BY]
)
def test_a_broken_promise_is_found_out(
    failures: dict[tuple[str, str], str], network: str, test: str, words: str
) -> None:
    assert words in failures[network, test]


@pytest.mark.slow
@pytest.mark.parametrize("network", ["Perfect", "Uploads", "PerfectMail"])
def test_a_network_that_keeps_its_promises_passes(failures: dict[tuple[str, str], str], network: str) -> None:
    told = {test: words for (name, test), words in failures.items() if name == network}
    assert set(filter(None, told.values())) == set()
    assert len(told) > 20


@pytest.mark.slow
def test_every_promise_is_broken_by_a_network(failures: dict[tuple[str, str], str]) -> None:
    promises = {name for name in dir(ChannelContract) if name.startswith("test_")}
    assert promises == {test for _, test, _ in FOUND_BY}
    assert promises == {test for network, test in failures if network in {"Perfect", "PerfectMail"}}


# --- the example of the docstring


def test_the_test_of_the_docstring_is_the_examples() -> None:
    [shown] = re.findall(r"```python\n(.*?)```", dedent(f"    {ChannelContract.__doc__}"), re.DOTALL)
    whole = (EXAMPLE / "tests" / "test_ntfy.py").read_text(encoding="utf-8")
    assert whole.partition("\n\n")[2] == dedent(shown)


@pytest.mark.slow
def test_the_smallest_network_keeps_the_contract(tmp_path: Path) -> None:
    told = pytest_runs(EXAMPLE / "tests", tmp_path / "report.xml", "test_ntfy.py", PYTHONPATH=str(EXAMPLE / "src"))
    assert set(told.values()) == {""}
    asked = {test for _, test in told}
    assert "test_no_secret_leaks" in asked
    assert not asked & {"test_key_publishes_once", "test_replies_form_one_thread", "test_delete_removes_the_post"}
    assert len(asked) == 21


# --- which promises are asked


class Modest:
    """A channel of which only the capabilities are read."""

    account = "a"

    def __init__(self, **can: object) -> None:
        self.capabilities = Capabilities(budget=Budget(10), **can)  # type: ignore[arg-type] # any ability

    def close(self) -> None:
        """Nothing to close."""


def asked(kind: type[ChannelContract]) -> set[str]:
    return {name for name in dir(kind) if name.startswith("test_") and callable(getattr(kind, name))}


def test_only_claimed_capabilities_are_tested() -> None:
    class Nothing(ChannelContract):
        def open(self, _wire: object) -> Modest:  # type: ignore[override] # it is only looked at
            return Modest()

    class Deletes(Nothing):
        test_wrong_credentials_raise_blocked = None  # struck out

        def open(self, _wire: object) -> Modest:  # type: ignore[override] # the same
            return Modest(deletes=True)

    class Again(Deletes):
        def test_delete_removes_the_post(self) -> None:  # type: ignore[override] # an author's own
            """Mine."""

        def open(self, _wire: object) -> Modest:  # type: ignore[override] # the same
            return Modest()

    assert asked(Deletes) - asked(Nothing) == {"test_delete_removes_the_post"}
    assert asked(Nothing) - asked(Deletes) == {"test_wrong_credentials_raise_blocked"}
    assert asked(Again) == asked(Deletes)
    assert len(asked(ChannelContract)) - len(asked(Nothing)) == 18
    assert vars(Nothing)["test_delete_removes_the_post"] == NOT_CLAIMED


# --- its error texts


@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b'{"a": ["\\u00e9t\\u00e9", {"b": "x"}], "n": 1}', {}, ("été", "x")),
        (b"a=%C3%A9t%C3%A9&b=", {"Content-Type": "application/x-www-form-urlencoded"}, ("été", "")),
        ("été".encode(), {"Title": "titre"}, ("été", "titre")),
    ],
)
def test_readers_of_a_plain_network_read_the_request(
    body: bytes, headers: dict[str, str], words: tuple[str, ...]
) -> None:
    import requests  # noqa: PLC0415 - an SDK of this test only

    with OneCallFixture(Answer.json({"id": "7"})) as network:
        assert requests.post(f"{network.url}/x?q=%C3%A0", data=body, headers=headers, timeout=ANSWERED).json() == {
            "id": "7"
        }
        assert requests.get(f"{network.url}/who", timeout=ANSWERED).json() == {}
        (shown,) = network.visible_posts
        assert not Counter((*words, "à")) - Counter(shown.texts)
        network.fail_next(Fault.DISCONNECTED_AFTER)
        with pytest.raises(requests.ConnectionError):
            requests.post(network.url, data=body, timeout=ANSWERED)
        assert len(network.visible_posts) == 2


# --- the door


def loaded(code: str, names: Iterable[str]) -> str:
    program = f"import sys; {code}; print([name for name in {sorted(names)!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - ours


@pytest.mark.slow
def test_the_servers_need_no_pytest() -> None:
    heavy = ["aiosmtpd", "hypothesis", "pytest"]
    names = "FakeServer, FakeBlueskyServer, OneCallFixture, FakeClock"
    assert loaded(f"from policenotify.testing import {names}", heavy) == "[]"
    assert loaded("from policenotify.testing import FakeMailServer", heavy) == "[]"
    assert loaded("from policenotify.testing import ChannelContract", heavy) == "['hypothesis', 'pytest']"


def test_the_contents_of_the_extra_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("policenotify.testing.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(vars(policenotify.testing), "ChannelContract", raising=False)
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(MissingExtra, match=r"ChannelContract.*policenotify\[testing\]"):
        policenotify.testing.ChannelContract  # noqa: B018 - touching it is the test


def test_secrets_are_masked_in_what_the_contract_itself_prints() -> None:
    class Telling(ChannelContract):
        secrets = ("hunter2-and-more",)

    with OneCallFixture(Answer()) as network, pytest.raises(AssertionError) as caught:
        Telling().assert_no_secret(network, f"x {SecretStr('hunter2-and-more').get_secret_value()}", "the log")
    assert "hunter2" not in str(caught.value)

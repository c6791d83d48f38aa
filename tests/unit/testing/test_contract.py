"""The contract suite: a network that keeps its promises passes, and each promise that is broken is found out."""

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
from policenotify.testing import Answer, ChannelContract, FakeClock, FakeServer, Fault, HttpWire, OneCallWire
from policenotify.testing.contract.fixtures import NOT_CLAIMED
from policenotify.testing.contract.texts import PEOPLE, TEXTS, longest, picture
from policenotify.text import Budget, graphemes, utf8_bytes

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[2] / "examples" / "policenotify-ntfy"

FAULTS = """
ConnectsAtOnce           test_opening_it_touches_nothing                     may reach no network
ChangesItsName           test_opening_it_touches_nothing                     account's name changes
CannotEdit               test_it_can_do_what_it_claims                       no method for: Edits
ClaimsNonsense           test_it_can_do_what_it_claims                       negative time
PrintsItsToken           test_no_secret_is_told                              the channel's repr
LogsItsToken             test_no_secret_is_told                              the log
LogsItsTokenWhenItLooks  test_no_secret_is_told                              the log
LinksWithItsToken        test_no_secret_is_told                              the PostRef
IsCalledByItsToken       test_no_secret_is_told                              the Account
TellsItsTokenWhenItPrepares  test_preparing_tells_of_trouble                 the Unavailable that was raised
StoresItsToken           test_no_secret_is_told                              the Request
RaisesItsToken           test_a_refusal_is_final                             the Refused that was raised
KeepsTheCause            test_a_doubt_is_told                                raise … from None
ClosesOnce               test_closing_it_is_always_possible                  closed already
LeavesASocket            test_nothing_is_left_behind                         left open
LeavesAThread            test_nothing_is_left_behind                         end the threads
GreetsItsReaders         test_asking_who_we_are_posts_nothing                whoami has posted
HasNoName                test_asking_who_we_are_posts_nothing                has no name
BelievesItself           test_asking_who_we_are_proves_the_credentials       must be told
RefusesForAPassword      test_asking_who_we_are_proves_the_credentials       After DENIED raise Blocked, not Refused
PublishesTooEarly        test_preparing_shows_nothing                        only send may
PreparesByChance         test_preparing_again_says_the_same                  no time, no chance
DoesNotSayWhatItUploads  test_preparing_again_says_the_same                  uploads = (…,)
MakesItsOwnKeys          test_preparing_again_says_the_same                  carries the account and post.key
RemembersWhatItPrepared  test_preparing_again_says_the_same                  read back was not published
RefusesWhenItCannotUpload  test_preparing_tells_of_trouble                   After NOBODY raise Unavailable, not Refused
Composes                 test_a_text_arrives_as_it_was_written               The text
Escapes                  test_a_text_arrives_as_it_was_written               The title
DropsHtml                test_a_text_arrives_as_it_was_written               The formatted text
ReplacesTheEllipsis      test_any_text_arrives                               did not arrive as it was
Shortens                 test_a_post_at_the_limit_arrives_whole              did not arrive whole
PostsTwice               test_a_post_is_out_once_and_says_where              2 times, not once
SaysNowhere              test_a_post_is_out_once_and_says_where              PostRef.id is empty
SaysAnotherAccount       test_a_post_is_out_once_and_says_where              not the channel's account
SaysAnotherPlace         test_a_post_is_out_once_and_says_where              on the network the post is
DoubtsARefusal           test_a_refusal_is_final                             raise Refused, not Unconfirmed
GivesNoReason            test_a_refusal_is_final                             gives no reason
ForgetsTheTime           test_a_limit_is_waited_for                          retry_at is None
WaitsItself              test_a_limit_is_waited_for                          only the house waits
DoubtsWithoutReason      test_where_nobody_listens_nothing_was_posted        raise Unavailable, not Unconfirmed
RefusesForAPassword      test_wrong_credentials_block_the_channel            raise Blocked, not Refused
NeverDoubts              test_a_doubt_is_told                                After CUT_AFTER raise Unconfirmed
LetsErrorsThrough        test_a_doubt_is_told                                TimeoutError escaped
BelievesAnyPage          test_a_doubt_is_told                                Nothing was raised
RetriesByItself          test_a_doubt_is_told                                repeats by itself
IsSlow                   test_a_doubt_is_told                                Give every call a timeout
Sulks                    test_after_trouble_it_works_again                   does not accept our credentials
WorksAlone               test_several_objects_work_side_by_side              Busy
ForgetsKeys              test_a_key_publishes_once                           times, not once
ForgetsKeysSoon          test_a_key_publishes_once                           times, not once
LooksBeforeItLeaps       test_a_key_publishes_once_from_many_threads         times, not once
FindsNothing             test_what_is_out_is_found                           same PostRef as send
FindsByItsWords          test_what_is_not_out_is_not_found                   never be said again
FindsWhatWasBefore       test_what_was_out_before_is_not_found               a minute before
TakesSilenceForNo        test_what_cannot_be_read_stays_in_doubt             Nothing was raised
TakesALimitForNo         test_what_cannot_be_read_stays_in_doubt             Nothing was raised
TakesADenialForNo        test_what_cannot_be_read_stays_in_doubt             find must raise where it is denied
RefusesToLook            test_what_cannot_be_read_stays_in_doubt             find must not raise Refused
AnswersTheOpening        test_a_thread_hangs_together                        The end answers
StartsEachThreadAnew     test_a_thread_hangs_together                        answers[0] starts the thread
AnswersAnybody           test_a_strangers_post_is_not_answered               pass over answers
DropsTheWords            test_pictures_arrive_with_their_words               Alternative texts are lost
TakesOnePicture          test_pictures_arrive_with_their_words               are lost
MixesPictures            test_pictures_arrive_with_their_words               Pictures are lost
EditsByPosting           test_an_edit_replaces_the_post                      no further post
NeverDoubts              test_an_edit_replaces_the_post                      After CUT raise Unconfirmed
RefusesToWaitWithAnEdit  test_an_edit_replaces_the_post                      After LATER raise Unavailable, not Refused
EditsWithoutTheTime      test_an_edit_replaces_the_post                      retry_at is None
TakesADenialForGone      test_what_is_deleted_is_gone                        Nothing was raised
DeletesInVain            test_what_is_deleted_is_gone                        still shown
DeletesAll               test_what_is_deleted_is_gone                        0 times, not once
DeletesOnce              test_what_is_deleted_is_gone                        Not there
PassesOverTheLast        test_everybody_has_an_outcome_and_nobody_sees_the_others  one outcome for each recipient
ShowsTheList             test_everybody_has_an_outcome_and_nobody_sees_the_others  sees another one's address
StopsAtTheFirstNo        test_one_who_is_refused_costs_nobody_else_the_post  refused the post
NamesWhoIsRefused        test_one_who_is_refused_costs_nobody_else_the_post  the outcome of a person
MailsAgain               test_a_doubt_about_one_is_a_doubt_about_one         The post reached
SendsBeyondTheEnd        test_a_list_may_end_early                           The post reached
DoubtsEverybody          test_who_was_not_reached_is_not_in_doubt            raise Unavailable, not Unconfirmed
"""
FOUND_BY = [tuple(re.split(r"\s{2,}", line, maxsplit=2)) for line in FAULTS.strip().splitlines()]


def pytest_runs(folder: Path, report: Path, *what: str, **variables: str) -> dict[tuple[str, str], str]:
    """Run pytest on its own; what each test said, by class and name without parameters: empty, it passed."""
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
    said: dict[tuple[str, str], str] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        key = case.attrib["classname"].rpartition(".Test")[2], case.attrib["name"].partition("[")[0]
        words = [f"{problem.attrib['message']}\n{problem.text}" for problem in case]
        said[key] = "\n".join(filter(None, [said.get(key, ""), *words]))
    return said


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    tried = [f"Test{network}::{test}" for network, test, _ in FOUND_BY]
    nodes = [f"broken_networks.py::{each}" for each in ("TestPerfect", "TestUploads", "TestPerfectMail", *tried)]
    return pytest_runs(HERE, tmp_path_factory.mktemp("contract") / "report.xml", *nodes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "test", "words"), FOUND_BY, ids=[f"{network}-{test}" for network, test, _ in FOUND_BY]
)
def test_a_broken_promise_is_found_out(said: dict[tuple[str, str], str], network: str, test: str, words: str) -> None:
    assert words in said[network, test]


@pytest.mark.slow
@pytest.mark.parametrize("network", ["Perfect", "Uploads", "PerfectMail"])
def test_a_network_that_keeps_its_promises_passes(said: dict[tuple[str, str], str], network: str) -> None:
    told = {test: words for (name, test), words in said.items() if name == network}
    assert set(filter(None, told.values())) == set()
    assert len(told) > 20


@pytest.mark.slow
def test_no_promise_is_there_that_nobody_breaks(said: dict[tuple[str, str], str]) -> None:
    promises = {name for name in dir(ChannelContract) if name.startswith("test_")}
    assert promises == {test for _, test, _ in FOUND_BY}
    assert promises == {test for network, test in said if network in {"Perfect", "PerfectMail"}}


def test_every_promise_is_said_in_one_sentence() -> None:
    promises = {name: getattr(ChannelContract, name).__doc__ or "" for name in asked(ChannelContract)}
    assert [name for name, said in promises.items() if "\n" in said or not said.endswith(".")] == []


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
    assert "test_no_secret_is_told" in asked
    assert not asked & {"test_a_key_publishes_once", "test_a_thread_hangs_together", "test_what_is_deleted_is_gone"}
    assert len(asked) == 21


# --- which promises are asked


class Modest:
    """A channel that is only looked at."""

    account = "a"

    def __init__(self, **can: object) -> None:
        self.capabilities = Capabilities(budget=Budget(10), **can)  # type: ignore[arg-type] # any ability

    def close(self) -> None:
        """Nothing to close."""


def asked(kind: type[ChannelContract]) -> set[str]:
    return {name for name in dir(kind) if name.startswith("test_") and callable(getattr(kind, name))}


def test_only_what_is_claimed_is_asked() -> None:
    class Nothing(ChannelContract):
        def open(self, _wire: object) -> Modest:  # type: ignore[override] # it is only looked at
            return Modest()

    class Deletes(Nothing):
        test_wrong_credentials_block_the_channel = None  # struck out

        def open(self, _wire: object) -> Modest:  # type: ignore[override] # the same
            return Modest(deletes=True)

    class Again(Deletes):
        def test_what_is_deleted_is_gone(self) -> None:  # type: ignore[override] # an author's own
            """Mine."""

        def open(self, _wire: object) -> Modest:  # type: ignore[override] # the same
            return Modest()

    assert asked(Deletes) - asked(Nothing) == {"test_what_is_deleted_is_gone"}
    assert asked(Nothing) - asked(Deletes) == {"test_wrong_credentials_block_the_channel"}
    assert asked(Again) == asked(Deletes)
    assert len(asked(ChannelContract)) - len(asked(Nothing)) == 16
    assert vars(Nothing)["test_what_is_deleted_is_gone"] == NOT_CLAIMED


def test_a_channel_that_cannot_be_opened_is_no_pass() -> None:
    with pytest.raises(ZeroDivisionError):

        class Broken(ChannelContract):
            def open(self, _wire: object) -> Modest:  # type: ignore[override] # it is never opened
                raise ZeroDivisionError


# --- what it says


@pytest.mark.parametrize(
    "budget", [Budget(7), Budget(160), Budget(300, graphemes, max_bytes=3000), Budget(4096, utf8_bytes)]
)
def test_the_longest_text_leaves_no_room(budget: Budget) -> None:
    text = longest(budget)
    assert budget.fits(text)
    assert not budget.fits(text + "x")


def test_a_budget_without_end_is_not_filled() -> None:
    assert 99_000 < len(longest(Budget(10**9))) <= 100_000


def test_the_pictures_are_real_and_differ() -> None:
    Image = pytest.importorskip("PIL.Image")  # noqa: N806 - a module that is named like a class
    from io import BytesIO  # noqa: PLC0415 - only here

    pictures = [picture(number) for number in range(10)]
    assert len({each.digest for each in pictures}) == 10
    with Image.open(BytesIO(pictures[3].data)) as opened:
        assert (opened.format, opened.size, opened.getpixel((0, 0))) == ("PNG", (1, 1), (3, 0, 0))


def test_the_people_are_strangers_to_the_texts() -> None:
    everything = " ".join(TEXTS.values())
    assert not [person for person in PEOPLE if person.address.partition("@")[0] in everything]
    assert len({person.key for person in PEOPLE}) == 4


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

    with OneCallWire(Answer.json({"id": "7"})) as wire:
        assert requests.post(f"{wire.url}/x?q=%C3%A0", data=body, headers=headers, timeout=5).json() == {"id": "7"}
        assert requests.get(f"{wire.url}/who", timeout=5).json() == {}
        (shown,) = wire.shown
        assert not Counter((*words, "à")) - Counter(shown.texts)
        wire.fail_next(Fault.CUT_AFTER)
        with pytest.raises(requests.ConnectionError):
            requests.post(wire.url, data=body, timeout=5)
        assert len(wire.shown) == 2


def test_a_wire_may_tell_its_own_time_and_ask_to_wait_in_its_own_words() -> None:
    import requests  # noqa: PLC0415 - an SDK of this test only

    class Slow(HttpWire):
        limit = Answer.json({"code": 4}, 403)

    clock = FakeClock()
    with Slow(FakeServer(now=clock.now), clock) as wire:
        wire.clock.pass_by(60)
        wire.fail_next(Fault.LATER)
        answer = requests.post(wire.url, timeout=5)
    assert (answer.status_code, answer.json()) == (403, {"code": 4})
    assert [seen.at for seen in wire.stand.requests] == [clock.now()]


# --- the door


def loaded(code: str, names: Iterable[str]) -> str:
    program = f"import sys; {code}; print([name for name in {sorted(names)!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - ours


@pytest.mark.slow
def test_the_stands_need_no_pytest() -> None:
    heavy = ["aiosmtpd", "hypothesis", "pytest"]
    assert loaded("from policenotify.testing import Stand, FakeBlueskyServer, OneCallWire, FakeClock", heavy) == "[]"
    assert loaded("from policenotify.testing import FakeMailServer", heavy) == "[]"
    assert loaded("from policenotify.testing import ChannelContract", heavy) == "['hypothesis', 'pytest']"


def test_what_the_extra_brings_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("policenotify.testing.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(vars(policenotify.testing), "ChannelContract", raising=False)
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(MissingExtra, match=r"ChannelContract.*policenotify\[testing\]"):
        policenotify.testing.ChannelContract  # noqa: B018 - touching it is the test


def test_every_name_is_there_and_no_other() -> None:
    names = policenotify.testing.__all__
    assert sorted(names) == names
    assert all(getattr(policenotify.testing, name).__doc__ for name in names if name != "Call")
    assert set(names) <= set(dir(policenotify.testing))
    assert policenotify.testing.FakeServer is FakeServer
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        policenotify.testing.nonsense  # noqa: B018 - touching it is the test


def test_secrets_are_masked_in_what_the_contract_itself_prints() -> None:
    class Telling(ChannelContract):
        secrets = ("hunter2-and-more",)

    with OneCallWire(Answer()) as wire, pytest.raises(AssertionError) as caught:
        Telling().tells_no_secret(wire, f"x {SecretStr('hunter2-and-more').get_secret_value()}", "the log")
    assert "hunter2" not in str(caught.value)

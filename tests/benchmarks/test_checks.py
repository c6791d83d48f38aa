"""What the checks cost: a message at most 3 ms of processor, any text linear time."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from policenotify.checks import CHECKS, CheckContext, run_checks
from policenotify.checks.words import shipped_words
from tests.support import corpus
from tests.support.checks import context

pytestmark = pytest.mark.benchmark

SIZE = 100_000  # characters
MOST = 1.0  # seconds of one rule
READ = 0.6  # seconds in which all rules' texts are folded, and their words looked up
PER_MESSAGE = 0.003  # seconds
_READ = ("folding", "lists")
_ROUNDS = 3  # of a text that is slow in the first
LISTS = " ".join(entry.strip("*") for words in shipped_words("fr").values() for entry in words[:3] if "(" not in entry)
UNITS = {
    "letters": "a",
    "spelt": "a ",
    "figures": "1 ",
    "telephone": "06 12 34 56 78 ",
    "mail": "a@",
    "dots": "a.",
    "names": "Jean Dupont ",
    "capitals": "JEAN DUPONT ",
    "titles": "M. ",
    "guilt": "voleur ",
    "unit": "RAID toit ",
    "victim": "la victime Jean ",
    "control": "controle routier rue 18h ",
    "plate": "plaque a1 ",
    "soft": "a\u00ad",
    "account": "fr76 1234 ",
    "birth": "né le 1 ",
    "words": f"{LISTS} ",
    "eighty": "quatre vingt ",
    "zero": "zero ",
    "sexual": "viol 12 ans infirmiere ",
    "school": "ecole de la ",
    "hashtags": "#Ab",
    "minor": "mineur de 12 ans Lucas ",
    "figures for letters": "c0upable #c0upable ",
    "small letters": "la famille pierre vidal, 12 ans ",
    "hashtag": "#karimbensalah ",
    "letters apart": "j e a n d u  ",
    "quarters": "quartier figuerolles ",
}


def _long(unit: str) -> CheckContext:
    usual = context(category="arrest", lifecycle={"stage": "opening", "incident": "i1"})
    text = (unit * (SIZE // len(unit) + 1))[:SIZE]
    return replace(usual, message=usual.message.model_copy(update={"description": text}))


def _cost(contexts: list[CheckContext]) -> float:
    """Return the processor time of all checks of one message, in seconds."""
    start = time.process_time()
    for one in contexts:
        run_checks(one)
    return (time.process_time() - start) / len(contexts)


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Stop the garbage collector: one pass over all that pytest holds takes longer than a check."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
def test_all_checks_of_a_message_take_at_most_3_ms() -> None:
    contexts = [entry.context() for entry in (*corpus.read("tuned"), *corpus.read("held_out"))]
    for one in contexts:
        run_checks(one)  # reads the lists and names
    taken = min(_cost([replace(one) for one in contexts]) for _ in range(3))
    print(f"{taken * 1e3:.2f} ms a message")
    assert taken <= 2 * PER_MESSAGE  # on a busy machine


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_no_text_is_slow(unit: str) -> None:
    best: dict[str, float] = {}
    for _ in range(_ROUNDS):  # the least counts: another process may take the processor's caches
        for step, taken in _steps(_long(unit)):
            best[step] = min(taken, best.get(step, taken))
        slow = {step: round(taken, 2) for step, taken in best.items() if taken > (READ if step in _READ else MOST)}
        if not slow:
            return
    assert not slow


def _steps(long: CheckContext) -> Iterator[tuple[str, float]]:
    """Yield the processor time of each step and rule, in seconds."""
    reads: tuple[Callable[[], object], ...] = (
        lambda: [part.tokens for part in long.parts],
        lambda: [part.found for part in long.parts],
    )
    for step, read in zip(_READ, reads, strict=True):
        start = time.process_time()
        read()
        yield step, time.process_time() - start
    for check in CHECKS:
        start = time.process_time()
        list(check.find(long))
        yield check.code, time.process_time() - start

"""Each person on the list gets one SMS, however often the sending process ends: by a kill, a signal or its budget."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from policenotify.testing import FakeSmsServer
from tests.acceptance.crash.mass_sms import Ending, Mass
from tests.acceptance.crash.process_pool import process_pool
from tests.support.network_options import sms_options

SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))
ENDINGS: tuple[Ending, ...] = ("kill", "term", "budget")
LATENCY = 0.3  # seconds until the gateway answers
PARALLEL = 8


def _run(folder: Path, ends: int, people: int) -> None:
    with FakeSmsServer() as server:
        server.latency = LATENCY
        options = {**sms_options(server), "parallel": PARALLEL}
        mass = Mass.make(
            folder,
            options,
            people,
            taken=lambda: len(server.messages),
            reached=lambda: [each.to for each in server.messages],
            seed=SEED,
        )
        with process_pool(mass.installation, "tests.acceptance.crash.mass_sms") as processes:
            for number in range(ends):
                mass.end_one(processes, ENDINGS[number % len(ENDINGS)], mass.chance.uniform(0.0, 2 * LATENCY))
        assert mass.receipt().outcome in {"waiting", "sending"}, "the list was over before the last end: make it longer"
        server.latency = 0.0
        held, doubled = mass.finish()
    print(f"{ends} ends, {mass.kills} kills: {held} of {people} in doubt, {doubled} of them had the message")  # noqa: T201 - the figures, with `-s`


@pytest.mark.crash
def test_a_list_that_is_ended_again_and_again_reaches_everybody_once(tmp_path: Path) -> None:
    _run(tmp_path, 15, 350)


@pytest.mark.deep
def test_a_list_that_is_ended_hundreds_of_times_reaches_everybody_once(tmp_path: Path) -> None:
    _run(tmp_path, 300, 7000)

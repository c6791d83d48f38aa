"""`publish`, `update`, `end` and `preview`, on fake servers."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from policenotify.cli.exit_codes import Exit
from policenotify.journal.clock import SystemClock
from policenotify.journal.publications import Publications
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS
from tests.support.installation import Desk
from tests.support.shell import ACCIDENT, Run, with_other


def test_pictures_come_in_pairs_with_what_they_show(run: Run, desk: Desk) -> None:
    Image.new("RGB", (40, 30), "red").save("plan.png")
    said = (*ACCIDENT, "--to", "bluesky", "--image", "plan.png")
    alone = run("publish", *said)
    assert alone.code == 2
    assert "Each --image needs its --alt" in alone.err
    assert alone.err.endswith("Nothing was published.\n")
    assert run("publish", *said, "--alt", "Plan du secteur").code == 0
    assert [image.alt for image in desk.bluesky.posts[0].images] == ["Plan du secteur"]
    assert run("publish", *said, "--alt", "Plan du secteur", "--json").document["repeated"] is True
    missing = run("publish", *ACCIDENT, "--image", "gone.png", "--alt", "Plan")
    assert missing.code == 1
    assert "the picture 'gone.png' cannot be used" in missing.err


@pytest.mark.usefixtures("desk")
def test_a_category_decides_whether_an_incident_is_opened(run: Run) -> None:
    fire = ("preview", "--category", "fire", "--commune", "34172", "--headline", "Feu", "--json")

    def stage(*more: str) -> object:
        return run(*fire, *more).document["message"]["lifecycle"]

    assert stage()["stage"] == "opening"  # type: ignore[index]  # JSON
    assert stage("--standalone") == {"stage": "standalone"}
    assert stage("--incident", "7", "--follows", "6") == {"stage": "opening", "incident": "7", "follows": "6"}
    both = run(*fire, "--standalone", "--incident", "7")
    assert both.code == 2
    assert "leave out --incident" in both.document["error"]["text"]


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("publish", "missing.json"), 2, "missing.json"),
        (("publish", "policenotify.toml"), 1, "Invalid JSON"),
        (("publish", *ACCIDENT, "--key", " "), 2, "--key needs 1 to 200 printable characters"),
        (
            ("publish", *with_other("--next-update", "bientôt")),
            2,
            "--next-update (next_update_at): 'bientôt' is not a time",
        ),
        (("publish", *ACCIDENT, "--expires", "-5m"), 2, "--expires (expires_at): '-5m' has passed already"),
        (("publish", *with_other("--headline", "x" * 161)), 1, "headline (--headline): write at most 160"),
        (("publish", *with_other("--category", "trafic_accident")), 2, "Did you mean 'traffic_accident'?"),
        (("publish", "--category", "fire", "--headline", "Feu"), 1, "PN101 block · location"),
    ],
)
def test_an_unprintable_text_is_reported_calmly(run: Run, args: tuple[str, ...], code: int, said: str) -> None:
    ran = run(*args)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert "othing was " in ran.err
    assert "pydantic" not in ran.err
    assert "Traceback" not in ran.err


def test_an_interrupted_publication_may_be_out(run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Publisher, "publish", interrupted)
    ran = run("publish", *ACCIDENT)
    assert ran.code == 130
    assert "It may have been published. Look before you publish it again: policenotify status" in ran.err
    assert run("publish", *ACCIDENT, "--json").document["error"]["published"] == "unknown"
    assert desk.bluesky.posts == ()


@pytest.mark.parametrize("kind", [RuntimeError, ValueError])
def test_an_internal_error_is_reported_by_kind_without_secrets(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def broken(*_args: object, **_named: object) -> None:
        raise kind(desk.bluesky.password)

    monkeypatch.setattr(Publisher, "publish", broken)
    ran = run("publish", *ACCIDENT)
    assert ran.code == 3
    assert f"Unexpected: {kind.__name__}. Show where: policenotify --debug publish …" in ran.err
    assert desk.bluesky.password not in ran.err
    assert "Traceback" in run("publish", *ACCIDENT, "--debug").err
    monkeypatch.setattr(Publications, "latest", broken)
    assert run("status").code == 1


def test_a_preview_is_what_readers_will_read(run: Run, desk: Desk) -> None:
    Image.new("RGB", (40, 30), "red").save("plan.png")
    picture = ("--image", "plan.png", "--alt", "Plan du secteur", "--link", "https://police34.example/a9")
    seen = run("preview", *ACCIDENT, *picture)
    assert seen.code == 0
    assert "bluesky · fr · " in seen.out
    assert " of 300 " in seen.out
    assert "[picture: Plan du secteur]" in seen.out
    assert "[link card: Accident" in seen.out
    assert max(map(len, seen.out.splitlines())) <= 80
    assert "\x1b" not in seen.out
    assert not desk.bluesky.posts
    assert run("status", "--json").document["publications"] == []


def test_a_reply_is_previewed_in_both_wordings(run: Run, desk: Desk) -> None:
    assert run("publish", *ACCIDENT).code == 0
    seen = run("preview", "--end", "2026-4711", "--headline", "Fin d'intervention", "--description", "Rouvert.")
    assert "bluesky · fr · in the thread" in seen.out
    assert "bluesky · fr · alone" in seen.out
    document = run("preview", "--update", "2026-4711", "--headline", "Une voie rouverte", "--json").document
    assert document["allowed"] is True
    post = document["posts"][0]
    assert (post["target"]["channel"], post["target"]["language"]) == ("bluesky", "fr")
    assert len(post["reply"]["text"]) < len(post["standalone"]["text"])
    assert len(desk.bluesky.posts) == 1


def test_the_settings_may_be_named_before_and_after_the_command(run: Run, desk: Desk, tmp_path: Path) -> None:
    settings = tmp_path / "policenotify.toml"
    elsewhere = tmp_path / "other.toml"
    settings.rename(elsewhere)
    assert run("status").code == 1
    assert run("--settings", elsewhere, "status").code == 0
    assert run("status", "--settings", elsewhere).code == 0
    assert run("--settings", "none.toml", "--json", "status", "--settings", elsewhere).code == 0
    assert json.loads(run("--json", "status").out)["error"]["kind"] == "SettingsError"
    assert desk.bluesky.posts == ()


def _evening(minute: int) -> datetime:
    """An evening in Paris: 18h30 has passed, or is still to come."""
    return datetime(2026, 11, 24, 18, minute, tzinfo=PARIS)


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(("answer", "code"), [("oui", Exit.OK), ("no", Exit.USAGE)])
def test_a_person_is_asked_before_an_hour_of_tomorrow_is_published(
    run: Run, monkeypatch: pytest.MonkeyPatch, answer: str, code: Exit
) -> None:
    monkeypatch.setattr(SystemClock, "now", lambda _clock: _evening(45))
    monkeypatch.setattr("policenotify.cli.context.is_terminal", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt: answer)
    ran = run("publish", *with_other("--next-update", "18h30"), "--wait", "10")
    assert "Time: --next-update 18h30: Wednesday 2026-11-25 18:30 (tomorrow)\n    ! No day was given." in ran.err
    assert ran.code == code
    if code is Exit.USAGE:
        assert "Nothing was done: the answer was not yes." in ran.err
        assert "Nothing was published." in ran.err
    assert bool(run("incidents", "--json").document["incidents"]) is (code is Exit.OK)


@pytest.mark.usefixtures("desk")
def test_a_promise_that_is_taken_as_tomorrows_is_remarked_for_programs_too(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SystemClock, "now", lambda _clock: _evening(45))
    promised = with_other("--next-update", "18h30")
    seen = run("preview", *promised, "--json").document
    said = run("publish", *promised, "--wait", "0", "--json").document
    for times, findings in ((seen["times"], seen["findings"]), (said["times"], said["publication"]["findings"])):
        [time] = times
        assert (time["at"], time["day"]) == ("2026-11-25T18:30:00+01:00", "tomorrow")
        assert time["warning"].startswith("No day was given.")
        [remark] = [finding for finding in findings if finding["code"] == "PN109"]
        assert remark["level"] == "advise"
        assert "2026-11-25 18:30, in 23 hours" in remark["reason"]
    assert run("publish", *promised, "--wait", "0", "--json").document["times"] == []  # a repetition publishes nothing

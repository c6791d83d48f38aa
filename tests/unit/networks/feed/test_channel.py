"""What a feed does beyond the contract: its folder, its errors, withdrawals, archives and exercises."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from policenotify.channel import Post, PostRef, StateStore
from policenotify.errors import Blocked, Refused, SettingsError, Unavailable, Unconfirmed
from policenotify.formats.feed import KEPT
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.networks.feed import store as store_module
from policenotify.networks.feed.channel import PublicFeed
from policenotify.testing import FakeClock, InMemoryStateStore
from policenotify.testing.contract.texts import picture
from tests.support.channels import open_channel
from tests.support.feed_items import THREAD, digest
from tests.unit.networks.feed.test_contract import URL, DeniedSystem

ENDED_FOR_GOOD = KEPT.total_seconds()


class Desk:
    """A feed in a folder, and the posts of one incident."""

    def __init__(self, folder: Path, clock: FakeClock, store: StateStore, /, **options: Any) -> None:
        self.folder, self.clock = folder, clock
        folder.mkdir(exist_ok=True)
        defaults: dict[str, Any] = {"url": URL, "folder": folder, "publisher": "Police", "clock": clock, "store": store}
        self.channel = open_channel(PublicFeed, **(defaults | options))
        self.refs: list[PostRef] = []

    def post(self, stage: Stage, headline: str, **fields: Any) -> Post:
        exercise = fields.pop("exercise", False)
        incident = fields.pop("incident", None if stage is Stage.STANDALONE else THREAD)
        corrects = "0" * 26 if stage is Stage.CORRECTION else None
        lifecycle = Lifecycle(stage=stage, incident=incident, corrects=corrects)
        message = Message(category="road_closure", headline=headline, lifecycle=lifecycle, exercise=exercise)
        given = {
            "key": digest(headline),
            "account": self.channel.account,
            "stage": stage,
            "category": "road_closure",
            "language": "fr",
            "title": headline,
            "text": f"{headline}. Évitez le secteur.",
            "created_at": self.clock.now(),
            "message": message,
            "exercise": exercise,
        }
        return Post.model_validate(given | fields)

    def send(self, stage: Stage, headline: str, **fields: Any) -> PostRef:
        self.clock.pass_by(1)
        self.refs.append(
            self.channel.send(self.channel.prepare(self.post(stage, headline, **fields), tuple(self.refs)))
        )
        return self.refs[-1]

    def read(self, path: str) -> str:
        return (self.folder / path).read_text("utf-8")

    def page(self, ref: PostRef) -> str:
        return self.read(str(ref.url).removeprefix(URL))

    def state(self) -> dict[str, tuple[int, int]]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def desk(tmp_path: Path, clock: FakeClock, store: InMemoryStateStore) -> Desk:
    return Desk(tmp_path / "feed", clock, store)


# --- what readers get


def test_a_second_run_writes_nothing(desk: Desk) -> None:
    desk.send(Stage.OPENING, "Rue Foch fermée")
    before = desk.state()

    assert desk.channel.rebuild() == ()
    request = desk.channel.prepare(desk.post(Stage.OPENING, "Rue Foch fermée"), ())
    desk.channel.send(request)
    assert {path: each for path, each in desk.state().items() if path != ".lock"} == {
        path: each for path, each in before.items() if path != ".lock"
    }


def test_a_rebuild_draws_from_the_items_alone(desk: Desk) -> None:
    opening = desk.send(Stage.OPENING, "Rue Foch fermée")
    drawn = ["feed.atom", "feed.json", "feed.rss", "index.html", f"m/{opening.id}.html", f"i/{THREAD}.html"]
    before = {path: desk.read(path) for path in drawn}
    for path in drawn:
        (desk.folder / path).unlink()

    assert set(drawn) <= set(desk.channel.rebuild())
    assert {path: desk.read(path) for path in drawn} == before


def test_files_are_readable_by_the_web_server_whatever_the_umask(desk: Desk) -> None:
    before = os.umask(0o077)
    try:
        opening = desk.send(Stage.OPENING, "Rue Foch fermée", pictures=(picture(1),))
    finally:
        os.umask(before)
    for path in ("feed.atom", f"m/{opening.id}.html", f"media/{picture(1).digest}.png"):
        assert stat.S_IMODE((desk.folder / path).stat().st_mode) == 0o644
    assert stat.S_IMODE((desk.folder / "m").stat().st_mode) == 0o755


def test_unknown_files_stay(desk: Desk) -> None:
    for path in ("robots.txt", "m/notes.txt", "items/readme.txt"):
        (desk.folder / path).parent.mkdir(exist_ok=True)
        (desk.folder / path).write_text("ours")
    desk.send(Stage.OPENING, "Rue Foch fermée")
    desk.channel.rebuild()

    assert [desk.read(path) for path in ("robots.txt", "m/notes.txt", "items/readme.txt")] == ["ours"] * 3


# --- leaving the feed


def test_after_a_week_only_the_pages_stay_and_a_rebuild_keeps_them(desk: Desk) -> None:
    opening = desk.send(Stage.OPENING, "Rue Foch fermée")
    end = desk.send(Stage.END, "Rue Foch rouverte")
    desk.clock.pass_by(ENDED_FOR_GOOD + 60)
    desk.channel.rebuild()

    assert not list((desk.folder / "items").iterdir())
    assert len(list((desk.folder / "archive" / THREAD).iterdir())) == 2
    assert "Rue Foch" not in desk.read("feed.atom")
    assert "rouverte" in desk.page(end)
    (desk.folder / f"m/{opening.id}.html").unlink()
    assert desk.channel.rebuild() == (f"m/{opening.id}.html",)
    assert desk.channel.find(
        desk.channel.prepare(desk.post(Stage.OPENING, "Rue Foch fermée"), ()), since=desk.clock.now()
    )


def test_a_correction_long_after_the_end_finds_its_thread(desk: Desk) -> None:
    opening = desk.send(Stage.OPENING, "Rue Foch fermée")
    desk.send(Stage.END, "Rue Foch rouverte")
    desk.clock.pass_by(ENDED_FOR_GOOD + 60)
    desk.channel.rebuild()
    desk.send(Stage.CORRECTION, "Rue Foch ouverte depuis midi")

    page = desk.read(f"i/{THREAD}.html")
    assert "fermée" in page
    assert "depuis midi" in page
    desk.clock.pass_by(ENDED_FOR_GOOD + 60)
    desk.channel.rebuild()
    assert len(list((desk.folder / "archive" / THREAD).iterdir())) == 3
    assert "fermée" in desk.page(opening)


# --- withdrawals


def test_a_deleted_post_leaves_no_word_and_no_picture_but_its_page(desk: Desk) -> None:
    kept, gone = picture(1), picture(2)
    opening = desk.send(Stage.OPENING, "Rue Foch fermée", pictures=(kept,))
    alone = desk.send(Stage.STANDALONE, "Homme disparu", pictures=(kept, gone))
    desk.channel.delete(alone)
    desk.channel.delete(alone)

    words = [path for path in desk.folder.rglob("*") if path.is_file() and b"disparu" in path.read_bytes()]
    assert not words
    assert "Publication retirée" in desk.page(alone)
    assert (desk.folder / f"media/{kept.digest}.png").exists()
    assert not (desk.folder / f"media/{gone.digest}.png").exists()
    assert "fermée" in desk.page(opening)


def test_a_deleted_post_of_the_archive_leaves_no_word_either(desk: Desk) -> None:
    opening = desk.send(Stage.OPENING, "Rue Foch fermée")
    end = desk.send(Stage.END, "Rue Foch rouverte")
    desk.clock.pass_by(ENDED_FOR_GOOD + 60)
    desk.channel.rebuild()
    desk.channel.delete(opening)

    assert "fermée" not in desk.page(opening) + desk.read(f"i/{THREAD}.html") + desk.page(end)


def test_only_own_posts_are_deleted(desk: Desk) -> None:
    desk.channel.delete(PostRef(account=desk.channel.account, id="0" * 16))
    for ref in (PostRef(account="another", id="0" * 16), PostRef(account=desk.channel.account, id="../x")):
        with pytest.raises(Refused, match="nothing was deleted"):
            desk.channel.delete(ref)


# --- exercises, other feeds, other releases


def test_exercises_and_others_never_share_a_folder(desk: Desk) -> None:
    desk.send(Stage.OPENING, "Rue Foch fermée")
    with pytest.raises(Refused, match="exercises alone, or for none"):
        desk.channel.prepare(desk.post(Stage.STANDALONE, "Exercice", exercise=True), ())


def test_a_feed_of_exercises_is_marked_and_takes_nothing_else(desk: Desk) -> None:
    drill = desk.send(Stage.OPENING, "EXERCICE Rue Foch", exercise=True)
    for path in ("feed.atom", "feed.rss", "feed.json", "index.html"):
        assert "[EXERCICE] Police" in desk.read(path)
    assert "EXERCICE" in desk.page(drill)
    with pytest.raises(Refused, match="exercises alone, or for none"):
        desk.channel.prepare(desk.post(Stage.STANDALONE, "Rue Foch fermée"), ())


def test_the_folder_of_another_feed_is_left_alone(desk: Desk, store: InMemoryStateStore) -> None:
    desk.send(Stage.OPENING, "Rue Foch fermée")
    other = Desk(desk.folder, desk.clock, store, url="https://autre.example/")
    theirs = PostRef(account=other.channel.account, id=desk.refs[0].id)
    before = desk.state()
    for call in (
        other.channel.whoami,
        lambda: other.send(Stage.STANDALONE, "Autre"),
        other.channel.rebuild,
        lambda: other.channel.delete(theirs),
    ):
        with pytest.raises(Blocked, match="is not that of"):
            call()
    assert desk.state() == before


@pytest.mark.parametrize(
    ("owner", "problem"),
    [
        ("[" * 100_000, "is not that of"),
        ('{"account": "alertes.police.example", "exercise": false, "schema_version": 2}', "newer policenotify"),
    ],
)
def test_a_folder_that_is_not_understood_is_left_alone(desk: Desk, owner: str, problem: str) -> None:
    (desk.folder / ".policenotify.json").write_text(owner)
    with pytest.raises(Blocked, match=problem):
        desk.channel.whoami()


def test_an_item_of_a_newer_release_blocks_the_feed(desk: Desk) -> None:
    desk.send(Stage.OPENING, "Rue Foch fermée")
    (desk.folder / f"items/{'f' * 64}.json").write_text('{"schema_version": 2}')
    with pytest.raises(Unconfirmed, match="newer policenotify has written the feed"):  # its own item is written
        desk.send(Stage.UPDATE, "Toujours fermée")
    with pytest.raises(Blocked, match="newer policenotify has written the feed"):
        desk.channel.whoami()
    request = desk.channel.prepare(desk.post(Stage.OPENING, "Rue Foch fermée"), ())
    newer = request.model_copy(update={"body": {"item": {**request.body["item"], "schema_version": 2}}})  # type: ignore[dict-item]
    with pytest.raises(Blocked, match="schema version 2"):
        desk.channel.send(newer)


def test_a_damaged_item_is_reported_because_without_an_end_the_incident_looks_open(desk: Desk) -> None:
    desk.send(Stage.OPENING, "Rue Foch fermée")
    desk.send(Stage.END, "Rue Foch rouverte")
    assert not desk.channel.whoami().note
    path = f"items/{digest('Rue Foch rouverte')}.json"
    whole = desk.read(path)
    (desk.folder / path).write_text(whole[:100])
    (desk.folder / "items/notes.txt").write_text("not ours")

    assert f"1 of the feed's items cannot be read, so that it may show as open what is over: {path}" in (
        str(desk.channel.whoami().note)
    )
    with pytest.raises(Blocked, match=path) as caught:
        desk.channel.rebuild()
    assert str(caught.value.remedy) == "Put it back from a copy. Then: policenotify feed rebuild"
    (desk.folder / path).write_text(whole)
    desk.channel.rebuild()
    assert not desk.channel.whoami().note


# --- failures


@pytest.mark.parametrize("earlier", [0, 1])
def test_a_full_disk_is_named_and_nothing_is_posted(desk: Desk, monkeypatch: pytest.MonkeyPatch, earlier: int) -> None:
    for number in range(earlier):
        desk.send(Stage.STANDALONE, f"Rue {number} fermée")
    request = desk.channel.prepare(desk.post(Stage.OPENING, "Rue Foch fermée"), ())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="is full"):
        desk.channel.send(request)
    monkeypatch.undo()
    assert desk.channel.find(request, since=desk.clock.now()) is None
    ref = desk.channel.send(request)
    assert "fermée" in desk.page(ref)


def test_a_disk_that_fails_while_drawing_leaves_the_post_in_doubt_until_it_is_drawn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = desk.channel.prepare(desk.post(Stage.OPENING, "Rue Foch fermée"), ())
    force = store_module._force

    def failing(folder: Path) -> None:
        force(folder)
        if folder.name == "m":
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(store_module, "_force", failing)
    with pytest.raises(Unconfirmed, match="cannot be read or written"):
        desk.channel.send(request)
    monkeypatch.undo()
    assert not (desk.folder / "feed.atom").exists()
    found = desk.channel.find(request, since=desk.clock.now())
    assert found
    assert "fermée" in desk.page(found)
    assert "fermée" in desk.read("feed.atom")
    assert not desk.channel.whoami().note


def test_a_disk_that_fails_after_the_item_leaves_the_post_in_doubt(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    request = desk.channel.prepare(desk.post(Stage.OPENING, "Rue Foch fermée"), ())
    force = store_module._force

    def failing(folder: Path) -> None:
        if folder.name == "items":
            raise OSError(errno.EIO, "Input/output error")
        force(folder)

    monkeypatch.setattr(store_module, "_force", failing)
    with pytest.raises(Unconfirmed):
        desk.channel.send(request)


def test_a_folder_that_may_not_be_written_blocks_the_channel(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "os", DeniedSystem())
    with pytest.raises(Blocked, match="cannot be read or written"):
        desk.channel.whoami()


def test_a_folder_that_is_not_mounted_is_awaited(desk: Desk) -> None:
    desk.folder.rmdir()
    for call in (desk.channel.whoami, desk.channel.rebuild, lambda: desk.send(Stage.STANDALONE, "Autre")):
        with pytest.raises(Unavailable, match="does not exist"):
            call()
    assert not desk.folder.exists()


def test_a_picture_that_is_gone_is_prepared_again(desk: Desk) -> None:
    request = desk.channel.prepare(desk.post(Stage.OPENING, "Rue Foch fermée", pictures=(picture(1),)), ())
    (desk.folder / f"media/{picture(1).digest}.png").unlink()
    with pytest.raises(Refused) as refused:
        desk.channel.send(request)
    assert refused.value.fallback == "prepare"


def test_another_writer_is_awaited_but_not_for_ever(desk: Desk) -> None:
    request = desk.channel.prepare(desk.post(Stage.OPENING, "Rue Foch fermée"), ())
    other = store_module.Store(desk.folder, wait=1, clock=desk.clock)
    with other.exclusive(), pytest.raises(Unavailable, match="Another process"):
        desk.channel.send(request)
    assert sum(desk.clock.slept) > 9
    desk.channel.send(request)


def test_what_a_killed_process_left_is_removed(desk: Desk) -> None:
    (desk.folder / ".new").mkdir()
    (desk.folder / ".new/feed.atom").write_text("<feed")
    desk.send(Stage.OPENING, "Rue Foch fermée")
    assert not list((desk.folder / ".new").iterdir())


# --- options


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("url", "alertes.police.example", "url: must be an address"),
        ("url", "https://[/", "url: must be an address"),
        ("hubs", ("ftp://hub.example/",), r"hubs\[0\]: must be an address"),
        ("formats", ("atoms",), "formats: 'atoms' is not a format. Did you mean 'atom'"),
        ("zone", "Europe/Montpellier", "zone: there is no time zone 'Europe/Montpellier'"),
        ("folder", Path("feed"), "folder: must be an absolute path"),
    ],
)
def test_a_wrong_option_is_named(desk: Desk, store: InMemoryStateStore, option: str, value: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Desk(desk.folder, desk.clock, store, **{option: value})


def test_a_check_draws_a_feed_without_messages_so_that_no_address_is_missing(desk: Desk) -> None:
    assert not (desk.folder / "index.html").exists()
    desk.channel.whoami()
    assert {"index.html", "feed.atom", "alerts.geojson"} <= {path.name for path in desk.folder.iterdir()}
    assert b"<entry" not in (desk.folder / "feed.atom").read_bytes()


def test_a_folder_that_any_user_may_write_is_noted(desk: Desk) -> None:
    assert not desk.channel.whoami().note
    desk.folder.chmod(0o777)
    assert "Any user of this machine may write" in str(desk.channel.whoami().note)


def test_an_address_without_encryption_is_noted(desk: Desk, store: InMemoryStateStore) -> None:
    plain = Desk(desk.folder, desk.clock, store, url="http://alertes.police.example/flux")
    assert "not encrypted" in str(plain.channel.whoami().note)
    assert plain.channel.account == "alertes.police.example/flux"


def test_a_language_without_phrases_is_refused_where_it_is_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"language: there are no phrases for 'oc'\. .*\[languages\] oc = "):
        open_channel(PublicFeed, url=URL, folder=tmp_path, publisher="Police", language="oc")

"""One message from publish() to its readers, through the unmodified SDKs."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from policenotify.audiences import Consent, Subscriber
from policenotify.errors import (
    IdempotencyConflict,
    IncidentNotFound,
    InvalidImage,
    InvalidTransition,
    MessageRejected,
    MessageTooLong,
    PublishingStopped,
    SettingsError,
)
from policenotify.journal.publications import Publications
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Category, Image, Message, Translation
from policenotify.model.receipt import Publication
from policenotify.publishing import publisher as publisher_module
from policenotify.publishing.publisher import Publisher
from policenotify.publishing.routing import Route
from policenotify.testing.samples import SAMPLES
from policenotify.testing.servers.http import Answer
from tests.support.audiences import ListedPeople
from tests.support.installation import ADDRESSES, INCIDENT, Desk, accident

PUT = ("POST", "/xrpc/com.atproto.repo.putRecord")
TIP = Message(category=Category.SCAM_CYBER, headline="Faux conseiller bancaire", instruction="Raccrochez.")


@pytest.fixture
def publisher(desk: Desk) -> Publisher:
    return desk.publisher()


def test_recruitment_goes_to_nobody_who_did_not_consent(desk: Desk, publisher: Publisher) -> None:
    posting = Message(category=Category.RECRUITMENT, headline="Concours de gardien", instruction="Inscrivez-vous.")
    said = publisher.publish(posting, key="one", actor="desk")
    assert (said.on("bluesky").outcome, said.on("presse").outcome) == (Outcome.POSTED, Outcome.SKIPPED)
    assert "nobody there consented" in str(said.on("presse").reason)
    assert "suppressed" not in str(said.on("presse").remedy)
    assert desk.mail.mails == []


@pytest.mark.slow
def test_every_sample_is_published_end_to_end(desk: Desk) -> None:
    class StoryClock:
        """The time of the sample, ticking."""

        ahead = timedelta(0)

        def now(self) -> datetime:
            return datetime.now(UTC) + self.ahead

        monotonic = staticmethod(time.monotonic)
        sleep = staticmethod(time.sleep)

    desk.clock = clock = StoryClock()
    consent = Consent(at=datetime(2026, 3, 14, tzinfo=UTC), source="guichet")  # which recruitment needs
    people = [Subscriber(position=0, address=address, consent=consent) for address in ADDRESSES]
    publisher = desk.publisher([desk.on_bluesky(), desk.by_mail(audiences=[ListedPeople(people)])])
    published: dict[tuple[str | None, int], str] = {}
    for sample in sorted(SAMPLES, key=lambda one: one.at):
        clock.ahead = sample.at - datetime.now(UTC)
        message = sample.message
        if message.lifecycle.corrects is not None:  # the id that the correction names is this journal's
            last = publisher.operations.incident(str(message.incident)).id
            lifecycle = message.lifecycle.model_copy(update={"corrects": last})
            message = message.model_copy(update={"lifecycle": lifecycle})
        publication = publisher.publish(message, key=sample.id, actor="desk")
        publication.raise_for_failures()
        published[publication.incident, publication.sequence] = publication.id
    assert len(desk.bluesky.posts) == len(SAMPLES) == 26
    assert all(len(desk.mail.mailbox(address)) == 26 for address in ADDRESSES)
    tags = {link.to for post in desk.bluesky.posts for link in post.tags}
    assert {"Accident", "ColisSuspect", "Montpellier", "AppelÀTémoins"} <= tags


def test_preview_is_exactly_what_publish_sends(desk: Desk, publisher: Publisher) -> None:
    preview = publisher.preview(accident())
    assert preview.allowed
    before = len(desk.bluesky.posts)
    assert before == 0
    assert publisher.journal.publications.latest(9) == ()
    publisher.publish(accident(), key="open", actor="desk")
    texts = {wording.target.channel: wording.standalone.text for wording in preview.posts}
    assert [post.text for post in desk.bluesky.posts] == [texts["bluesky"]]
    body = desk.mail.mailbox(ADDRESSES[0])[0].message.get_body(("plain",))
    assert body is not None
    assert body.get_content().split() == texts["presse"].split()


def test_the_same_key_publishes_once(desk: Desk, publisher: Publisher) -> None:
    first = publisher.publish(accident(), key="open", actor="desk")
    again = publisher.publish(accident(), key="open", actor="another")
    assert (again.id, again.repeated, again.actor) == (first.id, True, "desk")
    assert len(desk.bluesky.posts) == 1
    with pytest.raises(IdempotencyConflict, match=first.id):
        publisher.publish(accident(headline="Autre chose"), key="open", actor="desk")
    assert len(desk.bluesky.posts) == 1


@pytest.mark.parametrize("stage", [Stage.OPENING, Stage.END])
@pytest.mark.parametrize("at", [(publisher_module, "prepare"), (Publications, "add")])
def test_a_key_that_another_process_used_meanwhile_is_reported_as_repeated(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, stage: Stage, at: tuple[Any, str]
) -> None:
    """The second at one instant gets the receipt of the first: no error, and no "published"."""
    slow, fast = desk.publisher(), desk.publisher()
    message = accident()
    if stage is Stage.END:
        message = slow.publish(message, key="open", actor="desk").end("Fin d'intervention")
    before, on_time = len(desk.bluesky.posts), getattr(*at)
    said: list[Publication] = []

    def late(*args: Any, **named: Any) -> object:
        monkeypatch.undo()
        said.append(fast.publish(message, key="same", actor="fast"))
        return on_time(*args, **named)

    monkeypatch.setattr(*at, late)
    again = slow.publish(message, key="same", actor="slow")
    assert [(one.id, one.repeated) for one in (*said, again)] == [(again.id, False), (again.id, True)]
    assert again.actor == "fast"
    assert len(desk.bluesky.posts) == before + 1


@pytest.mark.parametrize("stage", [Stage.OPENING, Stage.END])
def test_of_two_processes_at_once_one_wins_and_the_other_is_informed(desk: Desk, stage: Stage) -> None:
    desks = [desk.publisher(), desk.publisher()]
    if stage is Stage.END:
        desks[0].publish(accident(), key="open", actor="desk")
    message = accident() if stage is Stage.OPENING else desks[0].operations.incident(INCIDENT).end("Fin d'intervention")
    barrier, told = Barrier(2), list[Publication | InvalidTransition]()

    def publish(number: int) -> None:
        barrier.wait()
        try:
            said = message.model_copy(update={"headline": f"{message.headline} {number}"})
            told.append(desks[number].publish(said, key=f"desk {number}", actor=f"desk {number}"))
        except InvalidTransition as error:
            told.append(error)

    threads = [Thread(target=publish, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [lost] = [one for one in told if isinstance(one, InvalidTransition)]
    assert ("is already open" if stage is Stage.OPENING else "has ended") in str(lost)
    assert "Nothing was sent" in str(lost)
    assert len(desk.bluesky.posts) == (1 if stage is Stage.OPENING else 2)


def test_an_update_to_a_failed_opening_is_worded_to_read_alone(desk: Desk, publisher: Publisher) -> None:
    refusal = Answer.json({"error": "InvalidRequest", "message": "Invalid app.bsky.feed.post record"}, status=400)
    desk.bluesky.fail_next(*PUT, refusal)
    opened = publisher.publish(accident(), key="open", actor="desk")
    assert opened.on("bluesky").outcome is Outcome.REFUSED
    assert opened.on("bluesky").remedy or opened.on("bluesky").reason
    assert opened.on("presse").outcome is Outcome.POSTED
    updated = publisher.publish(opened.update("Une voie rouverte"), key="update", actor="desk")
    [post] = desk.bluesky.posts
    assert post.parent is None
    assert "accident de la circulation" not in post.text.casefold()  # readers never got that
    assert "MISE À JOUR" in post.text
    assert updated.on("bluesky").standalone
    assert not updated.on("presse").standalone


def test_a_message_forbidden_by_the_checks_is_kept_and_not_sent(desk: Desk, publisher: Publisher) -> None:
    nowhere = accident(location=None, severity=Severity.SEVERE, instruction="Évitez le secteur. " * 30)
    with pytest.raises(MessageRejected) as caught:
        publisher.publish(nowhere, key="open", actor="desk")
    assert caught.value.publication is not None
    assert any(finding.field.startswith("location") for finding in caught.value.findings)
    assert desk.bluesky.posts == ()
    assert publisher.operations.incidents() == ()
    publisher.publish(accident(), key="open", actor="desk").raise_for_failures()  # the key was still free


LONG_TEXT = "Évitez le secteur. " + "Fermez vos fenêtres et suivez les consignes des policiers. " * 10


def test_a_text_too_long_for_one_post_is_a_thread_of_several(desk: Desk, publisher: Publisher) -> None:
    opened = publisher.publish(accident(instruction=LONG_TEXT), key="open", actor="desk")
    updated = publisher.publish(
        opened.update("Une voie rouverte", instruction="Roulez au pas."), key="update", actor="desk"
    )
    for publication in (opened, updated):
        publication.raise_for_failures()
    *thread, update = desk.bluesky.posts
    assert [post.text[-6:] for post in thread] == [f" ({n}/{len(thread)})" for n in range(1, len(thread) + 1)]
    root = thread[0]
    assert [(post.root, post.parent) for post in thread[1:]] == [(root.uri, before.uri) for before in thread[:-1]]
    assert (update.root, update.parent) == (root.uri, thread[-1].uri)
    assert len(opened.receipts) == len(thread) + 1
    assert [len(each) for each in desk.mail.threads(ADDRESSES[0])] == [2]
    foreseen = desk.publisher([desk.on_bluesky(on_cancellation="delete")]).preview(updated.cancel("Fausse alerte"))
    assert [(leg.target, leg.target_part) for leg in foreseen.deletions] == [
        (updated.id, 0),
        *((opened.id, part) for part in reversed(range(len(thread)))),
    ]


def test_continuations_are_not_sent_without_the_first_post(desk: Desk) -> None:
    desk.bluesky.fail_next(*PUT, Answer.json({"error": "InvalidRequest", "message": "no"}, 400))
    publication = desk.publisher([desk.on_bluesky()]).publish(accident(instruction=LONG_TEXT), key="open", actor="desk")
    first, *others = publication
    assert first.outcome is Outcome.REFUSED
    assert {receipt.outcome for receipt in others} == {Outcome.SUPERSEDED}
    assert "continues another post" in str(others[0].reason)
    assert not desk.bluesky.posts


def test_a_message_that_does_not_fit_is_refused_before_anything_is_written(desk: Desk) -> None:
    mute = desk.on_bluesky()
    publisher = desk.publisher([mute.model_copy(update={"capabilities": replace(mute.capabilities, replies=False)})])
    with pytest.raises(MessageTooLong, match="bluesky"):
        publisher.publish(accident(instruction="Évitez le secteur " * 30), key="open", actor="desk")
    assert publisher.operations.incidents() == ()


def test_a_message_without_a_route_is_an_error(desk: Desk) -> None:
    publisher = desk.publisher(routes=[Route(to=("presse",), categories=frozenset({"fire"}))])
    with pytest.raises(SettingsError, match="no route takes this scam_cyber message"):
        publisher.publish(TIP, key="tip", actor="desk")
    assert publisher.journal.publications.latest(9) == ()


def test_an_invalid_transition_names_open_incidents_and_allowed_stages(publisher: Publisher) -> None:
    publisher.publish(accident(), key="open", actor="desk", wait=timedelta(0))
    with pytest.raises(IncidentNotFound, match=f"{INCIDENT} .traffic_accident, Montpellier"):
        publisher.operations.incident("2026-0001")
    lost = accident().followed_by(Stage.END, headline="Fin", incident="2026-0001")
    with pytest.raises(InvalidTransition, match=INCIDENT):
        publisher.publish(lost, key="end", actor="desk")
    with pytest.raises(InvalidTransition, match=r"What may follow: update, correction, end, cancellation"):
        publisher.publish(accident(headline="Encore"), key="again", actor="desk")


@pytest.mark.parametrize("drill", [True, False])
@pytest.mark.parametrize("stage", [Stage.UPDATE, Stage.END])
def test_an_exercise_and_what_is_none_are_never_of_one_incident(desk: Desk, stage: Stage, *, drill: bool) -> None:
    """An exercise's update would reach the public unmarked, and an end that is skipped everywhere would close it."""
    publisher = desk.publisher([desk.on_bluesky(exercise=True), desk.by_mail()])
    opened = publisher.publish(accident(exercise=drill), key="open", actor="desk")
    before = len(desk.bluesky.posts), len(desk.mail.mails)
    following = {"update": opened.update, "end": opened.end, "correction": opened.correct}.get(stage, opened.cancel)
    mixed = following("Fin d'intervention", exercise=not drill)
    with pytest.raises(InvalidTransition, match=f"exercise={drill}"):
        publisher.publish(mixed, key="mixed", actor="desk")
    assert (len(desk.bluesky.posts), len(desk.mail.mails)) == before
    assert [one.id for one in publisher.operations.incidents()] == [INCIDENT]
    assert publisher.publish(following("Fin d'intervention"), key="same", actor="desk").ok


def test_a_correction_replies_to_the_corrected_message(desk: Desk, publisher: Publisher) -> None:
    opened = publisher.publish(accident(), key="open", actor="desk")
    ended = publisher.publish(opened.end("Fin d'intervention"), key="end", actor="desk")
    publisher.publish(opened.correct("L'accident a lieu avenue de Lodève"), key="right", actor="desk")
    first, _end, correction = desk.bluesky.posts
    assert "RECTIFICATIF" in correction.text
    assert (correction.root, correction.parent) == (first.uri, first.uri)
    elsewhere = Lifecycle(stage=Stage.CORRECTION, incident=INCIDENT, corrects="0" * 26)
    strange = ended.correct("Rien").model_copy(update={"lifecycle": elsewhere})
    with pytest.raises(InvalidTransition, match="is not of incident"):
        publisher.publish(strange, key="strange", actor="desk")


def test_a_cancelled_incident_is_final(desk: Desk, publisher: Publisher) -> None:
    opened = publisher.publish(accident(), key="open", actor="desk")
    publisher.publish(opened.cancel("Fausse alerte"), key="cancel", actor="desk")
    assert "ANNULATION" in desk.bluesky.posts[1].text
    with pytest.raises(InvalidTransition, match="final"):
        publisher.publish(opened.end("Fin"), key="end", actor="desk")


def test_a_standalone_message_is_corrected_and_cancelled_once(desk: Desk, publisher: Publisher) -> None:
    said = publisher.publish(TIP, key="tip", actor="desk")
    publisher.publish(said.correct("Le bon numéro est le 0 805 805 817"), key="right", actor="desk")
    publisher.publish(said.cancel("Message retiré"), key="cancel", actor="desk")
    first, correction, cancellation = desk.bluesky.posts
    assert correction.parent == first.uri
    assert cancellation.root == first.uri
    with pytest.raises(InvalidTransition, match="was cancelled"):
        publisher.publish(said.correct("Encore"), key="again", actor="desk")
    nothing = TIP.followed_by(Stage.CORRECTION, headline="x", incident=None, corrects="0" * 26)
    with pytest.raises(InvalidTransition, match="no publication"):
        publisher.publish(nothing, key="n", actor="d")
    opened = publisher.publish(accident(), key="open", actor="desk", wait=timedelta(0))
    alone = TIP.followed_by(Stage.CORRECTION, headline="x", incident=None, corrects=opened.id)
    with pytest.raises(InvalidTransition, match="name that one"):
        publisher.publish(alone, key="n", actor="d")


def test_pictures_are_stripped_stored_once_and_shown(desk: Desk, publisher: Publisher, tmp_path: Path) -> None:
    from PIL import Image as Pillow  # noqa: PLC0415 - only here

    exif = Pillow.Exif()
    exif[0x010E] = "SECRET-PLACE"
    stream = io.BytesIO()
    Pillow.new("RGB", (64, 48), (200, 30, 30)).save(stream, "JPEG", exif=exif)
    (tmp_path / "photo.jpg").write_bytes(stream.getvalue())
    image = Image(path=tmp_path / "photo.jpg", alt="La chaussée barrée par deux véhicules")
    opened = publisher.publish(accident(images=[image]), key="open", actor="desk")
    [shown] = desk.bluesky.posts[0].images
    assert shown.alt == image.alt
    assert b"SECRET-PLACE" not in shown.data
    mail = desk.mail.mailbox(ADDRESSES[0])[0].raw
    assert b"SECRET-PLACE" not in mail
    digest = opened.message.images[0].digest
    publisher.publish(opened.update("Photo", images=[Image(digest=digest, alt=image.alt)]), key="u", actor="desk")
    assert desk.bluesky.posts[1].images[0].data == shown.data
    with pytest.raises(InvalidImage, match="cannot be used"):
        publisher.publish(accident(images=[Image(path=Path("nowhere.jpg"), alt=image.alt)]), key="n", actor="desk")
    with pytest.raises(InvalidImage, match="has no picture"):
        publisher.publish(accident(images=[Image(digest="0" * 64, alt=image.alt)]), key="n", actor="desk")
    raw = accident(images=[Image(data=b"bm90IGEgcGljdHVyZQ==", alt=image.alt)])
    with pytest.raises(InvalidImage):
        publisher.publish(raw, key="n", actor="desk")


def test_a_second_language_hangs_under_the_first(desk: Desk) -> None:
    publisher = desk.publisher([desk.on_bluesky(languages=("fr", "en"))])
    english = Translation(language="en", headline="Road accident", instruction="Avoid the area.")
    opened = publisher.publish(accident(translations=[english]), key="open", actor="desk")
    assert [receipt.language for receipt in opened] == ["fr", "en"]
    french, other = desk.bluesky.posts
    assert other.langs == ("en",)
    assert other.parent == french.uri
    unknown = desk.publisher([desk.on_bluesky(languages=("oc",))])
    occitan = Translation(language="oc", headline="Accident de camin")
    message = accident(translations=[occitan], lifecycle=Lifecycle(stage=Stage.OPENING))
    with pytest.raises(SettingsError, match="'oc'"):
        unknown.publish(message, key="oc", actor="desk")


@pytest.mark.parametrize("stage", [Stage.UPDATE, Stage.CORRECTION])
def test_a_renamed_channel_keeps_its_readers(desk: Desk, publisher: Publisher, stage: Stage) -> None:
    said = publisher.publish(accident(), key="open", actor="desk")
    other = desk.publisher([desk.on_bluesky("sky"), desk.by_mail()])
    corrects = said.id if stage is Stage.CORRECTION else None
    then = said.message.followed_by(stage, headline="Une voie rouverte", incident=INCIDENT, corrects=corrects)
    assert other.preview(then).posts[0].target.channel == "sky"
    assert [(one.channel, one.outcome) for one in other.publish(then, key="then", actor="desk")] == [
        ("presse", Outcome.POSTED),
        ("sky", Outcome.POSTED),
    ]
    assert len(desk.bluesky.posts) == 2
    assert desk.bluesky.posts[1].parent is None


def test_stop_halts_everything_until_resume(desk: Desk, publisher: Publisher) -> None:
    publisher.publish(accident(), key="open", actor="desk", wait=timedelta(0))
    publisher.journal.stop("commandant", "piratage")
    with pytest.raises(PublishingStopped, match=r"commandant .piratage."):
        publisher.publish(TIP, key="tip", actor="desk")
    publisher.drain(timedelta(seconds=1))
    assert desk.bluesky.posts == ()
    publisher.journal.resume("commandant")
    publisher.drain(timedelta(seconds=5))
    assert len(desk.bluesky.posts) == 1


@pytest.mark.parametrize("wait", ["10", float("nan"), float("inf"), 1e300])
def test_an_invalid_wait_is_refused_before_anything_is_written(publisher: Publisher, wait: Any) -> None:
    with pytest.raises(ValueError, match="nothing was sent"):
        publisher.publish(TIP, key="tip", actor="desk", wait=wait)
    assert publisher.operations.publication("tip") is None


def test_two_channels_of_one_account_are_refused(desk: Desk) -> None:
    with pytest.raises(SettingsError, match=r"channels\.bluesky and channels\.other: are the same account"):
        desk.publisher([desk.on_bluesky(), desk.on_bluesky("other")])

"""The default key of a message that is typed: by which a second Enter publishes nothing twice."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from itertools import count

from policenotify.cli.options import Typed
from policenotify.cli.times import TIMES, is_span
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.images import read_picture
from policenotify.publishing.publisher import Publisher

_TYPED_TWICE = timedelta(minutes=10)  # in which the same message is the same, not news


def default_key(message: Message, typed: Typed, publisher: Publisher) -> str:
    """Return the default key: that of the same message if it was typed just now, else a new one.

    Of a time that was typed as a span from now the key holds what was typed: `+30m` typed again a second later is still
    the same message. See `_is_repeated` for what was typed just now. The second message of one content has a number in
    its key, so that two commands at the same moment have the same key.

    Raises:
        InvalidImage: An image's file cannot be used.
    """
    content = key = _content_key(message, typed)
    for number in count(2):
        if published := publisher.operations.publication(key):
            free = _is_repeated(message, published, publisher)
        else:
            draft = publisher.journal.drafts.get(key)
            free = draft is None or draft.state.is_open  # what was rejected or withdrawn may be written again
        if free:
            return key
        key = f"{content}-{number}"
    raise AssertionError("numbers do not end")  # pragma: no cover - for type checkers


def _is_repeated(message: Message, published: Publication, publisher: Publisher) -> bool:
    """Return True if a message is one that was published, typed twice: by a second Enter, or a script that tries again.

    Not after a withdrawal or a cancellation, nor where every channel refused it. Else what is published on no channel
    yet is repeated, and so are the opening and the end of an incident. Anything else is for ten minutes, or until the
    next update that it promised is due: "no change" is news then.
    """
    incidents = publisher.journal.incidents
    first = published.message.lifecycle.corrects or published.id
    history = incidents.history(published.incident) if published.incident else incidents.history_of(first)
    entries = history.entries if history else ()
    place = next((number for number, entry in enumerate(entries) if entry.publication == published.id), None)
    if history is None or place is None or entries[place].withdrawn:
        return False
    if any(entry.stage is Stage.CANCELLATION for entry in entries[place + 1 :]):
        return False
    if message.incident and message.stage in {Stage.OPENING, Stage.END, Stage.CANCELLATION}:
        return message.stage is not Stage.END or history.status is not IncidentStatus.OPEN
    outcomes = {receipt.outcome for receipt in published}
    if Outcome.POSTED not in outcomes:
        return not all(outcome.is_final for outcome in outcomes)
    now, due = publisher.journal.now(), published.message.next_update_at
    return now - published.at < _TYPED_TWICE and not (due and due <= now)


def _content_key(message: Message, typed: Typed) -> str:
    spans = {name: typed[option].strip() for name, option in TIMES.items() if typed[option] and is_span(typed[option])}
    stable = message.model_copy(update=dict.fromkeys(spans))
    images = [hashlib.sha256(read_picture(image.path)).hexdigest() for image in message.images if image.path]
    words = sorted(map("=".join, spans.items()))
    content = "\n".join((message.incident or "", message.stage, stable.digest(), *words, *images))
    return f"cli-{hashlib.sha256(content.encode()).hexdigest()[:40]}"

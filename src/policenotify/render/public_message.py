"""The message itself, for networks that carry more than words: feeds, alerts, webhooks."""

from __future__ import annotations

from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Known, Message, Translation
from policenotify.text.characters import clean, one_line


def public_message(message: Message, *, thread: str, label: str) -> Message:
    """Return what of a resolved message may be public.

    The place of a resolved message is already blurred, and its texts have no house numbers. Here the dispatch system's
    ids and the basis of the publication are left out, and all texts lose their invisible characters.

    Args:
        message: The resolved message.
        thread: What stands for the incident's id: 16 hexadecimal digits.
        label: What replaces a headline of which nothing is visible.
    """

    def words(text: Message | Translation) -> dict[str, object]:
        known = text.known and {name: one_line(sentence or "") or None for name, sentence in text.known}
        return {
            "headline": one_line(text.headline) or label,
            "description": clean(text.description),
            "instruction": clean(text.instruction),
            "known": Known(**known) if known and any(known.values()) else None,
        }

    lifecycle = message.lifecycle
    return message.model_copy(
        update={
            **words(message),
            "lifecycle": Lifecycle(
                stage=lifecycle.stage,
                incident=thread if lifecycle.incident else None,
                corrects=lifecycle.corrects if lifecycle.stage in {Stage.CORRECTION, Stage.CANCELLATION} else None,
                reopens=lifecycle.reopens,
            ),
            "translations": tuple(
                each.model_copy(update={**words(each), "alts": tuple(one_line(alt) or label for alt in each.alts)})
                for each in message.translations
            ),
            "images": tuple(each.model_copy(update={"alt": one_line(each.alt) or label}) for each in message.images),
            "basis": (),
        }
    )

"""The message itself, for networks that carry more than words: feeds, alerts, webhooks."""

from __future__ import annotations

from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.model.texts import TextField, TextKind, reworded
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

    def cleaned(field: TextField) -> str:
        if field.kind is TextKind.PROSE:
            return clean(field.text)
        return one_line(field.text) or (label if field.is_required else "")

    lifecycle = message.lifecycle
    return reworded(message, cleaned).model_copy(
        update={
            "lifecycle": Lifecycle(
                stage=lifecycle.stage,
                incident=thread if lifecycle.incident else None,
                corrects=lifecycle.corrects if lifecycle.stage in {Stage.CORRECTION, Stage.CANCELLATION} else None,
                reopens=lifecycle.reopens,
            ),
            "basis": (),
        }
    )

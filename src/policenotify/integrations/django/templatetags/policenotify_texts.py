"""Filters of pages: `{{ receipt.reason|say }}` is a text of policenotify in the language of the user."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

from django import template

from policenotify.integrations.django import forms, language, publisher
from policenotify.model.history import RenderedPost
from policenotify.model.post import Picture, Post

register = template.Library()
register.filter("say", language.say)
register.filter("worded", forms.worded)


@register.filter  # type: ignore[untyped-decorator]  # Django has no types
def wordings(rendered: RenderedPost) -> Iterator[Post]:
    """Yield what readers see of a post: as a reply, if it may be one, else alone; then what continues it."""
    yield rendered.reply if rendered.reply is not None and rendered.target.reply_to else rendered.alone
    yield from rendered.continuations


@register.filter  # type: ignore[untyped-decorator]  # Django has no types
def has_title(rendered: RenderedPost) -> bool:
    """Return whether readers on its network see the title of a post, as in a mail."""
    return publisher().installation.channel_configs[rendered.target.channel].capabilities.title


@register.filter  # type: ignore[untyped-decorator]  # Django has no types
def data_uri(picture: Picture) -> str:
    """Return a picture as a page may hold it."""
    return f"data:{picture.media_type};base64,{b64encode(picture.data).decode()}"

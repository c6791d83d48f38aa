"""Find the post of ours that a reply can hang under so that readers see it.

Networks show a reply as part of its thread. Below a deleted post they show nothing, so a reply needs every post above
it, up to the one that starts the thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from policenotify.channel import PostRef

ParentOf = Callable[[str], str | None]
"""Return the id of the post that a post answers, or `None` for one that starts a thread.

It raises `LookupError` when there is no such post any more.
"""


def newest_connected(answers: Sequence[PostRef], parent_of: ParentOf) -> PostRef | None:
    """Return the newest post whose thread above it is whole, or `None`.

    Args:
        answers: Our earlier posts, from the opening to the last one.
        parent_of: Asks the network about one post. It is asked about each post once at most.
    """
    known: dict[str, bool] = {}
    return next((ref for ref in reversed(answers) if _is_connected(ref.id, parent_of, known)), None)


def is_connected(post: str, parent_of: ParentOf) -> bool:
    """Return True if the post is there, and every post above it."""
    return _is_connected(post, parent_of, {})


def _is_connected(post: str, parent_of: ParentOf, known: dict[str, bool]) -> bool:
    path: list[str] = []
    here: str | None = post
    connected = True
    while here is not None and connected:
        if here in known:
            connected = known[here]
            break
        known[here] = False  # until the way up is known; it also ends a circle
        path.append(here)
        try:
            here = parent_of(here)
        except LookupError:
            connected = False
    known.update(dict.fromkeys(path, connected))
    return connected

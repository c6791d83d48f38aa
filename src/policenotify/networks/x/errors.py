"""Why X says no, and what each reason means for a post.

The words are X's own, as seen in its answers; it has no list of them. What is not here is judged by its status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policenotify.errors import Blocked, Refused, Unavailable

ON_X: Final = "then: policenotify doctor"


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason that X gives, and what it means.

    Attributes:
        kind: What the channel raises.
        reason: What happened.
        remedy: What to do now.
        words: Any of these in an answer tells it, in small letters.
        codes: Any of these numbers does; they are of API v1.1, and still come.
        more: Further arguments of the error.
    """

    kind: type[Refused | Blocked | Unavailable]
    reason: str
    remedy: str
    words: tuple[str, ...]
    codes: frozenset[int] = frozenset()
    more: Mapping[str, Any] = field(default_factory=dict)


DUPLICATE = Reason(
    Refused,
    "X refuses the post: this account has said the very same lately.",
    "Nothing was published. It will be posted once more, with its reference and the hour. If X refuses that, too: "
    "change the wording, and publish it again with another key.",
    ("duplicate content",),
    frozenset({187}),
    {"fallback": "distinct"},
)
GONE = Reason(
    Refused,
    "The post is not on X.",
    "",
    ("resource-not-found", "no status found with that id"),
    frozenset({144}),
)
MISSING_PARENT = Reason(
    Refused,
    "X does not find the post that this one answers.",
    "It will be posted once more, to stand alone.",
    ("deleted or not visible to you",),
    frozenset({385}),
    {"fallback": "standalone"},
)
CREDITS = Reason(
    Blocked,
    "The credits for X's interface are used up; nothing more can be posted.",
    f"Buy credits on developer.x.com (best with an automatic top-up), {ON_X}",
    ("creditsdepleted", "credits depleted"),
)
PERMISSIONS = Reason(
    Blocked,
    "X says that its app may not do this.",
    'On developer.x.com put the app into a project and set its permissions to "Read and write", then make new '
    f"tokens (old ones keep the old permissions), put them into the settings, {ON_X}",
    (
        "oauth1-permissions",
        "oauth2-permissions",
        "app permissions",
        "read-only application",
        "client-forbidden",
        "client-not-enrolled",
        "unsupported-authentication",
        "unsupported authentication",
        "required scope",
        "subset of x api",
        "subset of twitter api",
    ),
    frozenset({261, 453}),
)
CLOCK = Reason(
    Blocked,
    "This machine's clock is wrong: X does not accept what is signed with it.",
    f"Set the clock (NTP), {ON_X}",
    ("timestamp out of bounds",),
    frozenset({135}),
)
REASONS = (
    DUPLICATE,
    CREDITS,
    MISSING_PARENT,
    Reason(
        Refused,
        "X does not let this account answer there, not even its own post.",
        'It will be posted once more, to stand alone. If that happens again: link_mode = "standalone" in the settings.',
        ("reply to this conversation is not allowed", "not allowed to reply", "restricted who can reply"),
        frozenset({433}),
        {"fallback": "standalone"},
    ),
    Reason(
        Refused,
        "X no longer has the post's pictures, or does not accept them.",
        "They will be uploaded anew.",
        ("media ids are invalid", "invalid media id", "media id was not found", "validation of media ids"),
        frozenset({324, 325}),
        {"fallback": "prepare"},
    ),
    Reason(
        Blocked,
        "X has suspended this account or its app; nothing can be posted from it.",
        f"Log in on x.com and developer.x.com to see why, settle it with X, {ON_X}",
        ("suspended",),
        frozenset({64, 416}),
    ),
    Reason(
        Blocked,
        "X has locked this account; nothing can be posted from it.",
        f"Log in on x.com, unlock the account, {ON_X}",
        ("temporarily locked", "account is locked"),
        frozenset({326}),
    ),
    PERMISSIONS,
    Reason(
        Unavailable,
        "X says that this account or its app has posted too much today.",
        "It will be tried again.",
        ("daily status update limit", "usage cap exceeded: daily"),
        frozenset({185}),
        {"whole_channel": True},
    ),
    Reason(
        Blocked,
        "The app's quota of posts on X is used up.",
        f"Raise the quota or buy credits on developer.x.com, {ON_X}",
        ("usage-capped", "usage cap"),
    ),
    Reason(
        Unavailable,
        "X takes this post for an automated one and does not let it through now.",
        "It will be tried again. If that goes on, log in on x.com and confirm that the account is yours.",
        ("might be automated",),
        frozenset({226}),
    ),
    CLOCK,
    Reason(
        Refused,
        "The text is too long for this account. Nothing was posted.",
        "Shorten the text, and set the channel's `limit` to what the account may post (280 without Premium).",
        ("needs to be a bit shorter", "text is too long"),
        frozenset({186}),
    ),
    Reason(
        Refused,
        "X does not permit this post, and does not say why.",
        "Shorten the text (280 without Premium), leave out mentions, or post without pictures. If X refuses every "
        f'post, check on developer.x.com that the app has "Read and write", {ON_X}',
        ("not permitted to perform this action",),
    ),
)  # fmt: skip

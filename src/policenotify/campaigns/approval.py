"""The approval of campaigns: other people read each message once, and the runner publishes it on each of its days."""

from __future__ import annotations

from collections.abc import Sequence

from policenotify.campaigns.model import Campaign, Variant
from policenotify.campaigns.schedule import KEY_PREFIX
from policenotify.findings import APPROVAL_MISSING
from policenotify.model.draft import Draft, DraftState
from policenotify.publishing.publisher import Publisher
from policenotify.translation import AnyText, Text


def submit(
    publisher: Publisher,
    campaigns: Sequence[Campaign],
    *,
    actor: str,
    reason: str = "",
    authenticated: bool = False,
) -> tuple[Draft, ...]:
    """Submit the messages of campaigns that other people must read. Nothing is published.

    An approval counts for all days of the campaign, for a year at most. A message that was changed since is submitted
    again. A repeated call submits nothing twice. Another person approves: `publisher.drafts.approve`. For *reason* and
    *authenticated* see `Drafts.submit` and `Drafts`.

    Returns:
        The drafts of all messages that need an approval, those that have it included.

    Raises:
        ApprovalMissing: No approval of a message would count.
        ValueError: A message needs a reason.
    """
    drafts = []
    for campaign in campaigns:
        for variant in campaign.messages:
            if not needs_approval(publisher, campaign, variant):
                continue
            draft = find_draft(publisher, campaign, variant)
            if draft is None or (authenticated and _is_left(draft)):
                draft = publisher.drafts.create(
                    variant.message,
                    actor=actor,
                    for_keys=_keys(campaign),
                    to=campaign.to or None,
                    authenticated=authenticated,
                )
            if draft.state is not DraftState.RETURNED:
                draft = publisher.drafts.submit(draft.id, actor=actor, reason=reason)
            drafts.append(draft)
    return tuple(drafts)


def needs_approval(publisher: Publisher, campaign: Campaign, variant: Variant) -> bool:
    """Return True if others must read a message before it is published."""
    preview = publisher.preview(variant.message, to=campaign.to or None)
    return any(finding.code == APPROVAL_MISSING for finding in preview.findings)


def find_draft(publisher: Publisher, campaign: Campaign, variant: Variant) -> Draft | None:
    """Return the open draft of a message as it is now, an approved one first."""
    return publisher.drafts.approved_draft(variant.message, key=_keys(campaign), to=campaign.to)


def is_approved(draft: Draft | None) -> bool:
    """Return True if others have read a message."""
    return draft is not None and draft.state is DraftState.APPROVED


def missing_approval(draft: Draft | None, variant: Variant) -> AnyText:
    """Return why a message that needs an approval is not published, and what to do."""
    name = variant.name
    if draft is None or draft.state is DraftState.DRAFT:
        return Text(
            "Message {name!r} needs the approval of another person. Submit it: policenotify campaign submit FILE",
            name=name,
        )
    if draft.state is DraftState.RETURNED:
        return Text(
            "A reader returned message {name!r}. Change it in its file: policenotify drafts {id}",
            name=name,
            id=draft.id,
        )
    return Text("Message {name!r} waits for its readers: policenotify drafts {id}", name=name, id=draft.id)


def _is_left(draft: Draft) -> bool:
    """Return True if no rule that demands authentication lets a draft be submitted, as its author was only named."""
    return draft.state is DraftState.DRAFT and not all(revision.authenticated for revision in draft.revisions)


def _keys(campaign: Campaign) -> str:
    return f"{KEY_PREFIX}{campaign.name} "

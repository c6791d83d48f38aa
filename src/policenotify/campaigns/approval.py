"""The approval of campaigns: other people read each message once, and the runner publishes it on each of its days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policenotify.campaigns.model import Campaign, Variant
from policenotify.campaigns.schedule import KEY_PREFIX
from policenotify.findings import APPROVAL_MISSING, Finding
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
            preview = publisher.preview(variant.message, to=campaign.to or None)
            if not _is_needed(preview.findings):
                continue
            draft = _find_draft(publisher, campaign, variant)
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


def find_approval(
    publisher: Publisher, campaign: Campaign, variant: Variant, findings: Iterable[Finding]
) -> tuple[Draft | None, AnyText]:
    """Return the approved draft of a message, or why it lacks one. Neither if these findings ask for none."""
    if not _is_needed(findings):
        return None, ""
    draft, name = _find_draft(publisher, campaign, variant), variant.name
    match draft and draft.state:
        case DraftState.APPROVED:
            return draft, ""
        case None | DraftState.DRAFT:
            why = Text(
                "Message {name!r} needs the approval of another person. Submit it: policenotify campaign submit FILE"
            )
        case DraftState.RETURNED:
            why = Text("A reader returned message {name!r}. Change it in its file: policenotify drafts {id}")
        case _:
            why = Text("Message {name!r} waits for its readers: policenotify drafts {id}")
    return None, why.filled(name=name, id=draft.id if draft else "")


def _is_needed(findings: Iterable[Finding]) -> bool:
    return any(finding.code == APPROVAL_MISSING for finding in findings)


def _find_draft(publisher: Publisher, campaign: Campaign, variant: Variant) -> Draft | None:
    """Return the open draft of a message as it is now, an approved one first."""
    return publisher.drafts.approved_draft(variant.message, key=_keys(campaign), to=campaign.to)


def _is_left(draft: Draft) -> bool:
    """Return True if no rule that demands authentication lets a draft be submitted, as its author was only named."""
    return draft.state is DraftState.DRAFT and not all(revision.authenticated for revision in draft.revisions)


def _keys(campaign: Campaign) -> str:
    return f"{KEY_PREFIX}{campaign.name} "

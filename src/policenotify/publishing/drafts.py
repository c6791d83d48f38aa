"""The way of a message that others read before it is published.

```python
draft = publisher.drafts.create(message, actor="claire")
publisher.drafts.submit(draft.id, actor="claire")
publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo")  # and it is published
```
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from policenotify.errors import DraftConflict, MessageRejected
from policenotify.findings import Finding, Level, approval_missing, are_blocking, demands_second
from policenotify.journal.records import NeededApproval, NewPublication
from policenotify.model.draft import Draft, DraftState, ReviewVerdict
from policenotify.model.message import Message
from policenotify.publishing.approval import ApprovalRule, rule_for
from policenotify.publishing.arguments import check_names, checked_reason
from policenotify.publishing.images import file_names, load_images
from policenotify.publishing.preparation import Preparer, ulid

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from policenotify.channel import Picture
    from policenotify.journal.journal import Journal
    from policenotify.model.receipt import Publication

_log = logging.getLogger("policenotify")


class Drafts:
    """What others read before it is published. Every method is one transaction, and so are approval and publication.

    A draft is named by its id, its key or its publication. Each method asks the installation's rule (`may`).

    All methods raise `DraftConflict` if the draft is not in a state for it, or not what its reader saw, `NotAllowed`,
    and `ValueError` for an actor without a name. Nothing was sent or changed then.
    """

    def __init__(
        self,
        journal: Journal,
        preparer: Preparer,
        rules: Sequence[ApprovalRule],
        publish: Callable[..., Publication],
    ) -> None:
        """Make them for one publisher, whose `publish` is passed."""
        self._journal = journal
        self._preparer = preparer
        self._rules = tuple(rules)
        self._publish = publish

    # --- reading

    def get(self, name: str) -> Draft:
        """Return a draft.

        Raises:
            DraftConflict: There is none.
        """
        draft = self._journal.drafts.get(name)
        if draft is None:
            raise DraftConflict(name, "there is none of that name. To list them: policenotify drafts")
        return draft

    def list(self, *, only_open: bool = True) -> tuple[Draft, ...]:
        """Return the drafts, newest first: those that may still be published or owe a second reading, or all."""
        return self._journal.drafts.list(only_open=only_open)

    # --- writing

    def create(self, message: Message, *, actor: str, key: str | None = None, to: Sequence[str] | None = None) -> Draft:
        """Store a message as a draft.

        Args:
            message: The message.
            actor: Its author.
            key: The key under which it is published. By default one of its own.
            to: The channels or tags, as of `publish`. They cannot be changed later.

        Raises:
            IdempotencyConflict: The key names another draft.
            InvalidImage: An image cannot be used.
            MessageRejected: The name of an image's file names a person or breaks another rule. A draft does not keep
                the name, so no one who reads it could see that. Rename the file. Nothing was stored.
        """
        journal = self._journal
        message, pictures = self._load_images(message)
        check_names("-" if key is None else key, actor)
        self._ask(actor, "draft", message)
        name = ulid(journal.now(), self._preparer.entropy(10))
        to = (to,) if isinstance(to, str) else to or ()
        return journal.drafts.create(name, message, key=key or name, author=actor, to=to, pictures=pictures)

    def revise(self, draft: str, message: Message, *, actor: str) -> Draft:
        """Store another version of a draft. Approvals of earlier versions do not count, and it is submitted again."""
        journal, known = self._journal, self.get(draft)
        message, pictures = self._load_images(message)
        self._ask(actor, "draft", message)
        return journal.drafts.revise(known.id, message, author=actor, pictures=pictures)

    def submit(self, draft: str, *, actor: str, reason: str = "") -> Draft:
        """Submit a draft to its readers.

        Args:
            draft: The draft.
            actor: Who submits it. Its publication is recorded under this name.
            reason: A word to the readers. A finding of level `second` demands one.

        Raises:
            MessageRejected: A finding blocks: no one needs to read what cannot be published.
        """
        journal, known = self._journal, self.get(draft)
        self._ask(actor, "submit", known.message)
        new, rule = self._prepared(known, actor)
        if demands_second(new.findings):
            reason = checked_reason("reason", reason)
        last = (new.at + rule.expires, known.message.expires_at, known.message.next_update_at)
        expires = min(filter(None, last))
        return journal.drafts.submit(known.id, actor=actor, digest=known.digest, expires_at=expires, reason=reason)

    def withdraw(self, draft: str, *, actor: str, reason: str = "") -> Draft:
        """Take a draft back that is not published yet."""
        journal, known = self._journal, self.get(draft)
        self._ask(actor, "withdraw", known.message)
        return journal.drafts.withdraw(known.id, actor=actor, reason=reason)

    # --- reading for others

    def approve(
        self,
        draft: str,
        *,
        digest: str,
        actor: str,
        reason: str = "",
        publish: bool | None = None,
        wait: timedelta | float | None = None,
    ) -> Draft:
        """Approve a draft. The last approval that it needs publishes it, in the name of who submitted it.

        Args:
            draft: The draft.
            digest: `Draft.digest` of what was read. If it was changed since, nothing is approved.
            actor: The reader: no one who wrote any version of it, except in an exercise.
            reason: A word of the reader.
            publish: Publish it with the last approval. By default as its rule (`auto`) has it.
            wait: How long to deliver then, as of `publish`.

        Raises:
            MessageRejected: A finding blocks now.
            InvalidTransition: Its stage is not allowed any more.
        """
        journal, known = self._journal, self.get(draft)
        self._ask(actor, "approve", known.message)
        _, rule = self._prepared(known, known.submitted_by or actor)
        known = journal.drafts.review(
            known.id, ReviewVerdict.APPROVE, reader=actor, digest=digest, reason=reason, readers=rule.readers
        )
        if known.state is DraftState.APPROVED and (rule.auto if publish is None else publish):
            self._publish_read(known, actor=known.submitted_by, wait=wait)  # these very words, or nothing
            known = self.get(known.id)
        return known

    def return_to_author(self, draft: str, *, digest: str, actor: str, reason: str) -> Draft:
        """Return a draft to its author, who changes it and submits it again."""
        return self._refuse(draft, ReviewVerdict.RETURN, "return", digest, actor, reason)

    def reject(self, draft: str, *, digest: str, actor: str, reason: str) -> Draft:
        """Reject a draft for good."""
        return self._refuse(draft, ReviewVerdict.REJECT, "reject", digest, actor, reason)

    def _refuse(self, draft: str, verdict: ReviewVerdict, action: str, digest: str, actor: str, reason: str) -> Draft:
        journal, known = self._journal, self.get(draft)
        self._ask(actor, action, known.message)
        reason = checked_reason("reason", reason)
        return journal.drafts.review(known.id, verdict, reader=actor, digest=digest, reason=reason)

    def second_reading(self, draft: str, *, actor: str, objects: bool = False, reason: str = "") -> Draft:
        """Record the second reading of an urgent publication.

        Args:
            draft: The draft or its publication.
            actor: The reader, who neither wrote nor published it.
            objects: It must be corrected or cancelled. Nothing is done by itself.
            reason: In the reader's words. An objection needs one.
        """
        journal, known = self._journal, self.get(draft)
        self._ask(actor, "second_reading", known.message)
        if objects:
            reason = checked_reason("reason", reason)
        return journal.drafts.second_reading(known.id, reader=actor, objects=objects, reason=reason)

    # --- publishing

    def publish(
        self,
        draft: str,
        *,
        actor: str,
        urgent: str = "",
        wait: timedelta | float | None = None,
        connection: Connection | None = None,
    ) -> Publication:
        """Publish a draft as `Publisher.publish` does, which raises the same. A repeated call publishes nothing twice.

        Raises:
            ApprovalMissing: Too few others have approved it, and no reason is given to publish it urgently.
        """
        return self._publish_read(self.get(draft), actor=actor, urgent=urgent, wait=wait, connection=connection)

    def _publish_read(
        self,
        known: Draft,
        *,
        actor: str,
        urgent: str = "",
        wait: timedelta | float | None = None,
        connection: Connection | None = None,
    ) -> Publication:
        if known.key is None:
            raise DraftConflict(known.id, f"it is published already as {known.publication}.")
        return self._publish(
            known.message,
            key=known.key,
            actor=actor,
            to=known.to or None,
            draft=known.id,
            urgent=urgent,
            wait=wait,
            connection=connection,
        )

    def expire(self) -> tuple[Draft, ...]:
        """Expire the drafts that no one approved in time. Those who wait for one learn it once, from the log."""
        expired = self._journal.drafts.expire()
        for draft in expired:
            _log.warning(
                "Draft %s of %s has expired: no one approved it in time. It was not published.",
                draft.id,
                draft.submitted_by,
            )
        return expired

    def missing_approval(self, new: NewPublication, *, draft: str | None, urgent: str) -> tuple[Finding, ...]:
        """Return the finding that others must read it first, unless something states that they have."""
        rule = self.rule_for(new.message, new.findings, new.actor)
        if rule is None or draft is not None or (urgent and rule.urgent):
            return ()
        return (approval_missing(rule.readers, urgent=rule.urgent),)

    def with_approval(
        self, new: NewPublication, *, draft: str | None, urgent: str, to: Sequence[str] | None
    ) -> NewPublication:
        """Add the approval that it needs, which is decided when it is stored."""
        rule = self.rule_for(new.message, new.findings, new.actor)
        if rule is None and draft is None:
            return new
        urgent = urgent if rule and rule.urgent else ""
        if urgent:
            self._journal.authorize(new.actor, "urgent", new.message)
        needed = NeededApproval(
            draft=draft,
            readers=rule.readers if rule else 0,
            urgent=urgent,
            second_due_at=new.at + rule.within if rule and urgent else None,
            to=(to,) if isinstance(to, str) else tuple(to or ()),
        )
        return replace(new, approval=needed)

    def rule_for(self, message: Message, findings: Iterable[Finding], actor: str) -> ApprovalRule | None:
        """Return the rule by which others must read a (resolved) message first, or `None`: no one needs to."""
        return rule_for(self._rules, message, findings, actor)

    def _ask(self, actor: str, action: str, message: Message) -> None:
        check_names("-", actor)
        self._journal.authorize(actor, action, message)

    def _load_images(self, message: Message) -> tuple[Message, tuple[Picture, ...]]:
        """Return a message with its images named by digest, and the pictures.

        Raises:
            MessageRejected: The name of a file has a finding.
        """
        if found := self._preparer.check_file_names(message, file_names(message)):
            raise MessageRejected([replace(finding, level=Level.BLOCK) for finding in found])
        return load_images(message, self._journal.publications.picture)

    def _prepared(self, draft: Draft, actor: str) -> tuple[NewPublication, ApprovalRule]:
        """Return a draft as it would be published now, and the rule for its approval.

        Raises:
            MessageRejected: A finding blocks.
        """
        message, pictures = load_images(draft.message, self._journal.publications.picture)
        new = self._preparer.prepare(message, pictures, key=draft.key or draft.id, actor=actor, to=draft.to or None)
        if are_blocking(new.findings):
            raise MessageRejected(new.findings)
        return new, self.rule_for(new.message, new.findings, actor) or ApprovalRule()

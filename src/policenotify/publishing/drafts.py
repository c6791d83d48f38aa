"""The way of a message that others read before it is published.

```python
draft = publisher.drafts.create(message, actor="claire")
draft = publisher.drafts.submit(draft.id, actor="claire")
publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo")  # and it is published
```
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from policenotify.errors import ApprovalMissing, DraftConflict
from policenotify.findings import are_blocking
from policenotify.journal.records import NeededApproval, NewPublication
from policenotify.model.cap import Severity
from policenotify.model.draft import Draft, DraftState, ReviewVerdict
from policenotify.model.message import Message
from policenotify.publishing.approval import ApprovalRule, rule_for
from policenotify.publishing.arguments import PublishOptions, check_flags, check_message, check_names, checked_reason
from policenotify.publishing.images import LoadedMessage, load_images
from policenotify.publishing.installation import Installation
from policenotify.publishing.preparation import prepare, ulid
from policenotify.translation import Text

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from policenotify.model.receipt import Publication

_STANDING = timedelta(days=366)  # for which an approval for many keys counts


class Drafts:
    """What others read before it is published.

    Every step is one transaction. The last approval and the publication are two: if the process ends between them, the
    draft is approved, and the same call or `publish` publishes it.

    A draft is named by its id, its key or its publication. Each method asks the installation's rule (`may`). With
    *authenticated* the caller has verified who the actor is, as some rules of approval demand. A *wait* is how long to
    deliver, as of `Publisher.publish`.

    All methods raise `DraftConflict` if the draft is not in a state for it, or not what its reader saw, `NotAllowed`,
    and `ValueError` for an actor without a name. Nothing was sent or changed then.
    """

    def __init__(self, installation: Installation, publish: Callable[..., Publication]) -> None:
        """Make them for one publisher, whose `publish` is passed."""
        self._installation = installation
        self._journal = installation.journal
        self._publish = publish

    # --- reading

    def get(self, name: str) -> Draft:
        """Return a draft.

        Raises:
            DraftConflict: There is none.
        """
        draft = self._journal.drafts.get(name)
        if draft is None:
            raise DraftConflict(name, Text("there is none of that name. To list them: policenotify drafts"))
        return draft

    def list(self, *, only_open: bool = True) -> tuple[Draft, ...]:
        """Return the drafts, newest first: those that may still be published or owe a second reading, or all."""
        return self._journal.drafts.list(only_open=only_open)

    def approved_draft(self, message: Message, *, key: str, to: Sequence[str] = ()) -> Draft | None:
        """Return the open draft whose approval counts, or will, for a message with such a key on these channels."""
        return self._journal.drafts.approved_draft(key, self._load_images(message).message.digest(), to)

    # --- writing

    def create(
        self,
        message: Message,
        *,
        actor: str,
        key: str | None = None,
        for_keys: str = "",
        to: Sequence[str] | None = None,
        authenticated: bool = False,
    ) -> Draft:
        """Store a message as a draft, whose author is the actor.

        It is published under *key*, by default one of its own, by its last approval. With *for_keys*, the beginning of
        keys, the approval counts for a message that is published again and again, as those of campaigns are. The
        channels or tags of *to* cannot be changed later.

        Raises:
            IdempotencyConflict: The key names another draft.
            InvalidImage: An image cannot be used.
        """
        journal = self._journal
        check_flags(authenticated=authenticated)
        message, pictures = self._load_images(message)
        check_names("-" if key is None else key, actor)
        check_names(for_keys or "-", actor)
        self._ask(actor, "draft", message)
        name = ulid(journal.now())
        to = (to,) if isinstance(to, str) else to or ()
        return journal.drafts.create(
            name,
            message,
            key=key or name,
            author=actor,
            authenticated=authenticated,
            for_keys=for_keys,
            to=to,
            pictures=pictures,
        )

    def revise(self, draft: str, message: Message, *, actor: str, authenticated: bool = False) -> Draft:
        """Store another version of a draft. Approvals of earlier versions do not count, and it is submitted again."""
        check_flags(authenticated=authenticated)
        known = self.get(draft)
        message, pictures = self._load_images(message)
        self._ask(actor, "draft", message)
        return self._journal.drafts.revise(
            known.id, message, author=actor, authenticated=authenticated, pictures=pictures
        )

    def submit(self, draft: str, *, actor: str, reason: str = "") -> Draft:
        """Submit a draft to its readers, or once more if what it takes from its incident has changed since.

        Its publication is recorded under the name of the actor. A finding of level `second` or `block` demands a
        reason, a word to the readers.

        Raises:
            ApprovalMissing: No approval of it would count, for an author was not authenticated.
        """
        known = self._asked(draft, actor, "submit")
        new, rule = self._prepared(known, actor)
        repeated = known.state.is_read and known.digest == new.read_digest
        if any(finding.blocks for finding in new.findings) and not repeated:
            reason = checked_reason("reason", reason)
        if rule.authenticated and not all(revision.authenticated for revision in known.revisions):
            raise ApprovalMissing([NeededApproval(readers=rule.readers, authenticated=True).finding()])
        lasts = _STANDING if known.for_keys else rule.expires
        expires = min(filter(None, (new.at + lasts, known.message.expires_at, known.message.next_update_at)))
        return self._journal.drafts.submit(
            known.id,
            actor=actor,
            revision=known.revision,
            digest=new.read_digest,
            expires_at=expires,
            reason=reason,
        )

    def withdraw(self, draft: str, *, actor: str, reason: str = "") -> Draft:
        """Take a draft back that is not published yet."""
        known = self._asked(draft, actor, "withdraw")
        return self._journal.drafts.withdraw(known.id, actor=actor, reason=reason)

    # --- reading for others

    def approve(
        self,
        draft: str,
        *,
        digest: str,
        actor: str,
        reason: str = "",
        authenticated: bool = False,
        publish: bool = True,
        wait: timedelta | float | None = None,
    ) -> Draft:
        """Approve a draft. The last approval that it needs publishes it, in the name of who submitted it.

        The actor is the reader: no one who wrote any version of it, except in an exercise. The digest is
        `Draft.digest` of what was read. A finding of level `block` demands a reason of at least 10 characters. What is
        approved for many keys, or without *publish*, is not published by it.

        Raises:
            DraftConflict: It was changed since it was read, or what it takes from its incident was.
            InvalidTransition: Its stage is not allowed any more.
        """
        check_flags(authenticated=authenticated)
        known = self._asked(draft, actor, "approve")
        new, rule = self._prepared(known, known.submitted_by or actor)
        blocked = are_blocking(new.findings)
        if blocked:
            self._journal.authorize(actor, "overrule", new.message)
            reason = checked_reason("reason", reason)
        self._ensure_read(known, new)
        known = self._journal.drafts.review(
            known.id,
            ReviewVerdict.APPROVE,
            reader=actor,
            digest=digest,
            reason=reason,
            authenticated=authenticated,
            needed=NeededApproval(readers=rule.readers, authenticated=rule.authenticated, reasons=blocked),
        )
        if known.state is DraftState.APPROVED and publish and not known.for_keys:
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
        known = self._asked(draft, actor, action)
        reason = checked_reason("reason", reason)
        return self._journal.drafts.review(known.id, verdict, reader=actor, digest=digest, reason=reason)

    def second_reading(
        self, draft: str, *, actor: str, objects: bool = False, reason: str = "", authenticated: bool = False
    ) -> Draft:
        """Record the second reading of an urgent publication, by an actor who neither wrote nor published it.

        A reader who *objects* wants it corrected or cancelled, and gives a reason. Nothing is done by itself.
        """
        check_flags(objects=objects, authenticated=authenticated)
        known = self._asked(draft, actor, "second_reading")
        if objects:
            reason = checked_reason("reason", reason)
        return self._journal.drafts.second_reading(
            known.id, reader=actor, objects=objects, reason=reason, authenticated=authenticated
        )

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

    def _publish_read(self, known: Draft, **how: object) -> Publication:
        if known.key is None:
            raise DraftConflict(
                known.id, Text("it is published already as {publication}.", publication=known.publication)
            )
        if known.for_keys:
            raise DraftConflict(
                known.id, Text("it is for publications whose key begins with {for_keys!r}.", for_keys=known.for_keys)
            )
        return self._publish(known.message, key=known.key, to=known.to or None, draft=known.id, **how)

    def needed(self, new: NewPublication, options: PublishOptions) -> NeededApproval | None:
        """Return the approval that a publication needs, which is decided when it is stored. `None`: none."""
        rule, draft, urgent = self._rule_for(new), options.draft, options.urgent
        named = (options.to,) if isinstance(options.to, str) else tuple(options.to or ())
        if rule is None:
            return None if draft is None else NeededApproval(draft=draft, to=named)
        if draft is None:
            urgent = urgent or self._urgency_of_incident(new)
        return NeededApproval(
            draft=draft,
            to=named,
            readers=rule.readers,
            reasons=are_blocking(new.findings),
            authenticated=rule.authenticated,
            may_be_urgent=rule.urgent,
            severe=(new.message.severity or Severity.UNKNOWN).at_least(Severity.SEVERE),
            urgent=urgent if rule.urgent else "",
            second_due_at=new.at + rule.within if urgent and rule.urgent else None,
        )

    def ask(self, new: NewPublication) -> None:
        """Ask the installation's rule for what is urgent, and ensure that readers of a draft read this.

        Raises:
            DraftConflict: What the draft takes from its incident has changed since it was read.
        """
        needed = new.approval
        if needed is None:
            return
        if needed.urgent:
            self._journal.authorize(new.actor, "urgent", new.message)
            if needed.reasons:
                self._journal.authorize(new.actor, "overrule", new.message)
        elif needed.draft is not None and needed.readers:
            self._ensure_read(self.get(needed.draft), new)

    def _rule_for(self, new: NewPublication) -> ApprovalRule | None:
        return rule_for(self._installation.approval, new, self._installation.severity_of)

    def _urgency_of_incident(self, new: NewPublication) -> str:
        """Return why the incident was urgent, while a second reading of it is owed, for what has no finding itself."""
        if not new.earlier or any(finding.blocks for finding in new.findings):
            return ""
        first = new.message.incident or new.message.lifecycle.corrects
        owed = self._journal.drafts.owed()
        return next((each.urgent for each in owed if first in {each.publication, each.message.incident}), "")

    def _ensure_read(self, draft: Draft, new: NewPublication) -> None:
        """Ensure that readers read, or are to read, what would be published now.

        Raises:
            DraftConflict: What it takes from its incident, or from the settings, has changed since.
        """
        if not draft.state.is_read or draft.digest == new.read_digest or draft.message.digest() != new.digest:
            return  # what is not the draft's message is refused when it is stored
        text = Text(
            "what it takes from its incident or the settings has changed since. Submit it again, and let it be read: "
            "policenotify publish {id} --submit",
            id=draft.id,
        )
        raise DraftConflict(draft.id, text)

    def _asked(self, draft: str, actor: str, action: str) -> Draft:
        """Return a draft, after asking the installation's rule."""
        known = self.get(draft)
        self._ask(actor, action, known.message)
        return known

    def _ask(self, actor: str, action: str, message: Message) -> None:
        check_names("-", actor)
        self._journal.authorize(actor, action, message)

    def _load_images(self, message: Message) -> LoadedMessage:
        check_message(message)
        return load_images(message, self._journal.publications.picture)

    def _prepared(self, draft: Draft, actor: str) -> tuple[NewPublication, ApprovalRule]:
        """Return a draft as it would be published now, and the rule for its approval."""
        options = PublishOptions(key=draft.key or draft.id, actor=actor, to=draft.to or None, despite_findings=True)
        new = prepare(self._installation, self._load_images(draft.message), options)
        return new, self._rule_for(new) or ApprovalRule()

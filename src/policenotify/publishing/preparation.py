"""Check a message, choose its channels and word its posts. Nothing is stored in the journal."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from policenotify.checks import CheckContext, check_links, run_checks
from policenotify.delivery.telemetry import span
from policenotify.errors import InvalidTransition
from policenotify.findings import Finding, are_blocking, images_left
from policenotify.journal.records import LISTED, NewPublication, describe_incidents
from policenotify.model import places
from policenotify.model.history import History, RenderedPost
from policenotify.model.lifecycle import IncidentStatus, Stage, allowed_stages, next_status
from policenotify.model.message import Message
from policenotify.publishing.arguments import PublishOptions
from policenotify.publishing.defaults import fill_defaults, speak
from policenotify.publishing.images import LoadedMessage
from policenotify.publishing.installation import Installation
from policenotify.publishing.reach import check_limits
from policenotify.publishing.routing import BEGINNINGS, channels_with_images, choose_targets
from policenotify.publishing.wording import discover_capabilities, word
from policenotify.render.locales import profile_of
from policenotify.translation import Text

_ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as in the ULID specification
_DEADLINE = timedelta(hours=24)  # of an incident whose deadline neither the message nor the category gives
_ENDS = frozenset({Stage.END, Stage.CANCELLATION})
_OTHERS = 200  # open incidents with which the place of an end is compared, the newest


def prepare(installation: Installation, loaded: LoadedMessage, options: PublishOptions) -> NewPublication:
    """Check a message, choose its channels and render its posts.

    Raises:
        InvalidTransition: The stage is not allowed now in this incident.
        MessageTooLong: The message fits none of the channels.
        SettingsError: No channel is chosen, or `to` names an unknown one.
    """
    message = loaded.message
    at = installation.journal.now()
    publication = ulid(at)
    incident = message.incident or (publication if message.stage is Stage.OPENING else None)
    history = _history(installation, message)
    status = _status_after(installation, message, history, incident)
    _refuse_mixed_exercise(message, history)
    profile = profile_of(message.category, installation.profiles)
    filled = fill_defaults(
        name_place(message), profile, sender=installation.sender, incident=incident, history=history, now=at
    )
    resolved = speak(filled, history, installation.locales)
    configs = installation.channel_configs.values()
    context = CheckContext(
        message=resolved,
        profile=profile,
        history=history,
        is_commune=lambda code: places.commune(code) is not None,
        communes_meant=places.meant_by,
        communes_named=lambda name: frozenset(each.code for each in places.communes_named(name)),
        locales=installation.locales,
        now=at,
        zone=installation.zone,
        mentions=frozenset().union(*(channel.mentions for channel in configs)),
        links=installation.links,
        traffic=frozenset().union(*(channel.capabilities.traffic for channel in configs)),
        typed=message,
        words=installation.words,
        open_places=_open_places(installation, resolved) if resolved.stage is Stage.END else (),
    )
    lifetime = at + profile.lifetime if profile.lifetime else None
    # An end, a correction and a cancellation are published however late. Anything else would be stale.
    stale_at = lifetime if message.stage in {Stage.OPENING, Stage.UPDATE, Stage.STANDALONE} else None
    with span("check"):
        findings = run_checks(context, installation.checks)
    new = NewPublication(
        id=publication,
        key=options.key,
        digest=message.digest(),
        message=resolved,
        status=status,
        expected_sequence=len(history.publications) + 1 if incident else 0,
        actor=options.actor,
        at=at,
        not_after=resolved.expires_at or stale_at,
        due_at=(resolved.next_update_at or lifetime or at + _DEADLINE) if status is IncidentStatus.OPEN else None,
        findings=findings,
        rules={language: str(locale.version) for language, locale in sorted(installation.locales.items())},
        pictures=tuple(
            picture.model_copy(update={"alt": image.alt})
            for picture, image in zip(loaded.pictures, resolved.images, strict=True)
        ),
        typed=message,
        earlier=tuple(entry.message for entry in history.entries),
        narrowed_to=history.narrowed_to,
        skips_without_opening=frozenset(
            name for name, channel in installation.channel_configs.items() if channel.without_opening == "skip"
        ),
    )
    if not options.despite_findings and are_blocking(new.findings):
        return new
    channels = {
        name: discover_capabilities(installation, channel) for name, channel in installation.channel_configs.items()
    }
    for name in installation.reminders.to:  # no message of the desk begins there
        channels[name] = channels[name].model_copy(update={"retired": True})
    deletes_images = _deletes_images(installation, resolved, history)
    with span("plan"):
        targets = choose_targets(
            resolved,
            history,
            tuple(channels.values()),
            installation.routes,
            contains=places.contains,
            to=options.to,
            deletes_images=deletes_images,
        )
    if options.to is not None and message.stage in BEGINNINGS:
        new = replace(new, narrowed_to=tuple(sorted({target.channel for target in targets})))
    if deletes_images:
        left = channels_with_images(history, tuple(channels.values()), targets)
        new = replace(new, findings=(*new.findings, images_left(left))) if left else new
    with span("render", attributes={"policenotify.channels": len({target.channel for target in targets})}):
        posts, without_post = word(installation, targets, channels, new, history)
    many = {post.target.channel for post in posts if channels[post.target.channel].capabilities.recipients}
    limits = check_limits(resolved, posts, channels, installation.journal.deliveries.had_recipients)
    new = replace(new, findings=(*new.findings, *limits, *_check_links(installation, posts, new.findings)))
    return replace(new, posts=posts, targets=without_post, with_recipients=frozenset(many))


def _check_links(
    installation: Installation, posts: Sequence[RenderedPost], known: Sequence[Finding]
) -> Iterator[Finding]:
    """Yield what is wrong with links that a network has made: the transliteration of an SMS, `ｅｖｉｌ.com`."""
    seen = {(finding.code, finding.reason) for finding in known}
    for wording in posts:
        for post in filter(None, (wording.standalone, wording.reply, *wording.continuations)):
            for finding in check_links(post.text, installation.links, field=wording.target.channel):
                if (finding.code, finding.reason) not in seen:
                    seen.add((finding.code, finding.reason))
                    yield finding


def _open_places(installation: Installation, message: Message) -> tuple[str, ...]:
    """Return the places of the other open incidents."""
    others = installation.journal.incidents.list(limit=_OTHERS)
    return tuple(each.place for each in others if each.id != message.incident and each.exercise == message.exercise)


def _deletes_images(installation: Installation, message: Message, history: History) -> bool:
    """Return True if a message ends an incident of which a category, at any time, wants its images deleted."""
    codes = {message.category, *(entry.message.category for entry in history.entries)}
    wanted = any(installation.profiles[code].deletes_images for code in codes & installation.profiles.keys())
    return wanted and message.stage in _ENDS


def name_place(message: Message) -> Message:
    """Return a message whose place has the department of its commune, and the names that INSEE gives both."""
    if (place := message.location) is None:
        return message
    commune = places.commune(place.commune) if place.commune else None
    department = place.department or (commune.department if commune else None)
    names = {
        "commune_name": (commune.name if commune else place.commune_name) if place.commune else None,
        "department": department,
        "department_name": (places.department_name(department) or place.department_name) if department else None,
    }
    return message.changed(location=place.changed(**names))


def _history(installation: Installation, message: Message) -> History:
    incident, corrects = message.incident, message.lifecycle.corrects
    if incident is not None:
        installation.journal.publications.ensure_not_purged(message)
        return installation.journal.incidents.history(incident)
    if corrects is None:
        return History()
    installation.journal.publications.ensure_not_purged(message)
    history = installation.journal.incidents.history_of(corrects)
    if history is None:
        raise InvalidTransition(Text("There is no publication {corrects}.", corrects=corrects), incident=None)
    return history


def _status_after(
    installation: Installation, message: Message, history: History, incident: str | None
) -> IncidentStatus:
    stage, corrects, reopens = message.stage, message.lifecycle.corrects, bool(message.lifecycle.reopens)
    if incident is None and history.incident is not None:
        raise InvalidTransition(
            Text(
                "Publication {publication} belongs to incident {incident!r}; name that one.",
                publication=corrects,
                incident=history.incident,
            ),
            incident=history.incident,
        )
    if history.damage and stage not in _ENDS:
        raise InvalidTransition(
            Text(
                "Nothing was sent: {rows} of the journal cannot be read, so that nothing can be carried on. Publish "
                "the end or a cancellation, which goes out on its own, or restore that row from a copy.",
                rows=", ".join(history.damage.rows),
            ),
            incident=incident,
            allowed_stages=tuple(each for each in allowed_stages(history.status) if each in _ENDS),
        )
    if incident is None:
        if history.opening and (about := history.opening.message.lifecycle.corrects):
            raise InvalidTransition(
                Text(
                    "Publication {publication} corrects {about} itself. Correct {about} again.",
                    publication=corrects,
                    about=about,
                ),
                incident=None,
            )
        return next_status(history.status, stage, incident=None)
    if corrects is not None and history.entries and history.entry(corrects) is None:
        raise InvalidTransition(
            Text("Publication {corrects} is not of incident {incident!r}.", corrects=corrects, incident=incident),
            incident=incident,
        )
    if reopens and not any(history.is_end(entry) for entry in history.entries if entry.publication == corrects):
        raise InvalidTransition(
            Text(
                "Publication {corrects} is not the end of incident {incident!r}, and only a wrong end is taken back.",
                corrects=corrects,
                incident=incident,
            ),
            incident=incident,
        )
    if stage in allowed_stages(history.status):
        return next_status(history.status, stage, incident=incident, reopens=reopens)
    details = describe_incidents(history, installation.journal.incidents.list(limit=LISTED), installation.zone)
    return next_status(history.status, stage, incident=incident, details=details)


def ulid(at: datetime) -> str:
    """Return a ULID of that time: the id of a publication or draft."""
    number = (int(at.timestamp() * 1000) << 80) | secrets.randbits(80)
    return "".join(_ULID_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def _refuse_mixed_exercise(message: Message, history: History) -> None:
    """Refuse an exercise that follows a real message, and the reverse."""
    if history.exercise in {None, message.exercise}:
        return
    raise InvalidTransition(
        Text(
            "{name!r} began with exercise={exercise}, and so does all that follows.",
            name=history.incident or message.lifecycle.corrects,
            exercise=history.exercise,
        ),
        incident=history.incident,
    )

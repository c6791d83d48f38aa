"""English, for visitors: times as on French signs (the 24-hour clock), numbers as in France."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from policenotify.model.lifecycle import Stage
from policenotify.render.locales.phrases import Locale, Phrase

EN: Final = Locale(
    language="en",
    version=3,
    marks=MappingProxyType(
        {
            Stage.UPDATE: "UPDATE",
            Stage.END: "OVER",
            Stage.CORRECTION: "CORRECTION",
            Stage.CANCELLATION: "CANCELLED",
        }
    ),
    emojis=MappingProxyType(
        {
            Stage.OPENING: "🚨",
            Stage.UPDATE: "🔄",
            Stage.END: "✅",
            Stage.CORRECTION: "✏️",
            Stage.CANCELLATION: "🚫",
            Stage.STANDALONE: "ℹ️",
        }
    ),
    ongoing="under way",
    exercise="EXERCISE",
    exercise_notice="EXERCISE: this is not a real situation.",
    colon=": ",
    dash=" – ",
    place_joint=", ",
    lowers_after_colon=False,
    sets_spaces=False,
    direction="towards {direction}",
    sharp="{hour}:00",
    clock="{hour}:{minute:02d}",
    day="{weekday} {day} {month}",
    day_and_year="{weekday} {day} {month} {year}",
    first="{day}",
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    months=(
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    since=Phrase("since {time}", "since {day} at {time}"),
    starting=Phrase("from {time}", "from {day} at {time}"),
    over=Phrase("at {time}", "on {day} at {time}"),
    until=Phrase("Valid until {time}", "Valid until {day} at {time}"),
    within=Phrase("from {start} to {end}", "on {day} from {start} to {end}"),
    across="from {start_day} at {start} to {end_day} at {end}",
    next_update=Phrase("Next update at {time}", "Next update on {day} at {time}"),
    issued="{day} at {time}",
    context=Phrase(
        "Follows our message of {time}{colon}{headline}", "Follows our message of {day} at {time}{colon}{headline}"
    ),
    context_unknown="Follows our message “{label}”",
    context_correction=Phrase("Corrects our message of {time}", "Corrects our message of {day} at {time}"),
    context_cancellation=Phrase("Our message of {time} is cancelled", "Our message of {day} at {time} is cancelled"),
    more="More: {where}",
    reference="Ref. {reference}",
    all_clear=(
        "travel normally",
        "back to normal",
        "reopened",
        "open again",
        "cordon has been lifted",
        "cordon lifted",
        "no danger",
        "danger is over",
        "area is safe",
        "return home",
        "safe and well",
        "stop sharing",
    ),
    negations=(
        "not",
        "cannot",
        "no",
        "never",
        "yet to",
        "isn't",
        "aren't",
        "wasn't",
        "hasn't",
        "haven't",
        "don't",
        "doesn't",
        "can't",
        "won't",
    ),
    conjunctions=("and", "but"),
    mail_since="Since",
    mail_starting="From",
    mail_over="Over",
    mail_until="Until",
    mail_next_update="Next update",
    mail_issued="Published",
    mail_action="What to do",
    mail_link="Read more",
    mail_footer="{sender} – In an emergency call 17 or 112; if you are deaf or hard of hearing, text 114.",
)
"""The fixed phrases of English."""

"""Spans: their tree, their links across processes, and what none of them holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from policenotify.channel import ChannelConfig
from policenotify.delivery import telemetry
from policenotify.errors import PolicenotifyError, Refused
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from policenotify.testing.strategies import messages
from tests.support.fake_network import MAIL, PLAIN, READABLE, Book, Scripted

INCIDENT = "2026-4711"
PEOPLE = ["redaction@journal.example", "mairie@ville.example", "t.dupont@habitant.example"]


class Desk:
    """A publisher whose spans are collected, on scripted networks."""

    def __init__(self, folder: Path) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = provider.get_tracer("policenotify")
        self.book = Book(folder)
        self.networks = {
            "sky": Scripted(capabilities=PLAIN),
            "read": Scripted(capabilities=READABLE, account="read"),
            "mail": Scripted(capabilities=MAIL, account="mail", people=PEOPLE),
        }
        self.publishers: list[Publisher] = []

    def publisher(self, *names: str) -> Publisher:
        """Open a publisher, as another process of the installation would."""
        channels: list[ChannelConfig] = [self.networks[name].configured(name) for name in names or self.networks]
        made = Publisher(Installation(
            journal=self.book.journal, channels=channels, zone=PARIS, sender=SENDER, checks=(),
            clock=self.book.clock,
        ))  # fmt: skip
        self.publishers.append(made)
        return made

    def spans(self, name: str = "") -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name.startswith(name)]

    def tree(self) -> set[tuple[str, str]]:
        """Return each span with the one above it."""
        names = {span.context.span_id: span.name for span in self.spans() if span.context}
        return {(names[span.parent.span_id] if span.parent else "", span.name) for span in self.spans()}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk(tmp_path)
    monkeypatch.setattr(telemetry, "_tracer", lambda: made.tracer)  # a process has one provider for good
    yield made
    for publisher in made.publishers:
        publisher._dispatcher.close()
    made.book.journal.close()


def _message(**how: Any) -> Message:
    return Message(
        category="traffic_accident",
        headline="Accident de la circulation",
        lifecycle=Lifecycle(stage=Stage.OPENING, incident=INCIDENT),
        **how,
    )


def _attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_the_tree_of_a_publication_and_of_its_deliveries(desk: Desk) -> None:
    desk.publisher("sky", "mail").publish(_message(), key="k", actor="cne Roux")
    assert desk.tree() == {
        ("", "publish"),
        *(("publish", name) for name in ("check", "plan", "render", "journal.commit")),
        *(("", f"deliver {name}") for name in ("sky", "mail")),
        *(("deliver sky", name) for name in ("prepare", "send scripted", "settle")),
        *(("deliver mail", name) for name in ("expand", "prepare", "send scripted", "settle")),
    }
    kinds = {span.name: span.kind for span in desk.spans()}
    assert kinds["publish"] is kinds["journal.commit"] is kinds["expand"] is SpanKind.INTERNAL
    assert kinds["deliver sky"] is SpanKind.CONSUMER
    assert kinds["send scripted"] is kinds["settle"] is kinds["prepare"] is SpanKind.CLIENT


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Refused("The text of Dupont is refused.", code="403"), "403"),
        (Refused("The text of Dupont is refused.", code="it reads: Dupont"), "refused"),
        (RuntimeError("Dupont"), "RuntimeError"),
    ],
)
def test_a_failed_delivery_states_a_code_and_no_text(desk: Desk, error: Exception, kind: str) -> None:
    desk.networks["sky"].sends.append(error)
    desk.publisher("sky").publish(_message(), key="k", actor="cne Roux", wait=0)
    claimed_before = len(desk.spans())
    desk.publishers[0].drain(desk.publishers[0].installation.wait / 20)
    [deliver], [send] = desk.spans("deliver")[:1], desk.spans("send")[:1]
    assert claimed_before < len(desk.spans())
    for span in (deliver, send):
        assert _attributes(span)["error.type"] == kind
        assert span.status.status_code is StatusCode.ERROR
        assert not span.events
    shown = "".join(span.to_json() for span in desk.spans())
    assert "Dupont" not in shown


def test_each_chunk_of_people_has_one_span_and_no_person_has_any(desk: Desk) -> None:
    desk.publisher("mail").publish(_message(), key="k", actor="cne Roux")
    [send] = desk.spans("send")
    assert _attributes(send) == {"messaging.operation.type": "send", "messaging.batch.message_count": len(PEOPLE)}
    [deliver] = desk.spans("deliver")
    assert _attributes(deliver)["policenotify.outcome"] == "posted"


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(message=messages(lifecycle=Lifecycle(stage=Stage.STANDALONE)))
def test_no_span_and_no_metric_holds_a_text_an_address_or_an_incident(desk: Desk, message: Message) -> None:
    desk.exporter.clear()
    publisher = desk.publishers[0] if desk.publishers else desk.publisher()
    number = len(publisher.journal.publications.latest(100))
    named = message.model_copy(update={"lifecycle": Lifecycle(stage=Stage.OPENING, incident=f"{INCIDENT}-{number}")})
    with suppress(PolicenotifyError):
        publisher.publish(named, key=f"secret key {number}", actor="cne Roux")
    shown = "".join(span.to_json() for span in desk.spans()) + publisher.monitor.metrics().content.decode()
    texts = {
        text for text in _texts(named.model_dump(mode="json", exclude={"lifecycle", "category"})) if len(text) > 12
    }
    for text in {INCIDENT, "secret key", "cne Roux", *PEOPLE, *texts}:
        assert text not in shown


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
        case _:
            return


# --- the tracer


def test_without_the_library_in_the_process_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    with telemetry.span("a"):
        telemetry.note({"policenotify.outcome": "posted"}, failed="refused")
    with pytest.raises(RuntimeError), telemetry.span("a"):
        raise RuntimeError
    assert "opentelemetry.trace" not in sys.modules


def test_nothing_of_the_library_is_imported_unless_it_is_asked_for() -> None:
    code = (
        "import sys, policenotify, policenotify.publishing.publisher, policenotify.delivery.dispatcher;"
        "print(*[name for name in sys.modules if name.startswith(('opentelemetry', 'prometheus'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own text
    assert ran.stdout.strip() == ""

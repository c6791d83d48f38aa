"""A FastAPI service that takes messages over HTTP: `uvicorn fastapi_app:app`, where a `policenotify.toml` is.

POST /messages publishes a message (`policenotify schema message`); its `Idempotency-Key` makes a second call harmless.
GET /publications/{key} returns its receipts. Put your own authentication in front of it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException, Request

from policenotify import (
    AsyncPublisher,
    IdempotencyConflict,
    InvalidTransition,
    Message,
    MessageRejected,
    PolicenotifyError,
    Publication,
    open_publisher,
)


@asynccontextmanager
async def lifespan(service: FastAPI) -> AsyncIterator[None]:
    """Keep one publisher for the life of the service. Nothing starts before the first call."""
    async with AsyncPublisher(open_publisher()) as publisher:
        service.state.publisher = publisher
        yield


app = FastAPI(title="policenotify", lifespan=lifespan)


@app.post("/messages")
async def publish(
    request: Request,
    message: Message,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=200)],
    x_actor: Annotated[str, Header(min_length=1, max_length=200)],
) -> Publication:
    """Publish the message. Deliveries that take longer than 5 seconds wait in the journal, as the receipts show."""
    publisher: AsyncPublisher = request.app.state.publisher
    try:
        return await publisher.publish(message, key=idempotency_key, actor=x_actor, wait=timedelta(seconds=5))
    except (IdempotencyConflict, InvalidTransition) as error:
        raise HTTPException(409, str(error)) from error
    except MessageRejected as error:
        raise HTTPException(422, [str(finding) for finding in error.findings]) from error
    except PolicenotifyError as error:
        raise HTTPException(503, str(error)) from error


@app.get("/publications/{key}")
async def publication(request: Request, key: str) -> Publication:
    """Return the publication with its receipts."""
    publisher: AsyncPublisher = request.app.state.publisher
    published = await publisher.call(lambda desk: desk.operations.publication(key))
    if published is None:
        raise HTTPException(404, "There is no such publication.")
    return published

"""Two views for a Django back office: publish a message, and show its receipts.

In your `urls.py`: `urlpatterns = [path("police/", include("django_views"))]`. The project is set up as
`docs/howto/django.md` describes: the journal is in its database, and its worker delivers. Give your agents the
permission `policenotify.publish`.
"""

import json

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST
from pydantic import ValidationError

from policenotify import IdempotencyConflict, InvalidTransition, MessageRejected, PolicenotifyError, read
from policenotify.integrations import django as police


@require_POST
@permission_required("policenotify.publish", raise_exception=True)
def publish(request: HttpRequest) -> JsonResponse:
    """Store the message and answer at once. The key makes a repeated click harmless."""
    try:
        message = read(request.body)
        key = request.headers["Idempotency-Key"]
        publication = police.publish(message, key=key, actor=request.user.get_username())
    except (KeyError, ValidationError):
        return JsonResponse({"errors": ["A message and an Idempotency-Key are needed."]}, status=400)
    except (IdempotencyConflict, InvalidTransition) as error:
        return JsonResponse({"errors": [str(error)]}, status=409)
    except MessageRejected as error:
        return JsonResponse({"errors": [str(finding) for finding in error.findings]}, status=422)
    except PolicenotifyError as error:
        return JsonResponse({"errors": [str(error)]}, status=503)
    return JsonResponse(json.loads(publication.model_dump_json()), status=202)


@require_GET
@permission_required("policenotify.publish", raise_exception=True)
def publication(_request: HttpRequest, key: str) -> JsonResponse:
    """Return the publication with its receipts."""
    published = police.publisher().operations.publication(key)
    if published is None:
        return JsonResponse({"errors": ["There is no such publication."]}, status=404)
    return JsonResponse(json.loads(published.model_dump_json()))


urlpatterns = [path("messages", publish), path("publications/<str:key>", publication)]

"""Two views for a Django back office: say a message, and see what became of it.

In your `urls.py`: `urlpatterns = [path("police/", include("django_views"))]`. The settings are where
POLICENOTIFY_SETTINGS says; a timer runs `policenotify drain`, so that a view never waits for a network.
"""

import json
from datetime import timedelta

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST
from pydantic import ValidationError

from policenotify import NotAllowed, PolicenotifyError, open_publisher, read


@require_POST
@permission_required("policenotify.publish", raise_exception=True)
def publish(request: HttpRequest) -> JsonResponse:
    """Write it into the journal, and answer at once; the key makes a repeated click harmless."""
    try:
        message = read(request.body)
        key = request.headers["Idempotency-Key"]
        with open_publisher() as publisher:
            said = publisher.publish(message, key=key, actor=request.user.get_username(), wait=timedelta(0))
    except (KeyError, ValidationError):
        return JsonResponse({"errors": ["A message and an Idempotency-Key are needed."]}, status=400)
    except NotAllowed as error:
        return JsonResponse({"errors": [str(finding) for finding in error.findings]}, status=422)
    except PolicenotifyError as error:
        return JsonResponse({"errors": [str(error)]}, status=503)
    return JsonResponse(json.loads(said.model_dump_json()), status=202)


@require_GET
@permission_required("policenotify.publish", raise_exception=True)
def publication(_request: HttpRequest, key: str) -> JsonResponse:
    """What has become of it."""
    with open_publisher() as publisher:
        found = publisher.publication(key)
    if found is None:
        return JsonResponse({"errors": ["There is no such publication."]}, status=404)
    return JsonResponse(json.loads(found.model_dump_json()))


urlpatterns = [path("messages", publish), path("publications/<str:key>", publication)]

"""Metrics and health, for uvicorn: `monitor:application`. Only the monitoring system may reach it."""

from policenotify import open_publisher
from policenotify.web import monitoring

application = monitoring(open_publisher().monitor)

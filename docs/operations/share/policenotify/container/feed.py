"""The web server of a feed's folder, for uvicorn: `feed:application`."""

from policenotify.web import app

application = app("/srv/policenotify/feed")

"""The web server of a feed's folder, and of the links by which people leave. Extra: `web`.

```python
from policenotify.web import app

application = app("/srv/feed")
```

`uvicorn serve:application` runs it, if this file is `serve.py`. With the links of mails (RFC 8058):

```python
from policenotify import open_publisher
from policenotify.web import app

application = app("/srv/feed", people=open_publisher().people)
```
"""

from policenotify.web.server import app

__all__ = ["app"]

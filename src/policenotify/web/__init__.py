"""The web server of a feed's folder, of the links by which people leave, and of metrics and health. Extra: `web`.

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

Metrics and health are another application, for a host or port that the public does not reach:

```python
from policenotify import open_publisher
from policenotify.web import monitoring

application = monitoring(open_publisher().monitor)
```
"""

from policenotify.errors import MissingExtra
from policenotify.translation import Text

try:
    from policenotify.web.monitor import monitoring
    from policenotify.web.server import app
except ModuleNotFoundError:
    raise MissingExtra(Text("A web server"), "web") from None

__all__ = ["app", "monitoring"]

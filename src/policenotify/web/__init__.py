"""The web server of a feed's folder, for installations without nginx or Caddy. Extra: `web`.

```python
from policenotify.web import app

application = app("/srv/feed")
```

`uvicorn serve:application` runs it, if this file is `serve.py`.
"""

from policenotify.web.server import app

__all__ = ["app"]

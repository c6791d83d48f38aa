"""The page's values as HTML."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from policenotify.cli.report.mail_frame import POLICY
from policenotify.cli.report.values import Page


def html(page: Page) -> str:
    """Lay the page out: one file, that loads nothing, runs nothing and sends nothing."""
    return _template().render(page=page, policy=POLICY, version=version("policenotify"))


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("policenotify.cli.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")

"""The texts for officers in their language: `localized(error, "fr")`.

Every text is written in English where it arises, and stays so in logs, JSON and the journal. A catalogue holds its
template, `{0} is not a channel. {1}`, with the translation, and is applied where a person reads. The decision is
`docs/explanation/decisions/0014-texts-of-the-desk.md`.
"""

from policenotify.catalogue.catalogue import localized

__all__ = ["localized"]

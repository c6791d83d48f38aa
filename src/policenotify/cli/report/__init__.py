"""The HTML report of `--html`: every network as its readers see it.

Jinja renders the messages, posts and receipts themselves. Labels, reasons, remedies and findings are in the desk's
language, as on the command line. What the public reads keeps its own language, and is marked with it.
"""

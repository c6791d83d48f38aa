"""The HTML report of `--html`: every network as its readers see it.

Jinja renders the messages, posts and receipts themselves. Labels are English, as on the command line: reasons, remedies
and findings are. What the public reads keeps its own language, and is marked with it.
"""

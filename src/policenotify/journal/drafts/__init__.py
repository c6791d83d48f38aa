"""Drafts of messages: their revisions, who read them, and how long they are kept."""

"""Its management commands."""

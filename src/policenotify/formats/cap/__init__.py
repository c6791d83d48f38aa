"""Alerts of the Common Alerting Protocol 1.2 (OASIS, 2010): their types, files, signatures, and rules for both ways."""

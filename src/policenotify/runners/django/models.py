"""No models: the journal's tables are its own. Django tells of `migrate` only those apps that have this module."""

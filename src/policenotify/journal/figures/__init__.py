"""Figures for metrics, projected from what the journal holds. No process counts anything by itself."""

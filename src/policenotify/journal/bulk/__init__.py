"""Deliveries to many people: who gets them, page by page, and what became of each person."""

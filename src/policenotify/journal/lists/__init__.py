"""Deliveries to many people: their batches, the people, and how they are steered."""

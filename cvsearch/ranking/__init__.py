"""Ranking and mixing: pure functions on arrays, no I/O and no clock."""

"""What the user set, where it came from, and which index is meant."""

"""What lasts on disk: the index."""

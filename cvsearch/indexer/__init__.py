"""From folders to an index."""

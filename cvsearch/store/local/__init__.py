"""The index as one folder on this machine."""

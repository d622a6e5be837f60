"""cvsearch: search photos by words or by a sample picture."""

__version__ = "0.1.0"

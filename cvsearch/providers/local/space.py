"""What the built-in model is called and what it is: known without loading it."""

from __future__ import annotations

from cvsearch.model import Space

DESCRIPTION = "basic offline model: English, common objects, scenes and colours"
"""The one line by which documentation and command line introduce the model."""

DATA_HASH = "3cee2c72"
"""The first digits of `tables.hash_data()`: other data are another space.  A test compares them."""

DIMENSION = 1024
MAX_EDGE = 1024

SPACE = Space("local", f"concepts-{DATA_HASH}", f"rgb-{MAX_EDGE}", DIMENSION)
"""The built-in model's space: its photos are prepared as raw RGB, no edge above `MAX_EDGE`."""

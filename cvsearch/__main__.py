"""``python -m cvsearch``."""

from cvsearch.cli.app import run

run()

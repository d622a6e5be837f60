"""Which index is meant: the one that was named, the nearest one, or the user's own."""

from __future__ import annotations

import os

from cvsearch.config.settings import Settings

INDEX_FOLDER = ".cvsearch"


def find_index_folder(settings: Settings, cwd: str) -> str:
    """Which index: the one that was named, else the nearest ``.cvsearch`` here or above, else the user's."""
    if settings.index is not None:
        return os.path.normpath(os.path.join(cwd, settings.index))
    folder = cwd
    while True:
        if os.path.isdir(candidate := os.path.join(folder, INDEX_FOLDER)):
            return candidate
        if folder == (folder := os.path.dirname(folder)):
            break
    import platformdirs

    return str(platformdirs.user_data_path("cvsearch"))

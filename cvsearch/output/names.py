"""Names in the room there is: what goes is the folder's middle, and where a name must be cut, its middle."""

from __future__ import annotations


def fit_path(path: str, width: int, mark: str = "…") -> str:
    """The path in at most `width` columns if its name allows: the folder's middle goes, never the name."""
    from rich.cells import cell_len

    if cell_len(path) <= width:
        return path
    folder, _, name = path.rpartition("/")
    if not folder:
        return path
    return f"{_cut(folder, max(0, width - cell_len(f'/{name}')), mark)}/{name}"


def cut_path(path: str, width: int, mark: str = "…") -> str:
    """The path in at most `width` columns: if it must be, the name alone, without its middle."""
    from rich.cells import cell_len

    shown = fit_path(path, width, mark)
    if cell_len(shown) <= width:
        return shown
    name = path.rpartition("/")[2] or path
    return name if cell_len(name) <= width else _cut(name, width, mark)


def _cut(text: str, width: int, mark: str) -> str:
    """The text with the mark in place of its middle, a third of the room before it."""
    from rich.cells import cell_len

    room = max(0, width - cell_len(mark))
    return _leading(text, room // 3) + mark + _trailing(text, room - room // 3)


def _leading(text: str, room: int) -> str:
    """As many characters from the start as fit into the room."""
    from rich.cells import cell_len

    part = text[: _count(text, room)]
    while cell_len(part) > room:
        part = part[:-1]
    return part


def _trailing(text: str, room: int) -> str:
    """As many characters from the end as fit into the room."""
    from rich.cells import cell_len

    part = text[len(text) - _count(text[::-1], room) :]
    while cell_len(part) > room:
        part = part[1:]
    return part


def _count(text: str, room: int) -> int:
    """How many characters fit if each is measured alone: together some are wider, such as emoji."""
    from rich.cells import cell_len

    for count, character in enumerate(text):
        room -= cell_len(character)
        if room < 0:
            return count
    return len(text)

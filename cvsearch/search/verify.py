"""Photos read again: what may be lost must still be what the index says, and so must what is kept for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from cvsearch.embedding.pipeline import Read
from cvsearch.indexer.singles import Stat
from cvsearch.model import IndexedPhoto, Skip, Unread
from cvsearch.search.duplicates import Group, find_losable


@dataclass(slots=True)
class Verifier:
    """Reads files and compares hashes, each file once; `tell` hears of those that are left out."""

    stat: Stat
    read: Read
    tell: Callable[[str], None]
    left_out: int = 0
    _faults: dict[str, str | None] = field(default_factory=dict)

    def find_losable(self, groups: Sequence[Group]) -> Iterator[IndexedPhoto]:
        """The photos that could be lost, each with a kept photo that is there and unchanged."""
        for copy, stand_ins in find_losable(groups):
            fault = self._fault_of(copy)
            if fault is None and all(self._fault_of(kept) is not None for kept in stand_ins):
                kept = stand_ins[0]
                fault = f"the photo to keep for it is not what it was: {kept.path}: {self._fault_of(kept)}"
            if fault is None:
                yield copy
            else:
                self.left_out += 1
                self.tell(f"left out {copy.path}: {fault}")

    def _fault_of(self, copy: IndexedPhoto) -> str | None:
        if copy.path not in self._faults:
            self._faults[copy.path] = self._reread(copy)
        return self._faults[copy.path]

    def _reread(self, copy: IndexedPhoto) -> str | None:
        file = self.stat(copy.path)
        if isinstance(file, Unread):
            return file.detail or file.reason
        if file.size != copy.size:
            return "it has changed since it was indexed"
        result = self.read(file)
        if isinstance(result, Skip):
            return result.detail or result.reason
        return None if result[1] == copy.sha256 else "it has changed since it was indexed"

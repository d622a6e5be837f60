"""Reads a PyTorch checkpoint of plain tensors into numpy arrays, without PyTorch.

Only the names a state dictionary needs are let through the unpickler; anything else is refused, so a
tampered file cannot run code.
"""

from __future__ import annotations

import collections
import pickle
import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_DTYPES: dict[str, type[np.generic]] = {
    "FloatStorage": np.float32,
    "LongStorage": np.int64,
    "HalfStorage": np.float16,
    "IntStorage": np.int32,
    "DoubleStorage": np.float64,
}


class _Storage:
    def __init__(self, dtype: type[np.generic]) -> None:
        self.dtype = np.dtype(dtype)
        self.data: NDArray[Any] = np.zeros(0, dtype)


def _tensor(storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    return storage, offset, tuple(size), tuple(stride)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, storages: dict[str, _Storage]) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a checkpoint")

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key = pid[:3]
        return self.storages.setdefault(key, _Storage(dtype))


def read_checkpoint(path: str) -> dict[str, NDArray[Any]]:
    """The tensors of a legacy (not zip) checkpoint by name.

    The layout is three pickled headers, the state dictionary, the list of storage keys, and then each
    storage as a little-endian count and its numbers.
    """
    storages: dict[str, _Storage] = {}
    with open(path, "rb") as file:
        for _ in range(3):
            _Unpickler(file, storages).load()
        state = _Unpickler(file, storages).load()
        for key in _Unpickler(file, storages).load():
            (count,) = struct.unpack("<q", file.read(8))
            storage = storages[key]
            storage.data = np.frombuffer(file.read(count * storage.dtype.itemsize), storage.dtype)
    return {name: _array(*parts) for name, parts in state.items()}


def _array(storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> NDArray[Any]:
    steps = tuple(step * storage.dtype.itemsize for step in stride)
    return np.array(np.lib.stride_tricks.as_strided(storage.data[offset:], size, steps))

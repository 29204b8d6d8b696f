"""Finds and opens the local model's weights, which are part of the wheel (hatch_build.py)."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redzone.errors import ModelFilesMissing

FOLDER = "redzone_weights"
INSTALL = "pip install 'redzone[local]'"


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file and the sha256 of the version that the model was fitted with."""

    file: str
    sha256: str


TEXT = Weights("PP-OCRv6_det_small.onnx", "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f")
FACE = Weights(
    "face_detection_yunet_2023mar.onnx", "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
)


def find(weights: Weights) -> Path:
    """Path of the installed file, checked by hash. Raises ModelFilesMissing with the install command."""
    spec = importlib.util.find_spec(FOLDER)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        path = Path(folder) / weights.file
        if path.is_file():
            return _checked(path, weights)
    raise ModelFilesMissing(f"the local model's {weights.file} is not installed; {INSTALL}")


def _checked(path: Path, weights: Weights) -> Path:
    if hashlib.sha256(path.read_bytes()).hexdigest() != weights.sha256:
        raise ModelFilesMissing(
            f"{path} is not the file that the model was fitted with; reinstall: {INSTALL}"
        )
    return path


def open_session(weights: Weights) -> Any:
    """An onnxruntime session; thread-safe, each inference uses one thread.

    CUDA is used if the installed runtime supports it. Raises ModelFilesMissing.
    """
    try:
        import onnxruntime  # type: ignore[import-untyped]  # ships neither stubs nor py.typed
    except ImportError as error:
        raise ModelFilesMissing(f"the local model needs onnxruntime ({error}); {INSTALL}") from error
    options = onnxruntime.SessionOptions()
    # posters are judged in parallel, so more threads per poster would only contend
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: stderr is used by the live view
    available = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]
    return onnxruntime.InferenceSession(str(find(weights)), options, providers=providers)

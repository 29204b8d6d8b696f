from __future__ import annotations

import sys
from pathlib import Path

import pytest

from redzone.errors import ModelFilesMissing
from redzone.vision.local import weights
from redzone.vision.local.model import LocalModel
from redzone.vision.local.weights import Weights


def test_both_files_are_installed_and_whole() -> None:
    """The wheel brought the files that the model was fitted with."""
    for file in (weights.TEXT, weights.FACE):
        assert weights.find(file).name == file.file


def test_a_missing_file_names_the_command_that_brings_it() -> None:
    """The error tells what is missing and what to type."""
    with pytest.raises(ModelFilesMissing, match=r"nothing\.onnx.*pip install 'redzone\[local\]'"):
        weights.find(Weights("nothing.onnx", "0" * 64))


def test_a_damaged_file_is_not_used() -> None:
    """Other weights would give other verdicts under the same version."""
    with pytest.raises(ModelFilesMissing, match="not the file"):
        weights.find(Weights(weights.FACE.file, "0" * 64))


def test_without_any_weights_the_error_is_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation that lacks the folder altogether is told the same command."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(
        sys, "meta_path", [finder for finder in sys.meta_path if "ditable" not in repr(finder)]
    )
    with pytest.raises(ModelFilesMissing, match="pip install"):
        weights.find(weights.TEXT)


@pytest.mark.parametrize("package", ["numpy", "onnxruntime"])
async def test_without_the_extra_the_model_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """redzone installed without [local] says so when the model is loaded, not with an import error."""
    for name in ("classifier", "text_detector", "face_detector"):
        monkeypatch.delitem(sys.modules, f"redzone.vision.local.{name}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    model = LocalModel()
    with pytest.raises(ModelFilesMissing, match=rf"{package}.*pip install"):
        model.load()
    await model.aclose()

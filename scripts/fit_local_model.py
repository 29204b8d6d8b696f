"""Fit the local model's three coefficients to labelled posters and cross-validate them.

    python scripts/fit_local_model.py FOLDER

FOLDER holds labels.csv (filename, contains_key_elements, note) and images/. The figures printed are
cross-validated; the coefficients written to src/redzone/vision/local/fit.json use every poster.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from redzone.imaging.render import frame
from redzone.models import ViewKind
from redzone.vision.local import weights
from redzone.vision.local.classifier import Evidence, Examiner, Fit, logit
from redzone.vision.local.model import VERSION
from redzone.zones import PRESETS

Floats = npt.NDArray[np.float64]

TARGET = Path(__file__).parents[1] / "src/redzone/vision/local/fit.json"
FLOOR = 0.001
RIDGE = 0.01
FOLDS = 10
REPEATS = 20
SEED = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """A labelled poster, the evidence in its red zone and the time it took, seconds."""

    name: str
    label: bool
    debatable: bool
    evidence: Evidence
    seconds: float


def frame_pixels(path: Path) -> npt.NDArray[np.uint8]:
    """The poster as the model gets it in a run."""
    view = frame(path.read_bytes(), [PRESETS["red"]], ViewKind.PIXELS)
    return np.frombuffer(view.data, np.uint8).reshape(view.height, view.width, 3)


def examine(folder: Path) -> list[Sample]:
    """The evidence in the red zone of every labelled poster, in the order of labels.csv."""
    examiner = Examiner()
    samples = []
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            pixels = frame_pixels(folder / "images" / row["filename"])
            start_s = time.perf_counter()
            (evidence,) = examiner.examine(pixels, [PRESETS["red"]])
            samples.append(
                Sample(
                    row["filename"],
                    row["contains_key_elements"] == "1",
                    row["note"].startswith("ambiguous"),
                    evidence,
                    time.perf_counter() - start_s,
                )
            )
    return samples


def columns(samples: list[Sample]) -> Floats:
    """One row per poster: 1, log odds of text, face score."""
    return np.array([[1.0, logit(s.evidence.text, FLOOR), s.evidence.face] for s in samples])


def logistic(features: Floats, labels: Floats) -> Floats:
    """Coefficients of a logistic regression by Newton's method, with a small ridge on all but the first."""
    beta = np.zeros(features.shape[1])
    ridge = RIDGE * np.eye(len(beta))
    ridge[0, 0] = 0.0
    for _ in range(100):
        chance = 1 / (1 + np.exp(-features @ beta))
        gradient = features.T @ (chance - labels) + ridge @ beta
        curvature = (features.T * (chance * (1 - chance))) @ features + ridge
        step = np.linalg.solve(curvature, gradient)
        beta -= step
        if np.abs(step).max() < 1e-10:
            return beta
    raise ArithmeticError("Newton's method did not converge")


def fit(samples: list[Sample]) -> Fit:
    """Fit the coefficients to these posters."""
    beta = logistic(columns(samples), np.array([float(sample.label) for sample in samples]))
    intercept, text, face = (round(float(value), 4) for value in beta)
    return Fit(intercept, text, face, FLOOR)


def cross_validate(samples: list[Sample]) -> Floats:
    """Per repeat and poster, the probability that a fit to other folds gives it. Folds are stratified."""
    chance = np.random.default_rng(SEED)
    labels = np.array([sample.label for sample in samples])
    unseen = np.zeros((REPEATS, len(samples)))
    for repeat in unseen:
        fold = np.zeros(len(samples), int)
        for value in (False, True):
            members = chance.permutation(np.flatnonzero(labels == value))
            fold[members] = np.arange(len(members)) % FOLDS
        for number in range(FOLDS):
            trained = fit([s for s, f in zip(samples, fold, strict=True) if f != number])
            for index in np.flatnonzero(fold == number):
                repeat[index] = trained.probability(samples[index].evidence)
    return unseen


def figures(samples: list[Sample], unseen: Floats) -> dict[str, float]:
    """Cross-validated figures, means over the repeats; the confusion matrix is in posters."""
    labels = np.array([sample.label for sample in samples])
    settled = np.array([not sample.debatable for sample in samples])
    found = unseen > 0.5
    hit, false_alarm = (found & labels).sum(1), (found & ~labels).sum(1)
    miss, free = (~found & labels).sum(1), (~found & ~labels).sum(1)
    correct = found == labels
    values = {
        "accuracy": correct.mean(),
        "accuracy_spread": correct.mean(1).std(),
        "accuracy_undebated": correct[:, settled].mean(),
        "precision": (hit / (hit + false_alarm)).mean(),
        "recall": (hit / (hit + miss)).mean(),
        "true_fail": hit.mean(),
        "false_fail": false_alarm.mean(),
        "false_pass": miss.mean(),
        "true_pass": free.mean(),
        "brier": ((unseen - labels) ** 2).mean(),
    }
    return {name: round(float(value), 4) for name, value in values.items()}


def show(samples: list[Sample], unseen: Floats, cross_validated: dict[str, float]) -> None:
    """Print figures, calibration and the posters judged wrong."""
    labels = np.array([sample.label for sample in samples])
    for name, value in cross_validated.items():
        print(f"{name:20} {value:.4g}")
    print("\nprobability  posters  mean    observed")
    edges = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0000001)
    for low, high in itertools.pairwise(edges):
        here = (unseen >= low) & (unseen < high)
        if here.any():
            observed = np.broadcast_to(labels, unseen.shape)[here].mean()
            mean = unseen[here].mean()
            print(f"{low:.2f}-{high:.2f}    {here.sum() / REPEATS:6.1f}  {mean:.3f}   {observed:.3f}")
    print("\njudged wrong in most repeats:")
    for sample, chance in zip(samples, unseen.mean(0), strict=True):
        if (chance > 0.5) != sample.label:
            seen = sample.evidence
            print(
                f"{sample.name:12} label {sample.label:d}  p {chance:.2f}  text {seen.text:.3f}  "
                f"face {seen.face:.2f}  {'debatable' if sample.debatable else ''}"
            )


def main() -> None:
    """Examine, cross-validate, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    samples = examine(folder)
    unseen = cross_validate(samples)
    cross_validated = figures(samples, unseen)
    show(samples, unseen, cross_validated)
    plain = sum(sample.evidence.plain for sample in samples)
    looked_s = [sample.seconds for sample in samples if not sample.evidence.plain]
    median_ms = 1000 * float(np.median(looked_s))
    print(f"\n{len(samples)} posters, {plain} of them plain; the others took {median_ms:.0f} ms (median)")
    final = fit(samples)
    print(final)
    record = {
        "version": VERSION,
        "fit": asdict(final),
        "posters": len(samples),
        "plain": plain,
        "labels_sha256": hashlib.sha256((folder / "labels.csv").read_bytes()).hexdigest(),
        "weights_sha256": {file.file: file.sha256 for file in (weights.TEXT, weights.FACE)},
        "cross_validation": {"folds": FOLDS, "repeats": REPEATS, "seed": SEED, **cross_validated},
    }
    TARGET.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Measures the memory that large pictures take: peak of `redzone analyze` over that of a run with small ones.

    uv run python benchmarks/memory.py [--pictures 24] [--workers 50] [--format NAME ...] [--margin 0.995]
                                       [--folder FOLDER] [-- OPTION ...]

Each run judges that many different files of a few kilobytes, just under the limit of pixels, against a
simulator process: first each format alone, then a mix of all. Two zones, at the top and at the bottom, let no
decoder stop early; options after -- go to `redzone analyze`. Peaks are resident memory as reported by the
kernel for the child. Exits with 1 if a run takes more than 250 MB over the baseline, or if a picture is not
judged.
"""

from __future__ import annotations

import argparse
import csv
import math
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redzone.bench.measure.processes import CommandContext, analyze, clean_environment, simulator
from redzone.config.settings import Settings

if TYPE_CHECKING:
    from PIL import Image

MOST_MB = 250.0
SMALL = (300, 450)
ZONES = ("--zone", "red", "--zone", "foot=0,0.9,1,0.1")
ROTATED = 6  # the EXIF orientation that takes a turn by 90 degrees
MIX = "mix"

Encoder = Callable[["Image.Image"], bytes]


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _exif() -> Image.Exif:
    from PIL import ExifTags, Image

    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = ROTATED
    return exif


def _transparent(image: Image.Image) -> Image.Image:
    """With an alpha channel that is half transparent everywhere."""
    image = image.convert("RGBA")
    image.putalpha(128)
    return image


ENCODERS: dict[str, Encoder] = {
    "jpeg": lambda image: _saved(image, "JPEG", quality=30),
    "jpeg-progressive": lambda image: _saved(image, "JPEG", quality=30, progressive=True),
    "jpeg-rotated": lambda image: _saved(image, "JPEG", quality=30, exif=_exif()),
    "jpeg-cmyk": lambda image: _saved(image.convert("CMYK"), "JPEG", quality=30, exif=_exif()),
    "png": lambda image: _saved(image, "PNG"),
    "png-rotated-alpha": lambda image: _saved(_transparent(image), "PNG", exif=_exif()),
    "png-16-bit": lambda image: _saved(image.convert("I;16"), "PNG"),
    "png-palette": lambda image: _saved(image.quantize(8), "PNG", transparency=0, exif=_exif()),
    "gif": lambda image: _saved(image.quantize(8), "GIF"),
    "webp": lambda image: _saved(image, "WEBP", quality=30, method=0),
    "webp-rotated-alpha": lambda image: _saved(
        _transparent(image), "WEBP", quality=30, method=0, exif=_exif()
    ),
    "avif": lambda image: _saved(image, "AVIF", quality=30, speed=10),
    "avif-rotated-alpha": lambda image: _saved(
        _transparent(image), "AVIF", quality=30, speed=10, exif=_exif()
    ),
}


def write_pictures(folder: Path, name: str, size: tuple[int, int], count: int) -> None:
    """Write `count` files of one picture of (width, height) px, which differ in what follows the picture."""
    from PIL import Image, ImageDraw

    Image.MAX_IMAGE_PIXELS = None
    image = Image.new("RGB", size, (40, 60, 90))
    width, height = size
    ImageDraw.Draw(image).rectangle((width // 8, height // 8, width // 4, height // 4), fill=(240, 240, 230))
    data = ENCODERS[name](image)
    for number in range(count):
        # a `free` box of AVIF, which is also ignored behind the end of the other formats
        box = f"{name} {size} {number}".encode()
        (folder / f"{name}-{number}").write_bytes(data + (len(box) + 8).to_bytes(4) + b"free" + box)


def large_size(margin: float) -> tuple[int, int]:
    """Width and height of a 2:3 poster with that share of the most pixels that are decoded."""
    most = Settings.model_fields["max_image_pixels"].default * margin
    width = int(math.sqrt(most / 1.5))
    return width, int(most / width)


def make(folder: Path, name: str, size: tuple[int, int], count: int) -> list[Path]:
    """Write the pictures in a process of its own: the memory of this one must stay below what it measures."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}-{number}" for number in range(count)]
    if not all(path.exists() for path in paths):
        command = [sys.executable, __file__, "--write", str(folder), name, *map(str, (*size, count))]
        subprocess.run(command, check=True)
    return paths


def peak_mb(
    context: CommandContext, base_url: str, paths: Sequence[Path], given: argparse.Namespace
) -> float:
    """Run `redzone analyze` over the files; return its peak resident memory, MB."""
    listed = context.folder / "pictures.csv"
    with listed.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["content_id", "poster_img_url"])
        writer.writerows((number, path) for number, path in enumerate(paths))
    command = [str(listed), "--base-url", base_url, "--allow-private-hosts", "--no-cache", "--json", *ZONES]
    command += ["--workers", str(given.workers), "--progress", "none", "--home", str(context.folder / "home")]
    done = analyze(context, [*command, *given.options])
    errors = done.output["counts"]["error"]
    if errors:
        raise SystemExit(f"{errors} of {len(paths)} pictures were not judged: {done.output['folder']}")
    if done.peak_bytes is None:
        raise SystemExit("the peak is not above this process's own: it cannot be told")
    return done.peak_bytes / 1e6


def measure(folder: Path, pictures: Path, given: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """Yield the name of each run and its MB over the baseline; print a line for each."""
    context = CommandContext(folder, clean_environment({"OPENAI_API_KEY": "simulated-key-0123"}))
    size = large_size(given.margin)
    made: dict[str, list[Path]] = {}
    with simulator(context, 1, ("--latency", "0.05")) as served:
        small = make(pictures / "small", "jpeg", SMALL, given.pictures)
        baseline = peak_mb(context, served.base_url, small, given)
        print(
            f"baseline: {baseline:.0f} MB, {given.pictures} pictures of {SMALL[0]} x {SMALL[1]}", flush=True
        )
        for name in given.format or ENCODERS:
            made[name] = make(pictures, name, size, given.pictures)
        runs = dict(made)
        if len(made) > 1:
            rows = zip(*made.values(), strict=True)
            runs[MIX] = [path for row in rows for path in row][: given.pictures]
        for name, paths in runs.items():
            over = peak_mb(context, served.base_url, paths, given) - baseline
            kilobytes = sum(path.stat().st_size for path in paths) / len(paths) / 1000
            print(
                f"{name:20} {over:7.0f} MB over, {size[0]} x {size[1]}, {kilobytes:,.0f} KB each", flush=True
            )
            yield name, over


def main() -> int:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--format", action="append", choices=[*ENCODERS])
    parser.add_argument("--margin", type=float, default=0.995)
    parser.add_argument("--folder", type=Path, help="Keep the pictures here and use them again.")
    parser.add_argument("--write", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("options", nargs="*")
    given = parser.parse_args()
    if given.write:
        folder, name, width, height, count = given.write
        write_pictures(Path(folder), name, (int(width), int(height)), int(count))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the child processes end too
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = list(measure(folder, given.folder or folder / "pictures", given))
    name, most = max(found, key=lambda run: run[1])
    print(f"most: {most:.0f} MB over the baseline ({name}), at most {MOST_MB:.0f} are allowed")
    return int(most > MOST_MB)


if __name__ == "__main__":
    raise SystemExit(main())

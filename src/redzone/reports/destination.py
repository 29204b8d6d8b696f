"""Where results may be written: never onto an input, and never over a file that redzone did not write."""

from __future__ import annotations

import csv
import errno
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from redzone.errors import UsageError
from redzone.reports.export import STREAMED, Format, format_for
from redzone.reports.table import OUTCOME_COLUMNS

STDOUT = "-"
_HEAD_BYTES = 1 << 20
_JSON_KEYS = frozenset({"row", "status", "columns", "image_sha256", "finished_at", "reviewed_by"})


def check_destinations(
    targets: Sequence[str], inputs: Iterable[str] = (), *, overwrite: bool = False
) -> None:
    """Refuse targets that cannot be written or must not be, before anything is paid for. `-` is stdout.

    An existing file is replaced if redzone wrote it, or with `overwrite`; an input never. Raises UsageError.
    """
    inputs = tuple(inputs)
    seen: set[Path] = set()
    for target in targets:
        if target == STDOUT:
            continue
        path = Path(target)
        form = format_for(path)
        check_destination(path, form, inputs, overwrite=overwrite)
        if path.resolve() in seen:
            raise UsageError(f"--output {target}: named twice; write each file once")
        seen.add(path.resolve())


def check_destination(
    path: Path, form: Format, inputs: Iterable[str] = (), *, overwrite: bool = False
) -> None:
    """Refuse one target, as `check_destinations` does. Raises UsageError."""
    for name in inputs:
        if _is_same_file(path, Path(name)):
            raise UsageError(f"--output {path} is the input {name}; name another file")
    try:
        found = path.stat()
    except FileNotFoundError:
        _check_folder(path)
        return
    except OSError as error:
        raise UsageError(f"--output {path} cannot be written: {error.strerror}; name another file") from error
    if stat.S_ISDIR(found.st_mode):
        raise UsageError(f"--output {path} is a folder; name a file in it, such as {path / 'results.csv'}")
    if not stat.S_ISREG(found.st_mode):
        if form not in STREAMED:
            raise UsageError(f"--output {path} is not a file, which {path.suffix} needs; name another one")
        return
    if not os.access(path, os.W_OK):
        raise UsageError(f"--output {path} is read-only; name another file")
    if not overwrite and found.st_size and not _is_ours(path, form):
        raise UsageError(
            f"--output {path} exists and was not written by redzone; name another file, or pass --overwrite"
        )
    _check_folder(path)


def _is_same_file(path: Path, other: Path) -> bool:
    """Whether two names mean one file, whatever their spelling and the links between."""
    try:
        return path.samefile(other)
    except OSError:
        return path.resolve() == other.resolve()


def _check_folder(path: Path) -> None:
    """Prove that a file can be created beside the target: permissions alone do not tell."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"--output {path}: there is no folder {path.parent}; create it first")
    probe = folder / f".redzone-{secrets.token_hex(4)}.tmp"
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        probe.unlink()
        path.lstat()  # a name that is too long
    except FileNotFoundError:
        pass
    except OSError as error:
        reason = "the name is too long" if error.errno == errno.ENAMETOOLONG else error.strerror
        raise UsageError(f"--output {path} cannot be written: {reason}; name another file") from error


def _is_ours(path: Path, form: Format) -> bool:
    """Whether redzone wrote the file, by its content. A file that cannot be read is not ours."""
    try:
        return _RECOGNISERS[form](path)
    except (OSError, ValueError, csv.Error, RecursionError):
        return False


def _is_our_csv(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), [])
    names = [name.removeprefix("redzone_") for name in header]
    return {"status", *OUTCOME_COLUMNS} <= set(names)


def _is_our_json(path: Path) -> bool:
    with path.open(encoding="utf-8") as file:
        first = file.readline(_HEAD_BYTES).strip()
        if first == "[":  # an array has an object on each line
            first = file.readline(_HEAD_BYTES).strip().removesuffix(",")
    if first == "[]":
        return True
    found = json.loads(first)
    return isinstance(found, dict) and found.keys() >= _JSON_KEYS


def _is_our_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        end = file.seek(-8, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
        if file.read(4) != b"PAR1" or length > end:
            return False
        file.seek(end - length)
        footer = file.read(length)
    return all(name.encode() in footer for name in OUTCOME_COLUMNS)


def _is_our_html(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return b'name="generator" content="redzone"' in head or b'<p class="kicker">Poster report' in head


def _is_our_pdf(path: Path) -> bool:
    content = path.read_bytes()
    return content.startswith(b"%PDF-") and b"/Author(redzone)" in content


_RECOGNISERS: Mapping[Format, Callable[[Path], bool]] = {
    Format.CSV: _is_our_csv,
    Format.JSON: _is_our_json,
    Format.JSONL: _is_our_json,
    Format.PARQUET: _is_our_parquet,
    Format.HTML: _is_our_html,
    Format.PDF: _is_our_pdf,
}

"""Inputs without columns: a text file with one URL or path a line, and a folder of images."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from redzone.errors import InputUnusable
from redzone.inputs.columns import IMAGE_SUFFIXES, Record, Roles
from redzone.inputs.text_file import TextFile


class UrlList:
    """One URL or path a line; lines that begin with `#` are comments. Its one column is `url`."""

    columns = ("url",)
    roles = Roles(image="url")

    def __init__(self, file: TextFile, base_dir: Path) -> None:
        self.name = file.name
        self.base_dir = base_dir
        self._file = file

    @property
    def notes(self) -> tuple[str, ...]:
        """The encoding, if it was detected."""
        return (self._file.note,) if self._file.note else ()

    def digest(self) -> str:
        """sha256 of the file's bytes, hex."""
        return self._file.digest()

    def records(self) -> Iterator[Record]:
        """A row for every line that is neither blank nor a comment."""
        for number, line in enumerate(self._file.lines(), 1):
            url = line.strip()
            if url and not url.startswith("#"):
                yield number, {"url": url}, None


class Folder:
    """The images of a folder and its subfolders, in natural order (`p2` before `p10`).

    The id is the path inside the folder without its suffix. Hidden files and other kinds of file are no rows;
    linked folders are not entered. The list of names is held in memory to sort it.
    """

    columns = ("id", "path")
    roles = Roles(id="id", image="path")
    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.base_dir = path.absolute()

    def records(self) -> Iterator[Record]:
        """A row for every image file; `line` is its place in the order."""
        names = self._names()
        if not names:
            raise InputUnusable(f"{self.name} holds no image: {', '.join(sorted(IMAGE_SUFFIXES))}")
        for number, path in enumerate(names, 1):
            shown = path.encode("utf-8", "replace").decode()
            fault = None if shown == path else "its file name is not UTF-8; rename it"
            yield number, {"id": str(PurePath(shown).with_suffix("")), "path": shown}, fault

    def digest(self) -> str:
        """sha256 over names and sizes, hex. Not over times, which change with every copy, nor over contents,
        which would mean to read every image twice; a run records the sha256 of each image that it judged."""
        digest = hashlib.sha256()
        for path in self._names():
            size = (self.base_dir / path).lstat().st_size
            digest.update(f"{path}\0{size}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def _names(self) -> list[str]:
        names: list[str] = []
        for folder, subfolders, files in os.walk(self.base_dir, onerror=self._refuse):
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            inside = Path(folder).relative_to(self.base_dir)
            names.extend(
                (inside / file).as_posix()
                for file in files
                if not file.startswith(".") and Path(file).suffix.lower() in IMAGE_SUFFIXES
            )
        return sorted(names, key=_natural)

    def _refuse(self, error: OSError) -> None:
        raise InputUnusable(f"{error.filename} cannot be read: {error.strerror}") from error


def _natural(path: str) -> tuple[list[tuple[int, str]], str]:
    """Digits by value, letters regardless of case, and the path itself so that no two are alike."""
    parts = re.split(r"([0-9]+)", path.casefold())
    return [(int(part[:4000]), "") if part.isdigit() else (0, part) for part in parts], path

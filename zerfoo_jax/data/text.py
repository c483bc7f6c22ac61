"""Text as bytes: language modelling without a tokenizer, on any files, or on Python's own library."""

from glob import glob
import os
from pathlib import Path
import sysconfig
from typing import Literal

import numpy as np

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.data.baselines import unigram_entropies
from zerfoo_jax.data.files import read_bytes, regular_file
from zerfoo_jax.data.source import Dataset
from zerfoo_jax.data.split import OpenFraction
from zerfoo_jax.data.tokens import TokenSource

VOCAB_SIZE = 256
_NOT_LIBRARY = {"__pycache__", "dist-packages", "idlelib", "lib2to3", "site-packages", "test", "tests", "turtledemo"}


def text(
    *,
    path: str | None = None,
    source: Literal["python_stdlib"] | None = None,
    sequence_length: PositiveInt,
    max_bytes: PositiveInt = 8_000_000,
    validation_fraction: OpenFraction = 0.05,
) -> Dataset:
    """Bytes of text files as tokens 0..255: inputs and targets (sequence_length,) int32, the targets one byte ahead.

    Whole files are held out for validation, so its text is unseen; of a single file, the end.
    Baselines on the validation bytes, in bits per byte: see `baselines.unigram_entropies`.

    Options:
        path: a file, a folder (all files below it but hidden ones) or a pattern such as `notes/**/*.txt`.
        source: instead of a path, `python_stdlib`: the standard library's Python files of the running interpreter.
        sequence_length: bytes per example. Examples do not overlap.
        max_bytes: reading stops after so many bytes; files are read in the order of their names.
        validation_fraction: about this part of the files is for validation, evenly spaced.

    Raises `DataError` where there is nothing to read, or something that is not text.
    """
    if (path is None) == (source is None):
        raise ConfigError("text needs either path or source", place="path", fix="add path: ..., or source: python_stdlib")
    place = path or str(source)
    files = _library() if path is None else _files(path)
    kept, held_out = _split(_read(files, max_bytes), validation_fraction)
    train, validation = (TokenSource(part, sequence_length, VOCAB_SIZE, place) for part in (kept, held_out))
    baselines = unigram_entropies(kept, held_out, VOCAB_SIZE)
    return Dataset(train, validation, "language", baselines=baselines, vocab_size=VOCAB_SIZE)


def _library() -> list[Path]:
    return [file for file in _below(sysconfig.get_path("stdlib"), _NOT_LIBRARY) if file.suffix == ".py"]


def _files(path: str) -> list[Path]:
    # os.path, unlike Path, takes impossible names for missing ones.
    if os.path.isdir(path):
        return _below(path, set())
    if any(c in path for c in "*?[") and not os.path.exists(path) and "\0" not in path:
        return [Path(name) for name in sorted(glob(path, recursive=True)) if os.path.isfile(name)]
    return [regular_file(path)]


def _below(folder: str, skipped: set[str]) -> list[Path]:
    """The regular files below a folder, in the order of their names relative to it; links to folders are not followed."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in skipped and not name.startswith(".")]
        found += [file for name in names if not name.startswith(".") and (file := Path(parent, name)).is_file()]
    return sorted(found, key=lambda file: file.relative_to(folder).as_posix())


def _read(files: list[Path], max_bytes: int) -> list[np.ndarray]:
    """The files' bytes, at most `max_bytes` in all; empty files count for nothing."""
    contents = []
    for file in files:
        content = read_bytes(file, max_bytes)
        if b"\0" in content:
            raise DataError("the file holds NUL bytes: it is not text", place=str(file), fix="name only text files")
        max_bytes -= len(content)
        if content:
            contents.append(np.frombuffer(content, np.uint8))
        if max_bytes == 0:
            break
    if not contents:
        raise DataError("there is no text to read", fix="check the path or pattern")
    return contents


def _split(contents: list[np.ndarray], fraction: float) -> tuple[np.ndarray, np.ndarray]:
    if len(contents) == 1:
        end = round(len(contents[0]) * (1 - fraction))
        return contents[0][:end], contents[0][end:]
    every = min(max(2, round(1 / fraction)), len(contents))
    held_out = [file for i, file in enumerate(contents) if i % every == every - 1]
    kept = [file for i, file in enumerate(contents) if i % every != every - 1]
    return np.concatenate(kept), np.concatenate(held_out)

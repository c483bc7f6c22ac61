"""Pictures in folders, one folder per class; decoded when a batch asks for them. Needs the extra `images`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.data.baselines import majority_accuracy
from zerfoo_jax.data.fingerprint import fingerprint_of
from zerfoo_jax.data.source import Dataset
from zerfoo_jax.data.split import EveryKth, every_kth, held_rows

_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_SAMPLE = 65_536


def images(*, path: str, size: PositiveInt, channels: Literal[1, 3] = 3, held_out: EveryKth = 5) -> Dataset:
    """Pictures of named classes: inputs (size, size, channels) float32 in 0..1, targets int32.

    Options:
        path: a folder with one folder per class, named as the class, holding its pictures.
        size: height and width that every picture is resized to, whole, without keeping its proportions.
        channels: 3 for colour, 1 for grey.
        held_out: every so-manieth picture, in the order of classes and names, is for validation.

    Raises `DataError` for a folder without pictures, and for a file that is no picture or a huge one when it is read.
    """
    pillow = _pillow()
    classes = _folders(path)
    files = [(file, i) for i, folder in enumerate(classes) for file in _pictures(folder)]
    if not files:
        raise DataError("no pictures in the folders", place=path, fix=f"add files of the kinds {', '.join(sorted(_SUFFIXES))}")
    ids = np.array([i for _, i in files], np.int32)
    whole = ImageSource(tuple(file for file, _ in files), ids, size, channels, pillow)
    last = held_rows(len(ids), held_out)
    parts = every_kth(whole, held_out)
    return Dataset(*parts, "classification", tuple(folder.name for folder in classes), majority_accuracy(ids[~last], ids[last]))


@dataclass(frozen=True, eq=False)
class ImageSource:
    """Picture files and their class ids; `pillow` is the module PIL.Image."""

    files: tuple[Path, ...]
    ids: np.ndarray
    size: int
    channels: int
    pillow: Any

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        pictures = np.stack([self._decode(self.files[i]) for i in indices])
        return {"inputs": pictures.astype(np.float32) / 255, "targets": self.ids[indices]}

    def _decode(self, file: Path) -> np.ndarray:
        try:
            with self.pillow.open(file) as picture:
                limit = self.pillow.MAX_IMAGE_PIXELS
                if limit and picture.width * picture.height > limit:
                    raise DataError(
                        f"{picture.width} x {picture.height} pixels are too many", place=str(file), fix="shrink the picture"
                    )
                plain = picture.convert("RGB" if self.channels == 3 else "L").resize(
                    (self.size, self.size), self.pillow.BILINEAR
                )
        except DataError:
            raise
        except Exception as error:  # decoders raise many kinds for a damaged file
            raise DataError(
                f"cannot decode the picture: {type(error).__name__}: {error}", place=str(file), fix="replace or remove the file"
            ) from error
        return np.asarray(plain, np.uint8).reshape(self.size, self.size, self.channels)

    def fingerprint(self) -> str:
        names = (f"{file.parent.name}/{file.name} {file.stat().st_size}" for file in self.files)
        sampled = (self.files[i] for i in np.linspace(0, len(self.files) - 1, 64).astype(int))
        heads = (np.frombuffer(_head(file), np.uint8) for file in sampled)
        return fingerprint_of(*names, *heads, f"{self.size} {self.channels}")


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_SAMPLE)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError("reading pictures needs Pillow", fix="pip install 'zerfoo-jax[images]'") from error
    return Image


def _folders(path: str) -> list[Path]:
    try:
        found = sorted(entry for entry in Path(path).iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot list {path!r}: {error}", place=repr(path), fix="give a folder with one folder per class"
        ) from error
    if not found:
        raise DataError("no folders inside", place=path, fix="put the pictures of each class into a folder named as the class")
    return found


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES and file.is_file())

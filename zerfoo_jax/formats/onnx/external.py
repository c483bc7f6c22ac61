"""Tensors in files beside an ONNX model: only in the model's own folder, and only where what is claimed fits the file."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zerfoo_jax.core.errors import FormatError, brief
from zerfoo_jax.formats.files import beside, map_file

_KEYS = ("location", "offset", "length", "checksum", "basepath")


@dataclass(frozen=True, eq=False)
class Folder:
    """The folder of a model, with the files in it that have been opened."""

    path: Path
    opened: dict[Path, memoryview] = field(default_factory=dict)

    def view(self, entries: Iterable[Any], size: int, place: str) -> memoryview:
        """The bytes of a tensor, mapped; `entries` are the keys and values of its `external_data`.

        Raises `FormatError` for unknown and repeated keys, files that `files.beside` refuses, and any other length than `size`.
        """
        found: dict[str, str] = {}
        for entry in entries:
            if entry.key in found or entry.key not in _KEYS:
                raise FormatError(f"external_data holds {brief(entry.key)} twice, or that is no key of it", place=place)
            if not isinstance(entry.value, str):  # protobuf gives bytes for what is no text
                raise FormatError(f"external_data: {entry.key} is no text in UTF-8", place=place)
            found[entry.key] = entry.value
        path = beside(self.path, found.get("location", ""), place)
        if path not in self.opened:
            self.opened[path] = map_file(path)
        data = self.opened[path]
        offset = _number(found.get("offset", "0"), "offset", place)
        length = _number(found["length"], "length", place) if "length" in found else len(data) - offset
        if length != size:
            raise FormatError(f"the tensor takes {size:,} bytes, external_data says {length:,}", place=place)
        if offset + length > len(data):
            raise FormatError(
                f"bytes {offset:,} to {offset + length:,} are not in {path.name}: {len(data):,} bytes", place=place
            )
        return data[offset : offset + length]


def _number(text: str, key: str, place: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise FormatError(f"external_data: {key} is no number: {brief(text)}", place=place)
    return int(text)

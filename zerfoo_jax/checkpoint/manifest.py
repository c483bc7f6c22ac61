"""The manifest of a checkpoint: what is in it, byte for byte, in strict JSON, guarded by a digest of its own.

`manifest.json` lists every leaf (path, dtype, shape, SHA-256) and every file (path, size, SHA-256), and carries the small data:
`extra`, `metrics`, and the versions that wrote it. `manifest.json.sha256` holds the SHA-256 of that file, as `sha256sum -c`
reads it. A manifest is untrusted input: whoever can write the folder can write a consistent digest.
"""

import hashlib
import json
import math
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, NonNegativeInt, ValidationError

from zerfoo_jax.checkpoint.faults import DamagedError, first_line
from zerfoo_jax.config.strict_json import strict_json
from zerfoo_jax.core.errors import CheckpointError

MANIFEST = "manifest.json"
MANIFEST_DIGEST = "manifest.json.sha256"
MANIFEST_LIMIT = 64 * 2**20
"""Bytes; a larger manifest is refused, when written and when read."""


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path or "/".join(parts) != path:
        raise ValueError("not a plain path inside the checkpoint")
    return path


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
RelativePath = Annotated[str, AfterValidator(_inside)]
Metric = float | Literal["nan", "inf", "-inf"]
"""JSON has no NaN and no infinity: they are written as text."""


class LeafRecord(BaseModel, frozen=True, extra="forbid"):
    """One leaf of the tree; a PRNG key's dtype is `key<implementation>` and its digest covers the key data."""

    path: str
    dtype: str
    shape: tuple[NonNegativeInt, ...]
    sha256: Sha256


class FileRecord(BaseModel, frozen=True, extra="forbid"):
    """One file of the checkpoint; `size` in bytes."""

    path: RelativePath
    size: NonNegativeInt
    sha256: Sha256


class Manifest(BaseModel, frozen=True, extra="forbid"):
    """All that is known of a checkpoint without opening its arrays."""

    version: Literal[1] = 1
    step: NonNegativeInt
    digest: Sha256
    leaves: tuple[LeafRecord, ...]
    files: tuple[FileRecord, ...]
    extra: dict[str, Any]
    metrics: dict[str, Metric]
    versions: dict[str, str]

    def numbers(self) -> dict[str, float]:
        """The metrics as numbers."""
        return {name: float(value) for name, value in self.metrics.items()}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes both manifest files. Raises `CheckpointError` when the manifest is larger than `MANIFEST_LIMIT`."""
    text = json.dumps(manifest.model_dump(), indent=1, allow_nan=False).encode()
    if len(text) > MANIFEST_LIMIT:
        raise CheckpointError(
            f"the manifest would have {len(text)} bytes, more than {MANIFEST_LIMIT}",
            fix="keep `extra` small: arrays go into the tree",
        )
    (folder / MANIFEST).write_bytes(text)
    (folder / MANIFEST_DIGEST).write_text(_digest_line(text), encoding="ascii")


def read_manifest(folder: Path) -> Manifest:
    """Reads and checks the manifest of a checkpoint folder; raises `DamagedError` for anything but a faultless one."""
    text = _read_limited(folder / MANIFEST, MANIFEST_LIMIT)
    if _read_limited(folder / MANIFEST_DIGEST, 200) != _digest_line(text).encode():
        raise DamagedError(f"{MANIFEST} differs from its digest")
    try:
        strict_json(text.decode())
        manifest = Manifest.model_validate_json(text, strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise DamagedError(f"{MANIFEST}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{MANIFEST}: {first_line(error)}") from error
    _expect_unique("leaf", [leaf.path for leaf in manifest.leaves])
    _expect_unique("file", [file.path for file in manifest.files])
    return manifest


def checked_extra(extra: Any) -> dict[str, Any]:
    """A deep copy of `extra`; raises `CheckpointError` unless it comes back from JSON as it went in."""
    try:
        copy = json.loads(json.dumps(extra, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"`extra` is not JSON: {first_line(error)}",
            fix="use str, int, finite float, bool, None, lists and dicts; arrays go into the tree",
        ) from error
    if copy != extra or not isinstance(copy, dict):
        raise CheckpointError(
            "`extra` would not come back from JSON as it is", fix="use a dict with text keys, and lists instead of tuples"
        )
    return copy


def checked_metrics(metrics: Any) -> dict[str, Metric]:
    """Metrics as JSON holds them; raises `CheckpointError` for what is no number."""
    try:
        numbers = {str(name): float(value) for name, value in metrics.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"`metrics` maps names to numbers: {first_line(error)}", fix="leave out what is no scalar"
        ) from error
    as_text: dict[str, Any] = {name: str(value) for name, value in numbers.items() if not math.isfinite(value)}
    return numbers | as_text


def _digest_line(text: bytes) -> str:
    return f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n"


def _read_limited(path: Path, limit: int) -> bytes:
    if path.is_symlink() or not path.is_file():  # asked before opening: a pipe would block for ever
        raise DamagedError(f"{path.name} is missing")
    with path.open("rb") as file:
        text = file.read(limit + 1)
    if len(text) > limit:
        raise DamagedError(f"{path.name} has more than {limit} bytes")
    return text


def _expect_unique(kind: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DamagedError(f"{MANIFEST} lists the {kind} {twice!r} twice")

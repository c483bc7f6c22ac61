"""One checkpoint as a folder: written once, verified to the last bit whenever it is read.

<step>/arrays/...             the leaves, as Orbax writes them
<step>/manifest.json          what must be there; see `manifest`
<step>/manifest.json.sha256
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from zerfoo_jax import __version__
from zerfoo_jax.checkpoint.arrays import orbax_version, read_arrays, write_arrays
from zerfoo_jax.checkpoint.digest import combine, leaf_digest
from zerfoo_jax.checkpoint.faults import DamagedError, UnreadableError, failing_as
from zerfoo_jax.checkpoint.files import hash_of, sync_all, walk_files
from zerfoo_jax.checkpoint.leaves import Leaf, by_path, rebuild, stored_form
from zerfoo_jax.checkpoint.manifest import (
    MANIFEST,
    MANIFEST_DIGEST,
    FileRecord,
    LeafRecord,
    Manifest,
    Metric,
    read_manifest,
    write_manifest,
)
from zerfoo_jax.checkpoint.match import expect_match
from zerfoo_jax.core.types import Spec, Tree

ARRAYS = "arrays"


@dataclass(frozen=True)
class Content:
    """All that one checkpoint holds, on the host and independent of what the caller does next."""

    step: int
    leaves: dict[str, Leaf]
    extra: dict[str, Any]
    metrics: dict[str, Metric]


def write_checkpoint(folder: Path, content: Content) -> None:
    """Writes a checkpoint into a new folder, the manifest last, and flushes all of it to the disk."""
    folder.mkdir()
    write_arrays(folder / ARRAYS, {path: leaf.data for path, leaf in content.leaves.items()})
    digests = {path: leaf_digest(leaf) for path, leaf in content.leaves.items()}
    leaves = [
        LeafRecord(path=path, dtype=leaf.dtype, shape=leaf.shape, sha256=digests[path]) for path, leaf in content.leaves.items()
    ]
    files = [FileRecord(path=path, size=size, sha256=hash_of(folder / path)) for path, size in sorted(walk_files(folder))]
    manifest = Manifest(
        step=content.step,
        digest=combine(digests),
        leaves=tuple(leaves),
        files=tuple(files),
        extra=content.extra,
        metrics=content.metrics,
        versions={"jax": jax.__version__, "orbax": orbax_version(), "zerfoo_jax": __version__},
    )
    write_manifest(folder, manifest)
    sync_all(folder)


def read_checkpoint(folder: Path, target: Tree) -> tuple[Tree, Manifest]:
    """The tree stored in `folder`, shaped and placed as `target`, and its manifest.

    Raises `DamagedError` when the folder is not what was saved, `UnreadableError` when it cannot be read although it may be
    whole, and `CheckpointError` when it holds another tree than `target`.
    """
    with failing_as(UnreadableError, "cannot read this checkpoint", folder):
        manifest = open_checkpoint(folder)
        wanted = by_path(target)
        expect_match(manifest.step, manifest.leaves, wanted)
        verify_files(folder, manifest)
        specs = {path: stored_form(leaf, path) for path, leaf in wanted.items()}
        arrays = read_arrays(folder / ARRAYS, specs)
    for record in manifest.leaves:
        _verify_leaf(record, arrays[record.path], specs[record.path])
    return rebuild(target, arrays), manifest


def _verify_leaf(record: LeafRecord, array: np.ndarray, spec: Spec) -> None:
    if array.shape != spec.shape or array.dtype != spec.dtype:
        raise DamagedError(f"the leaf {record.path!r} was read as {array.dtype}{array.shape}")
    if leaf_digest(Leaf(record.dtype, record.shape, array)) != record.sha256:
        raise DamagedError(f"the leaf {record.path!r} differs from its digest")


def open_checkpoint(folder: Path) -> Manifest:
    """The checked manifest of the checkpoint in `folder`; its name must be the step."""
    if folder.is_symlink() or not folder.is_dir():
        raise DamagedError("not a folder")
    manifest = read_manifest(folder)
    if str(manifest.step) != folder.name:
        raise DamagedError(f"holds step {manifest.step}")
    return manifest


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Raises `DamagedError` unless the folder holds exactly the manifest's files, each with its size and digest."""
    expected = {file.path: file for file in manifest.files}
    missing = set(expected)
    for path, size in walk_files(folder):
        if path in (MANIFEST, MANIFEST_DIGEST):
            continue
        if path not in expected:
            raise DamagedError(f"unexpected file {path!r}")
        if size != expected[path].size:
            raise DamagedError(f"{path!r} has {size} bytes instead of {expected[path].size}")
        if hash_of(folder / path) != expected[path].sha256:
            raise DamagedError(f"{path!r} differs from its digest")
        missing.remove(path)
    if missing:
        raise DamagedError(f"{min(missing)!r} is missing")

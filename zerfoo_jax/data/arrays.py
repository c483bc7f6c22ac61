"""Arrays from NumPy files."""

from typing import Literal

import numpy as np

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data.npy import load_npz, map_npy
from zerfoo_jax.data.source import ArraySource, Dataset, Kind
from zerfoo_jax.data.split import EveryKth, every_kth

_MAX_CLASSES = 1_000_000
_NAMES = (("inputs", "targets"), ("x", "y"))


def arrays(
    *, path: str, targets_path: str | None = None, held_out: EveryKth = 5, kind: Kind | Literal["auto"] = "auto"
) -> Dataset:
    """Examples along the first axis of arrays in NumPy's formats. Nothing is unpickled; sizes are checked before loading.

    Options:
        path: a .npz archive with `inputs` and `targets` (or `x` and `y`), and optionally `validation_inputs` and
            `validation_targets` (or `validation_x`, `validation_y`); or a .npy file of inputs, which is memory-mapped.
        targets_path: the .npy file of the targets, if `path` is a .npy file.
        held_out: every so-manieth example is for validation, unless the archive has arrays of its own for that.
        kind: what the targets are. "auto": floating-point targets are a regression, integers of the inputs' shape are
            language, other integers are class ids.

    Raises `DataError` for files that are missing, damaged, hostile or hold something else.
    """
    found = load_npz(path) if targets_path is None else {"inputs": map_npy(path), "targets": map_npy(targets_path)}
    train = _pair(found, "", path)
    if any(name.startswith("validation_") for name in found):
        parts = train, _pair(found, "validation_", path)
    else:
        parts = every_kth(train, held_out)
    kind = _kind(train) if kind == "auto" else kind
    return Dataset(*parts, kind, _classes(train.targets, path) if kind == "classification" else ())


def _pair(found: dict[str, np.ndarray], prefix: str, path: str) -> ArraySource:
    for inputs, targets in _NAMES:
        if prefix + inputs in found and prefix + targets in found:
            return ArraySource(found[prefix + inputs], found[prefix + targets])
    wanted = " or ".join(f"{prefix}{a} and {prefix}{b}" for a, b in _NAMES)
    raise DataError(f"no {wanted} among the arrays {sorted(found)[:20]}", place=path, fix="rename the arrays")


def _kind(source: ArraySource) -> Kind:
    if source.targets.dtype.kind == "f":
        return "regression"
    same = source.targets.shape == source.inputs.shape and source.inputs.dtype.kind != "f" and source.inputs.ndim > 1
    return "language" if same else "classification"


def _classes(targets: np.ndarray, path: str) -> tuple[str, ...]:
    low, high = (int(targets.min()), int(targets.max())) if targets.size else (0, -1)
    if targets.dtype.kind == "f" or low < 0 or high >= _MAX_CLASSES:
        raise DataError(
            f"class ids of {targets.dtype} from {low} to {high}: should be integers from 0 to {_MAX_CLASSES - 1}",
            place=path,
            fix="number the classes from 0, or set kind: regression",
        )
    return tuple(str(i) for i in range(high + 1))

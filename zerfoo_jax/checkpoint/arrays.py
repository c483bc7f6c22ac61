"""The one door to Orbax: a flat dict of NumPy arrays to a folder and back.

Orbax is imported on first use, in the thread that uses it, so that neither start-up nor the first training step waits for it.
Arrays without elements have no bytes and Orbax refuses them: they exist in the manifest alone.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zerfoo_jax.core.types import Spec


def write_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes the arrays into `folder` (absolute, must not exist); writes nothing when no array has elements."""
    import orbax.checkpoint as ocp

    stored = {name: array for name, array in arrays.items() if array.size}
    if not stored:
        return
    with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as checkpointer:
        checkpointer.save(folder, args=ocp.args.StandardSave(stored))


def read_arrays(folder: Path, specs: Mapping[str, Spec]) -> dict[str, np.ndarray]:
    """Reads the arrays of exactly these names, shapes and dtypes from `folder`; raises what Orbax raises."""
    import orbax.checkpoint as ocp

    # A broadcast zero has the wanted shape and dtype but takes no memory.
    wanted = {name: np.broadcast_to(np.zeros((), spec.dtype), spec.shape) for name, spec in specs.items() if spec.size}
    arrays = {name: np.zeros(spec.shape, spec.dtype) for name, spec in specs.items() if not spec.size}
    if wanted:
        with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as checkpointer:
            arrays |= checkpointer.restore(folder, args=ocp.args.StandardRestore(wanted))
    return arrays


def orbax_version() -> str:
    """The version of the installed Orbax."""
    import orbax.checkpoint as ocp

    return ocp.__version__

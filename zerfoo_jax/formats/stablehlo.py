"""StableHLO artefacts: a network's evaluation, parameters included, as `jax.export` serialises it, to be run without its code.

A deployment artefact and no archive: it runs on JAX for years (https://docs.jax.dev/en/latest/export/export.html, compatibility
guarantees), but cannot be trained or edited. What such a file says is compiled and run as it stands, so, unlike a
model file, it wants a source that one trusts; the program can compute, and nothing else.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from jax import export
import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.core.types import Tree
from zerfoo_jax.formats.dynamic import dynamic_specs
from zerfoo_jax.formats.files import read_bytes, write_whole
from zerfoo_jax.formats.summary import Summary
from zerfoo_jax.graph.editing.network import Network

MAX_BYTES = 2**31
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def write(network: Network, path: Path, *, batch: int | None = None, platforms: tuple[str, ...] = PLATFORMS) -> None:
    """Writes the network's evaluation for any batch size, or for `batch` alone, to run on any of these platforms.

    Raises `FormatError` for a network whose shapes cannot be worked out for every batch size, and for inputs in float64 where
    JAX has no float64.
    """
    if any(spec.dtype == np.float64 != jax.dtypes.canonicalize_dtype(spec.dtype) for spec in network.specs):
        cause = "the network is in float64, which JAX would turn into float32"
        raise FormatError(cause, place=str(path), fix="set JAX_ENABLE_X64=1, or choose float32")
    evaluate = jax.jit(lambda *inputs: network.model.apply(network.params, network.state, *inputs)[0])
    try:
        exported = export.export(evaluate, platforms=platforms)(*dynamic_specs(network, batch))
    except Exception as error:  # symbolic sizes fail in many ways, one for each function that asks for more than they tell
        cause = f"the network cannot be exported: {_first_line(error)}"
        raise FormatError(
            cause,
            place=str(path),
            fix="give it one batch size: option `batch`, in `zerfoo convert` write.batch=1" if batch is None else "",
        ) from error
    with write_whole(path) as file:
        file.write(exported.serialize())


def load_function(path: Path) -> Callable[..., Tree]:
    """The function in a file: inputs -> outputs, like the network that was written."""
    exported = _read(path)

    def run(*inputs: Any) -> Tree:
        return exported.call(*(np.asarray(x).astype(taken.dtype) for x, taken in zip(inputs, exported.in_avals, strict=True)))

    return run


def summarize(path: Path) -> Summary:
    """Inputs, outputs and platforms of an artefact."""
    exported = _read(path)
    facts = {
        "function": exported.fun_name,
        "platforms": ", ".join(exported.platforms),
        "calling convention": exported.calling_convention_version,
        "bytes of the program": len(exported.mlir_module_serialized),
    }
    return Summary("stablehlo", facts, tuple(map(str, exported.in_avals)), tuple(map(str, exported.out_avals)))


def _read(path: Path) -> export.Exported:
    try:
        return export.deserialize(bytearray(read_bytes(path, MAX_BYTES)))
    except FormatError:
        raise
    except Exception as error:  # flatbuffers reads offsets unchecked: anything may come of bytes that are no artefact
        raise FormatError(f"this is no StableHLO artefact: {_first_line(error)}", place=str(path)) from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"

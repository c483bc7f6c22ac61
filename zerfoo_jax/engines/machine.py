"""What the machine under the engines has and can do: memory, devices, number formats, instructions."""

import os
from pathlib import Path
import resource
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

INSTRUCTION_SETS = ("amx", "asimd", "avx", "f16c", "fma", "neon", "sse4_2", "sve")
"""Beginnings of the names of the extensions that matter to arithmetic on vectors."""


def memory() -> dict[str, Any]:
    """Sizes in bytes: of this process, now and at its most, of the machine, of all live JAX arrays, and of each device's own
    memory where its backend says (limit, live and peak)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    pages = _first_number("/proc/self/statm", 1)
    size = pages and pages * os.sysconf("SC_PAGE_SIZE")
    return {
        "process": size,
        "process_peak": max(peak, size or 0),  # the kernel counts the two at different moments
        "machine": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "live_arrays": sum(x.nbytes for x in jax.live_arrays()),
        **{str(device): sizes for device in jax.devices() if (sizes := _sizes(device))},
    }


def _sizes(device: Any) -> dict[str, int]:
    stats = device.memory_stats() or {}
    names = {"limit": "bytes_limit", "live": "bytes_in_use", "peak": "peak_bytes_in_use"}
    return {name: int(stats[key]) for name, key in names.items() if key in stats}


def _first_number(path: str, field: int) -> int | None:
    try:
        return int(Path(path).read_text().split()[field])
    except (OSError, ValueError, IndexError):
        return None


def capabilities() -> dict[str, Any]:
    """Kinds of devices, processor cores that this process may use, instruction sets, whether float64 is switched on, and for
    each small number format whether a product of two matrices comes out right, computed just now.

    >>> capabilities()["matmul_bfloat16"]
    True
    """
    formats = {"bfloat16": jnp.bfloat16, "float16": jnp.float16, "float8_e4m3fn": jnp.float8_e4m3fn}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "device_kinds": sorted({device.device_kind for device in jax.devices()}),
        "cores": cores,
        "instruction_sets": _instruction_sets(),
        "float64": jax.dtypes.canonicalize_dtype(np.float64) == np.float64,
        **{f"matmul_{name}": _multiplies(dtype) for name, dtype in formats.items()},
    }


def _multiplies(dtype: Any) -> bool:
    ones = jnp.ones((16, 16), dtype)
    try:
        product = jax.jit(lambda a, b: jax.lax.dot(a, b, preferred_element_type=jnp.float32))(ones, ones)
    except Exception:  # each backend has an error of its own for what it cannot do
        return False
    return bool(jnp.all(product == 16))


def _instruction_sets() -> list[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return sorted(flag for flag in flags if flag.startswith(INSTRUCTION_SETS))

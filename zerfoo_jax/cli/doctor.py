"""`zerfoo doctor`: what this machine has, and what is missing."""

import json
from typing import Any

from zerfoo_jax.cli.arguments import JsonOption

OPTIONAL = {"matplotlib": "plot", "PIL": "images"}


def doctor(as_json: JsonOption = False) -> None:
    """Show versions, devices, memory, the cache, and optional parts that are not installed."""
    from importlib.util import find_spec

    from zerfoo_jax.experiment.folder import environment
    from zerfoo_jax.experiment.runtime import cache_folder

    found = {**environment(), "cache": str(cache_folder()), "memory": _device_memory()}
    found["missing"] = {name: f"pip install 'zerfoo-jax[{extra}]'" for name, extra in OPTIONAL.items() if not find_spec(name)}
    del found["command"]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:18} {_words(value)}")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        value = [f"{name}: {text}" for name, text in value.items()]
    return "; ".join(value) if isinstance(value, list) and value else str(value or "-")


def _device_memory() -> dict[str, str]:
    import jax

    sizes = {}
    for device in jax.devices():
        stats = device.memory_stats() or {}
        if "bytes_limit" in stats:
            sizes[str(device)] = f"{stats.get('bytes_in_use', 0) / 2**30:.1f} of {stats['bytes_limit'] / 2**30:.1f} GiB in use"
    return sizes

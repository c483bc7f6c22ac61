"""`zerfoo doctor`: what this machine has, and what is missing."""

import json
from typing import Any

from zerfoo_jax.cli.arguments import JsonOption

OPTIONAL = {"matplotlib": "plot", "PIL": "images", "onnx": "onnx"}


def doctor(as_json: JsonOption = False) -> None:
    """Show versions, engines, devices, memory, the cache, and optional parts that are not installed."""
    from importlib.util import find_spec

    from zerfoo_jax.engines.machine import capabilities, memory
    from zerfoo_jax.experiment.folder import environment
    from zerfoo_jax.experiment.runtime import cache_folder

    found = {**environment(), "cache": str(cache_folder())}
    found["missing"] = {name: f"pip install 'zerfoo-jax[{extra}]'" for name, extra in OPTIONAL.items() if not find_spec(name)}
    del found["command"]
    found |= {"capabilities": capabilities(), "memory": memory(), "engines": _engines()}
    if as_json:
        print(json.dumps(found, indent=2))
        return
    found["memory"] = _in_gib(found["memory"])
    for name, value in found.items():
        for i, line in enumerate(_lines(value)):
            print(f"{'' if i else name:18} {line}")


def _engines() -> dict[str, Any]:
    """Of each engine what it says of itself; of one that cannot be loaded, why."""
    from zerfoo_jax.core.errors import EngineError
    from zerfoo_jax.engines import available_engines

    found = available_engines()
    return {
        name: {"error": engine.problems[0].cause, "fix": engine.problems[0].fix}
        if isinstance(engine, EngineError)
        else dict(engine.describe())
        for name, engine in found.items()
    }


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return [f"{name:20} {_words(text)}" for name, text in value.items()]
    return [_words(value)]


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_words(text)}" for name, text in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return "-" if value is None else str(value)


def _in_gib(sizes: Any) -> Any:
    if isinstance(sizes, dict):
        return {name: _in_gib(size) for name, size in sizes.items()}
    return sizes and f"{sizes / 2**30:.2f} GiB"

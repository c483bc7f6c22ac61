"""Engines: a function -> a callable, on some hardware. Adding one: a file and a line in the table, or a package of its own that
names it in the entry-point group `zerfoo_jax.engines`.
"""

from collections.abc import Mapping
from typing import Any

from zerfoo_jax.core.errors import EngineError
from zerfoo_jax.engines import find
from zerfoo_jax.engines.debug import Debug as Debug
from zerfoo_jax.engines.debug import Trace as Trace
from zerfoo_jax.engines.eager import Eager as Eager
from zerfoo_jax.engines.engine import Engine as Engine
from zerfoo_jax.engines.operation import Operation as Operation
from zerfoo_jax.engines.origin import first_nonfinite as first_nonfinite
from zerfoo_jax.engines.xla import Xla as Xla

ENGINES: dict[str, Engine] = {
    "debug": Debug(),
    "eager": Eager(),
    "xla": Xla(),
}


def engine_of(given: str | Mapping[str, Any] | Engine) -> Engine:
    """The engine of a name, or of a mapping `{name: ..., option: value}`; an engine is itself.

    Raises `ConfigError` for an unknown name or option, and `EngineError` where an installed package's engine cannot be loaded.

    >>> engine_of({"name": "debug", "nodes": "dense_*"}).nodes
    'dense_*'
    """
    return find.find(ENGINES, given)


def available_engines() -> dict[str, Engine | EngineError]:
    """All engines by name, installed packages' too; in the place of one that cannot be loaded, the error that says why."""
    return find.available(ENGINES)

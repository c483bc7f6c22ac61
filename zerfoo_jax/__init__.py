"""zerfoo_jax: a functional machine-learning framework on JAX.

`import zerfoo_jax as zf` gives the rooms as `zf.layers`, `zf.training`, ... and the Python twins of the command line as
`zf.load_config`, `zf.train`, `zf.evaluate`. Rooms are imported when first used, so that the command line starts at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerfoo_jax import checkpoint as checkpoint
    from zerfoo_jax import core as core
    from zerfoo_jax import data as data
    from zerfoo_jax import engines as engines
    from zerfoo_jax import formats as formats
    from zerfoo_jax import graph as graph
    from zerfoo_jax import inference as inference
    from zerfoo_jax import layers as layers
    from zerfoo_jax import losses as losses
    from zerfoo_jax import metrics as metrics
    from zerfoo_jax import models as models
    from zerfoo_jax import numeric as numeric
    from zerfoo_jax import optim as optim
    from zerfoo_jax import training as training
    from zerfoo_jax.core.methods import methods as methods
    from zerfoo_jax.core.recording import recorded as recorded
    from zerfoo_jax.experiment.activity import ActivityRecorder as ActivityRecorder
    from zerfoo_jax.experiment.activity import replay as replay
    from zerfoo_jax.experiment.api import evaluate as evaluate
    from zerfoo_jax.experiment.api import load_config as load_config
    from zerfoo_jax.experiment.api import train as train
    from zerfoo_jax.graph.describe import describe as describe
    from zerfoo_jax.graph.views.blueprint import blueprint as blueprint

__version__ = "0.1.0"

ROOMS = (
    "checkpoint",
    "core",
    "data",
    "engines",
    "formats",
    "graph",
    "inference",
    "layers",
    "losses",
    "metrics",
    "models",
    "numeric",
    "optim",
    "training",
)
TWINS = ("evaluate", "load_config", "train")
INTROSPECTION = {
    "ActivityRecorder": "zerfoo_jax.experiment.activity",
    "blueprint": "zerfoo_jax.graph.views.blueprint",
    "describe": "zerfoo_jax.graph.describe",
    "methods": "zerfoo_jax.core.methods",
    "recorded": "zerfoo_jax.core.recording",
    "replay": "zerfoo_jax.experiment.activity",
}
"""What says of other things what they are and what they do, and where it is."""


def __getattr__(name: str) -> Any:
    if name in ROOMS:
        return importlib.import_module(f"zerfoo_jax.{name}")
    if name in TWINS:
        return getattr(importlib.import_module("zerfoo_jax.experiment.api"), name)
    if name in INTROSPECTION:
        return getattr(importlib.import_module(INTROSPECTION[name]), name)
    raise AttributeError(f"module 'zerfoo_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *ROOMS, *TWINS, *INTROSPECTION})

"""What a config's `model` section means: a model to be initialised, or one from a file with its parameters.

Formats and operators take a fifth of a second to import, so they are asked only for sections that name a file or an operator.
"""

from collections.abc import Mapping
from typing import Any

from zerfoo_jax.core.layer import Layer, Walk
from zerfoo_jax.core.spec import Table
from zerfoo_jax.core.types import Spec
from zerfoo_jax.experiment.reading import FILE
from zerfoo_jax.graph import TABLE
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.models import model_from_config


def model_of(section: Mapping[str, Any], inputs: Spec | None) -> tuple[Layer, Walk, Network | None]:
    """The model, the walk over it on inputs of that shape, and the network that training begins with where it is from a file.

    Raises one `ConfigError` with every problem of the section, and `FormatError` for a file that cannot be read.
    """
    if FILE in section:
        from zerfoo_jax.experiment.model_from_file import model_from_file

        return model_from_file(section, inputs)
    return *model_from_config(section, inputs, table=_table_for(section)), None


def _table_for(section: Mapping[str, Any]) -> Table:
    """What a type in this section may name."""
    if not _names_operators(section):
        return TABLE
    from zerfoo_jax.formats.operators.layers import LAYERS_AND_OPERATORS

    return LAYERS_AND_OPERATORS


def _names_operators(given: Any) -> bool:
    if isinstance(given, Mapping):
        return given.get("type") in ("Operator", "Parameter") or any(map(_names_operators, given.values()))
    return isinstance(given, list | tuple) and any(map(_names_operators, given))

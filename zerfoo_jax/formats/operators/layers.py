"""The types that a model's description may name where operators stand among layers."""

from zerfoo_jax.core.spec import Table
from zerfoo_jax.formats.operators.operator import Operator
from zerfoo_jax.formats.operators.parameter import Parameter
from zerfoo_jax.graph import TABLE

LAYERS_AND_OPERATORS: Table = {**TABLE, "Operator": Operator, "Parameter": Parameter}

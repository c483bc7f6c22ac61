"""JAX functions as operators: a function is traced once, with sizes that vary as symbols, and its jaxpr is written down."""

from zerfoo_jax.formats.lowering.function import OPSET as OPSET
from zerfoo_jax.formats.lowering.function import OPSETS as OPSETS
from zerfoo_jax.formats.lowering.function import graph_of_function as graph_of_function
from zerfoo_jax.formats.lowering.network import graph_of_network as graph_of_network

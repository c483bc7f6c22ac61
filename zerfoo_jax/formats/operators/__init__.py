"""Models as operators of the ONNX specification: the graph, the functions that run them, the way to a `Network`."""

from zerfoo_jax.formats.operators.graph import Attribute as Attribute
from zerfoo_jax.formats.operators.graph import OperatorGraph as OperatorGraph
from zerfoo_jax.formats.operators.graph import OperatorNode as OperatorNode
from zerfoo_jax.formats.operators.graph import Value as Value
from zerfoo_jax.formats.operators.table import OPERATORS as OPERATORS
from zerfoo_jax.formats.operators.table import function_of as function_of

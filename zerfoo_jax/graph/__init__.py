"""Models as data: graphs of named layers, from Python and from mappings, checked as a whole before any data."""

from zerfoo_jax.core.layer import check as check
from zerfoo_jax.graph.graph import Graph as Graph
from zerfoo_jax.graph.graph_of import graph_of as graph_of
from zerfoo_jax.graph.input import Input as Input
from zerfoo_jax.graph.model_spec import TABLE as TABLE
from zerfoo_jax.graph.model_spec import model_from_spec as model_from_spec
from zerfoo_jax.graph.model_spec import model_to_spec as model_to_spec
from zerfoo_jax.graph.node import Node as Node
from zerfoo_jax.graph.shared import Shared as Shared
from zerfoo_jax.graph.writing.builder import GraphBuilder as GraphBuilder
from zerfoo_jax.graph.writing.built import BoundGraph as BoundGraph
from zerfoo_jax.graph.writing.built import BuiltGraph as BuiltGraph
from zerfoo_jax.graph.writing.codegen import to_python as to_python
from zerfoo_jax.graph.writing.declared import Declared as Declared
from zerfoo_jax.graph.writing.declared import declare as declare
from zerfoo_jax.graph.writing.declared import node as node
from zerfoo_jax.graph.writing.handle import Handle as Handle
from zerfoo_jax.graph.writing.text import from_json as from_json
from zerfoo_jax.graph.writing.text import from_yaml as from_yaml
from zerfoo_jax.graph.writing.text import read_model as read_model
from zerfoo_jax.graph.writing.text import to_json as to_json
from zerfoo_jax.graph.writing.text import to_yaml as to_yaml

"""Models as Python source: the class that a person would have written."""

from zerfoo_jax.graph.codegen.module import to_python as to_python

"""Models as Python source: the class that a person would have written."""

from zerfoo_jax.graph.writing.codegen.module import to_python as to_python

"""zerfoo_jax: a functional machine-learning framework on JAX."""

__version__ = "0.1.0"

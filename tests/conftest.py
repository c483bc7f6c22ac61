"""Strict numerics for every test: what a careless broadcast or promotion would hide elsewhere fails here."""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(0)


@pytest.fixture
def torch():
    """The oracle for layers, losses and optimizers; tests that use it skip visibly without it."""
    return pytest.importorskip("torch", reason="the oracle extra is not installed")

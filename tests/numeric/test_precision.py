import jax
import jax.numpy as jnp
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.numeric import POLICIES, Policy, cast_floating, policy, widened


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_policies_keep_parameters_and_outputs_in_float32_and_compute_in_their_name(name):
    found = policy(name)
    assert (found.params, found.output) == (jnp.float32, jnp.float32)
    assert found.compute == jnp.dtype(name)
    assert found.scales_loss == (name == "float16")
    assert policy(found) is found


@pytest.mark.parametrize("name", ["bfloat", "", None, 16, ["float32"]])
def test_an_unknown_policy_is_refused_with_the_known_ones(name):
    with pytest.raises(ConfigError, match=r"unknown precision[^$]*bfloat16, float16, float32"):
        policy(name)


def test_casting_touches_floating_arrays_only():
    tree = {"a": jnp.ones(2), "b": jnp.arange(3), "c": jnp.array(True), "k": jax.random.key(0), "e": jnp.zeros((0, 2))}
    cast = cast_floating(tree, jnp.bfloat16)
    kept = {"b": jnp.int32, "c": jnp.bool_, "k": tree["k"].dtype}
    assert {name: x.dtype for name, x in cast.items()} == {"a": jnp.bfloat16, "e": jnp.bfloat16, **kept}


def test_widening_never_narrows():
    with jax.enable_x64(True):
        dtypes = (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64, jnp.int32, bool)
        assert [widened(jnp.ones(1, d)).dtype.name for d in dtypes] == ["float32"] * 3 + ["float64"] + ["float32"] * 2


def test_a_policy_is_a_value():
    assert Policy() == POLICIES["float32"] and hash(Policy()) == hash(POLICIES["float32"])

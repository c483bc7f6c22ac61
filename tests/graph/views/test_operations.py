"""Operations against closed forms, XLA's own count, and the literature."""

import jax
from jax import lax
import jax.numpy as jnp
import pytest

from tests.support.architectures import outline_of
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.views.operations import count_operations
from zerfoo_jax.graph.views.outline import outline
from zerfoo_jax.layers import Conv2D, ConvTranspose2D, Dense, MultiHeadAttention, Stack
from zerfoo_jax.models import gpt2


def count(layer: Layer, *specs: Spec) -> int:
    return outline(layer, *specs).operations


def counted_by_xla(layer: Layer, spec: Spec) -> float:
    params, state = jax.eval_shape(layer.init, jax.random.key(0), spec)
    with jax.default_device(jax.devices("cpu")[0]):  # on GPUs convolutions are calls into a library, of which XLA says nothing
        compiled = jax.jit(lambda p, s, x: layer.apply(p, s, x)[0]).lower(params, state, spec).compile()
    return (compiled.cost_analysis() or {})["flops"]


def test_dense():
    layer, x = Dense(7), Spec((3, 5), jnp.float32)
    assert count(layer, x) == 2 * 3 * 5 * 7 + 3 * 7 == counted_by_xla(layer, x)


@pytest.mark.parametrize(("groups", "dilation"), [(1, 1), (2, 1), (1, 2), (5, 2)])
def test_convolution(groups, dilation):
    def convolve(x, kernel):
        return lax.conv_general_dilated(
            x,
            kernel,
            (2, 2),
            "VALID",
            rhs_dilation=(dilation, dilation),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )

    found = count_operations(convolve, Spec((2, 11, 13, 20), jnp.float32), Spec((3, 3, 20 // groups, 10), jnp.float32))
    height, width = ((size - 2 * dilation - 1) // 2 + 1 for size in (11, 13))
    assert found == {"": 2 * 2 * height * width * 10 * 9 * 20 // groups}


def test_convolution_as_xla_counts_it_and_transposed():
    x = Spec((2, 9, 7, 3), jnp.float32)
    layer = Conv2D(4, 3, 1, "VALID")
    assert count(layer, x) == counted_by_xla(layer, x)
    transposed = ConvTranspose2D(4, 2, 2, "VALID", use_bias=False)  # every number times every number of the kernel
    assert count(transposed, x) == 2 * (2 * 9 * 7 * 3) * (2 * 2 * 4)


def test_attention_and_stack():
    batch, seq, features, heads = 2, 16, 32, 4
    attention, x = MultiHeadAttention(heads, use_bias=False), Spec((batch, seq, features), jnp.float32)
    products = 4 * 2 * batch * seq * features**2 + 2 * 2 * batch * seq**2 * features
    softmax = batch * heads * seq**2
    assert products + 4 * softmax <= count(attention, x) <= products + 10 * softmax
    assert count(attention, x) == pytest.approx(counted_by_xla(attention, x), rel=0.02)
    assert count(Stack(attention, 5), x) == 5 * count(attention, x)


def test_loops_branches_reductions_and_moves():
    x = Spec((4, 6), jnp.float32)

    def function(x):
        y, _ = lax.scan(lambda c, _: (jnp.sin(c), None), x, None, length=7)
        y = lax.cond(True, lambda y: y, lambda y: jnp.exp(y) * y, y)
        return jnp.sum(jnp.swapaxes(y, 0, 1).reshape(8, 3)), jnp.arange(5) + 1

    assert count_operations(function, x) == {"": 7 * 24 + 2 * 24 + 24}
    scoped = count_operations(jax.named_scope("a")(lambda x: jax.vmap(jax.named_scope("b")(jnp.exp))(x)), x)
    assert scoped == {"a/b": 24}


def test_literature():
    macs = 4_089_184_256  # torchvision's figure for ResNet-50 at 224, multiply-adds of convolutions and the last layer
    resnet = outline_of("published resnet50")
    kinds = [part for _, part in resnet.parts() if part.kind in ("Conv2D", "Dense")]
    assert sum(part.operations for part in kinds) == 2 * macs + 1000  # the bias of the last layer
    assert resnet.operations == pytest.approx(8.2e9, rel=0.01)

    seq, features, layers, parameters = 128, 768, 12, 124_439_808
    gpt = outline(gpt2(), Spec((1, seq), jnp.int32)).operations / seq
    positions = 1024 * 768  # looked up, not multiplied
    assert gpt == pytest.approx(2 * (parameters - positions) + 4 * seq * features * layers, rel=0.01)

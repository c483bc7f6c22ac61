import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_torch, assert_close, normal, random_variables
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import (
    CrossAttention,
    Dense,
    FeedForward,
    LayerNorm,
    MultiHeadAttention,
    Stack,
    TransformerDecoderBlock,
    TransformerEncoderBlock,
)

MASK = np.array([[True, True, False, True, False], [True, False, True, True, True]])


def torch_names(torch, params):
    """The tensors of torch's transformer layers, from our parameters."""
    weights = {}
    for ours, theirs in (("attention", "self_attn"), ("cross_attention", "multihead_attn")):
        if ours in params:
            parts = [params[ours][name] for name in ("query", "key", "value")]
            weights[f"{theirs}.in_proj_weight"] = torch.cat([p["kernel"].T for p in parts])
            weights[f"{theirs}.in_proj_bias"] = torch.cat([p["bias"] for p in parts])
            weights[f"{theirs}.out_proj.weight"] = params[ours]["out"]["kernel"].T
            weights[f"{theirs}.out_proj.bias"] = params[ours]["out"]["bias"]
    for ours, theirs in (("up", "linear1"), ("down", "linear2")):
        weights[f"{theirs}.weight"] = params["feed_forward"][ours]["kernel"].T
        weights[f"{theirs}.bias"] = params["feed_forward"][ours]["bias"]
    norms = [name for name in ("attention_norm", "cross_attention_norm", "feed_forward_norm") if name in params]
    for i, name in enumerate(norms, 1):
        weights |= {f"norm{i}.weight": params[name]["scale"], f"norm{i}.bias": params[name]["bias"]}
    return weights


@pytest.mark.oracle
@pytest.mark.parametrize(("pre_norm", "seed"), [(True, 0), (False, 1), (False, 2)])
def test_encoder_blocks_agree_with_torch(torch, pre_norm, seed):
    module = torch.nn.TransformerEncoderLayer(
        6, 3, 7, dropout=0.0, activation="gelu", layer_norm_eps=1e-3, batch_first=True, norm_first=pre_norm
    )

    def oracle(params, x, mask):
        return torch.func.functional_call(module, torch_names(torch, params), (x,), {"src_key_padding_mask": ~mask})

    block = TransformerEncoderBlock(MultiHeadAttention(3), FeedForward(7), LayerNorm(1e-3), pre_norm)
    against_torch(torch, block, oracle, normal(seed, 2, 5, 6), MASK, seed=seed)


@pytest.mark.oracle
@pytest.mark.parametrize(("pre_norm", "seed"), [(True, 0), (False, 1)])
def test_decoder_blocks_agree_with_torch(torch, pre_norm, seed):
    module = torch.nn.TransformerDecoderLayer(6, 2, 7, dropout=0.0, batch_first=True, norm_first=pre_norm)

    def oracle(params, x, memory, memory_mask, mask):
        later = torch.triu(torch.ones(3, 3, dtype=torch.bool), 1)
        masks = {"tgt_mask": later, "tgt_key_padding_mask": ~mask, "memory_key_padding_mask": ~memory_mask}
        return torch.func.functional_call(module, torch_names(torch, params), (x, memory), masks)

    attention = MultiHeadAttention(2, causal=True)
    block = TransformerDecoderBlock(attention, CrossAttention(2), FeedForward(7, "relu"), LayerNorm(), pre_norm)
    own = np.array([[True, True, False], [True, True, True]])
    against_torch(torch, block, oracle, normal(seed, 2, 3, 6), normal(seed + 1, 2, 5, 6), MASK, own, seed=seed)


def test_a_stack_hands_one_mask_to_all_blocks():
    block = TransformerEncoderBlock(MultiHeadAttention(3), FeedForward(7), LayerNorm())
    x = normal(0, 2, 5, 6)
    params, _ = random_variables(Stack(block, 3), x, MASK)

    @jax.jit
    def one_by_one(x):
        for i in range(3):
            x, _ = block.apply(jax.tree.map(lambda p, i=i: p[i], params), {}, x, MASK)
        return x

    for stack in (Stack(block, 3), Stack(block, 3, unroll=True, remat=True)):
        assert_close(jax.jit(stack.apply)(params, {}, x, MASK)[0], one_by_one(x), 1e-5)
    assert not jnp.allclose(stack.apply(params, {}, x)[0], one_by_one(x), atol=1e-2)
    assert check(stack, Spec(x.shape, x.dtype), Spec(MASK.shape, bool)).shape == x.shape


def test_dropout_acts_on_what_each_part_adds_in_training_only(key):
    # Attention and feed-forward add a constant each: what is dropped is seen.
    block = TransformerEncoderBlock(Dense(50), Dense(50), LayerNorm(), dropout=0.5)
    x = normal(0, 2, 3, 50)
    params = jax.tree.map(jnp.zeros_like, random_variables(block, x)[0])
    params["attention"]["bias"], params["feed_forward"]["bias"] = jnp.full(50, 1.0), jnp.full(50, 10.0)
    still, _ = block.apply(params, {}, x, key=key)
    np.testing.assert_allclose(still - x, 11, rtol=1e-4)
    added = np.round(np.asarray(block.apply(params, {}, x, key=key, train=True)[0] - x), 3)
    assert set(added.ravel().tolist()) == {0.0, 2.0, 20.0, 22.0}
    assert "attention_dropout" not in TransformerEncoderBlock(Dense(50), Dense(50), LayerNorm()).children()


def test_a_part_that_changes_the_width_is_named(key):
    block = TransformerEncoderBlock(MultiHeadAttention(2), Dense(5), LayerNorm())
    with pytest.raises(ShapeError, match=r"shortcut around feed_forward .*\(2, 5, 6\) and \(2, 5, 5\)"):
        block.init(key, Spec((2, 5, 6), jnp.float32))

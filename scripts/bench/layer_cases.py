"""What layers.py times: for each layer, activation and loss that torch has an equal of, both sides and their inputs.

Adding a member: a line in `LAYER_CASES`, `ACTIVATION_CASES` or `LOSS_CASES`. A name is the member's, and a variant after a
space. Sizes are those of ordinary models, small enough that all cases run in minutes. Layers that only hand on or join their
inputs (Add, Concatenate, Reshape, Split, ...) have no case: torch's gradient is a view of its argument there, while a compiled
function that consists of nothing else has to copy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import spec_of
import zerfoo_jax.layers as L
from zerfoo_jax.losses import LOSSES
from zerfoo_jax.losses.base import Weighted, reduce

Arrays = tuple[Any, ...]


@dataclass(frozen=True)
class Case:
    """Two functions of arrays that compute the same; `varied` says of how many of their first inputs gradients are taken."""

    ours: Callable[..., Any]
    params: Any
    inputs: Arrays
    theirs: Callable[..., Any]
    their_inputs: Arrays
    varied: int


def normal(seed: int, *shape: int) -> np.ndarray:
    """Standard normal float32 values."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def of_layer(layer: Layer, module: nn.Module, *inputs: np.ndarray, spatial: bool = False) -> Case:
    """A layer in training beside a module; `spatial` inputs reach torch with their channels first, as it likes them."""
    key = jax.random.key(0)
    params, state = layer.init(key, *map(spec_of, inputs))

    def ours(params: Any, *xs: Any) -> Any:
        y, _ = layer.apply(params, state, *xs, key=key, train=True)
        return y[0] if isinstance(y, tuple) else y

    theirs = tuple(np.moveaxis(x, -1, 1).copy() for x in inputs) if spatial else inputs
    varied = len(list(takewhile(lambda x: np.issubdtype(x.dtype, np.floating), inputs)))
    return Case(ours, params, inputs, module, theirs, varied)


def _spatial(layer: Layer, module: nn.Module, *shape: int) -> Callable[[], Case]:
    return lambda: of_layer(layer, module, normal(0, *shape), spatial=True)


def _plain(layer: Layer, module: Callable[[], Any], *shape: int) -> Callable[[], Case]:
    return lambda: of_layer(layer, module(), normal(0, *shape))


class _SelfAttention(nn.Module):
    def __init__(self, features: int, heads: int):
        super().__init__()
        self.attention = nn.MultiheadAttention(features, heads, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.attention(x, x, x, need_weights=False)[0]


class _CrossAttention(_SelfAttention):
    def forward(self, x: Any, memory: Any) -> Any:
        return self.attention(x, memory, memory, need_weights=False)[0]


class _Lambda(nn.Module):
    """A function of the inputs as a module, with the given modules' parameters."""

    def __init__(self, function: Callable[..., Any], *modules: nn.Module):
        super().__init__()
        self.modules_used, self.function = nn.ModuleList(modules), function

    def forward(self, *xs: Any) -> Any:
        return self.function(*self.modules_used, *xs)


def _of_two(layer: Layer, module: Callable[[], nn.Module], one: tuple[int, ...], two: tuple[int, ...]) -> Callable[[], Case]:
    return lambda: of_layer(layer, module(), normal(0, *one), normal(1, *two))


def _transformer(kind: Any) -> nn.Module:
    return kind(256, 8, 1024, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)


def _branch_drop(x: Any) -> Any:
    return x * torch.empty(x.shape[0], 1, 1).bernoulli_(0.9) / 0.9


def _squeezed() -> nn.Module:
    gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(64, 16, 1), nn.ReLU(), nn.Conv2d(16, 64, 1), nn.Sigmoid())
    return _Lambda(lambda gate, x: x * gate(x), gate)


def _pooled_flat(pool: nn.Module) -> nn.Module:
    return nn.Sequential(pool, nn.Flatten())


def _even(amount: int, axes: int) -> Any:
    return ((amount, amount),) * axes


LAYER_CASES: Mapping[str, Callable[[], Case]] = {
    "AdaptiveAvgPool1D": _spatial(L.AdaptiveAvgPool1D(10), nn.AdaptiveAvgPool1d(10), 16, 256, 64),
    "AdaptiveAvgPool2D": _spatial(L.AdaptiveAvgPool2D(7), nn.AdaptiveAvgPool2d(7), 16, 28, 28, 64),
    "AdaptiveAvgPool2D uneven": _spatial(L.AdaptiveAvgPool2D(5), nn.AdaptiveAvgPool2d(5), 16, 28, 28, 64),
    "AdaptiveAvgPool3D": _spatial(L.AdaptiveAvgPool3D(3), nn.AdaptiveAvgPool3d(3), 4, 8, 16, 16, 32),
    "AdaptiveMaxPool1D": _spatial(L.AdaptiveMaxPool1D(10), nn.AdaptiveMaxPool1d(10), 16, 256, 64),
    "AdaptiveMaxPool2D": _spatial(L.AdaptiveMaxPool2D(7), nn.AdaptiveMaxPool2d(7), 16, 28, 28, 64),
    "AdaptiveMaxPool2D uneven": _spatial(L.AdaptiveMaxPool2D(5), nn.AdaptiveMaxPool2d(5), 16, 28, 28, 64),
    "AdaptiveMaxPool3D": _spatial(L.AdaptiveMaxPool3D(3), nn.AdaptiveMaxPool3d(3), 4, 8, 16, 16, 32),
    "AdaptiveSoftmax": _plain(
        L.AdaptiveSoftmax(10000, (1000, 4000)),
        lambda: _Lambda(lambda m, x: m.log_prob(x), nn.AdaptiveLogSoftmaxWithLoss(256, 10000, [1000, 4000])),
        *(256, 256),
    ),
    "AvgPool1D": _spatial(L.AvgPool1D(2), nn.AvgPool1d(2), 16, 256, 64),
    "AvgPool2D": _spatial(L.AvgPool2D(2), nn.AvgPool2d(2), 16, 28, 28, 64),
    "AvgPool2D 3/2": _spatial(L.AvgPool2D(3, 2, _even(1, 2)), nn.AvgPool2d(3, 2, 1, count_include_pad=False), 16, 28, 28, 64),
    "AvgPool3D": _spatial(L.AvgPool3D(2), nn.AvgPool3d(2), 4, 8, 16, 16, 32),
    "BatchNorm": _spatial(L.BatchNorm(), nn.BatchNorm2d(64), 16, 28, 28, 64),
    "Conv1D": _spatial(L.Conv1D(64, 5), nn.Conv1d(64, 64, 5, padding=2), 16, 256, 64),
    "Conv1D dilated": _spatial(
        L.Conv1D(64, 3, dilation=4, padding=(4, 4)), nn.Conv1d(64, 64, 3, padding=4, dilation=4), 16, 256, 64
    ),
    "Conv2D": _spatial(L.Conv2D(64, 3), nn.Conv2d(64, 64, 3, padding=1), 32, 28, 28, 64),
    "Conv2D 1x1": _spatial(L.Conv2D(128, 1), nn.Conv2d(64, 128, 1), 32, 28, 28, 64),
    "Conv2D 4 groups": _spatial(L.Conv2D(128, 3, groups=4), nn.Conv2d(128, 128, 3, padding=1, groups=4), 8, 28, 28, 128),
    "Conv2D 32 groups": _spatial(L.Conv2D(128, 3, groups=32), nn.Conv2d(128, 128, 3, padding=1, groups=32), 8, 28, 28, 128),
    "Conv2D dilated": _spatial(L.Conv2D(64, 3, dilation=2), nn.Conv2d(64, 64, 3, padding=2, dilation=2), 8, 28, 28, 64),
    "Conv2D stem": _spatial(L.Conv2D(64, 7, 2, _even(3, 2)), nn.Conv2d(3, 64, 7, 2, 3), 4, 112, 112, 3),
    "Conv2D strided": _spatial(L.Conv2D(128, 3, 2, _even(1, 2)), nn.Conv2d(64, 128, 3, 2, 1), 32, 28, 28, 64),
    "Conv3D": _spatial(L.Conv3D(16, 3), nn.Conv3d(16, 16, 3, padding=1), 2, 8, 16, 16, 16),
    "Conv3D wider": _spatial(L.Conv3D(32, 3), nn.Conv3d(32, 32, 3, padding=1), 2, 16, 16, 16, 32),
    "Conv3D strided": _spatial(L.Conv3D(64, 3, 2, _even(1, 3)), nn.Conv3d(32, 64, 3, 2, 1), 2, 16, 16, 16, 32),
    "ConvTranspose1D": _spatial(L.ConvTranspose1D(32, 4, 2, (1, 1)), nn.ConvTranspose1d(64, 32, 4, 2, 1), 8, 128, 64),
    "ConvTranspose2D": _spatial(L.ConvTranspose2D(32, 4, 2, _even(1, 2)), nn.ConvTranspose2d(64, 32, 4, 2, 1), 8, 14, 14, 64),
    "ConvTranspose2D 2/2": _spatial(L.ConvTranspose2D(64, 2, 2), nn.ConvTranspose2d(128, 64, 2, 2), 4, 28, 28, 128),
    "ConvTranspose2D 3/2": _spatial(
        L.ConvTranspose2D(32, 3, 2, _even(1, 2), 1), nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), 8, 14, 14, 64
    ),
    "ConvTranspose3D": _spatial(L.ConvTranspose3D(16, 2, 2), nn.ConvTranspose3d(32, 16, 2, 2), 2, 8, 8, 8, 32),
    "ConvTranspose3D 4/2": _spatial(
        L.ConvTranspose3D(16, 4, 2, _even(1, 3)), nn.ConvTranspose3d(32, 16, 4, 2, 1), 2, 8, 8, 8, 32
    ),
    "CrossAttention": _of_two(L.CrossAttention(8), lambda: _CrossAttention(256, 8), (16, 128, 256), (16, 64, 256)),
    "Dense": _plain(L.Dense(512), lambda: nn.Linear(512, 512), 256, 512),
    "Dense sequence": _plain(L.Dense(512), lambda: nn.Linear(256, 512), 16, 128, 256),
    "DepthwiseConv2D": _spatial(L.DepthwiseConv2D(3), nn.Conv2d(128, 128, 3, padding=1, groups=128), 8, 56, 56, 128),
    "DepthwiseConv2D 7x7": _spatial(L.DepthwiseConv2D(7), nn.Conv2d(96, 96, 7, padding=3, groups=96), 8, 28, 28, 96),
    "DepthwiseConv2D strided": _spatial(
        L.DepthwiseConv2D(3, 2, _even(1, 2)), nn.Conv2d(128, 128, 3, 2, 1, groups=128), 8, 56, 56, 128
    ),
    "Dropout": _plain(L.Dropout(0.1), lambda: nn.Dropout(0.1), 16, 128, 256),
    "Embedding": lambda: of_layer(
        L.Embedding(10000, 256), nn.Embedding(10000, 256), np.random.default_rng(0).integers(0, 10000, (16, 128), np.int32)
    ),
    "FeedForward": _plain(
        L.FeedForward(1024), lambda: nn.Sequential(nn.Linear(256, 1024), nn.GELU(), nn.Linear(1024, 256)), 16, 128, 256
    ),
    "FractionalMaxPool2D": _spatial(
        L.FractionalMaxPool2D(2, output_ratio=0.7), nn.FractionalMaxPool2d(2, output_ratio=0.7), 16, 28, 28, 64
    ),
    "GRU": _plain(L.GRU(128), lambda: nn.GRU(64, 128, batch_first=True), 32, 64, 64),
    "GlobalAvgPool": _spatial(L.GlobalAvgPool(), _pooled_flat(nn.AdaptiveAvgPool2d(1)), 16, 28, 28, 64),
    "GlobalMaxPool": _spatial(L.GlobalMaxPool(), _pooled_flat(nn.AdaptiveMaxPool2d(1)), 16, 28, 28, 64),
    "GroupNorm": _spatial(L.GroupNorm(8), nn.GroupNorm(8, 64), 16, 28, 28, 64),
    "GroupNorm 32 groups": _spatial(L.GroupNorm(32), nn.GroupNorm(32, 256), 8, 14, 14, 256),
    "GumbelSoftmax": _plain(L.GumbelSoftmax(), lambda: _Lambda(nn.functional.gumbel_softmax), 256, 1000),
    "InstanceNorm": _spatial(L.InstanceNorm(), nn.InstanceNorm2d(64, affine=True), 16, 28, 28, 64),
    "LSTM": _plain(L.LSTM(128), lambda: nn.LSTM(64, 128, batch_first=True), 32, 64, 64),
    "LayerNorm": _plain(L.LayerNorm(), lambda: nn.LayerNorm(256), 16, 128, 256),
    "LayerNorm 768": _plain(L.LayerNorm(), lambda: nn.LayerNorm(768), 8, 128, 768),
    "LayerNorm 8 MiB": _plain(L.LayerNorm(), lambda: nn.LayerNorm(512), 32, 128, 512),
    "MaxPool1D": _spatial(L.MaxPool1D(2), nn.MaxPool1d(2), 16, 256, 64),
    "MaxPool2D": _spatial(L.MaxPool2D(2), nn.MaxPool2d(2), 16, 28, 28, 64),
    "MaxPool2D 3/2": _spatial(L.MaxPool2D(3, 2, _even(1, 2)), nn.MaxPool2d(3, 2, 1), 16, 28, 28, 64),
    "MaxPool3D": _spatial(L.MaxPool3D(2), nn.MaxPool3d(2), 4, 8, 16, 16, 32),
    "MaxPool3D 3/2": _spatial(L.MaxPool3D(3, 2, _even(1, 3)), nn.MaxPool3d(3, 2, 1), 4, 8, 16, 16, 32),
    "MultiHeadAttention": _plain(L.MultiHeadAttention(8), lambda: _SelfAttention(256, 8), 16, 128, 256),
    "PReLU": _plain(L.PReLU(), nn.PReLU, 256, 1024),
    "Pad": _spatial(L.Pad(_even(2, 2)), nn.ConstantPad2d(2, 0.0), 16, 28, 28, 64),
    "Pad edge": _spatial(L.Pad(_even(2, 2), "edge"), nn.ReplicationPad2d(2), 16, 28, 28, 64),
    "Pad reflect": _spatial(L.Pad(_even(2, 2), "reflect"), nn.ReflectionPad2d(2), 16, 28, 28, 64),
    "PatchEmbedding": lambda: of_layer(
        L.PatchEmbedding(192, 16),
        nn.Sequential(nn.Conv2d(3, 192, 16, 16), nn.Flatten(2)),
        *(normal(0, 8, 112, 112, 3),),
        spatial=True,
    ),
    "PixelShuffle": _spatial(L.PixelShuffle(2), nn.PixelShuffle(2), 16, 28, 28, 64),
    "PixelUnshuffle": _spatial(L.PixelUnshuffle(2), nn.PixelUnshuffle(2), 16, 28, 28, 64),
    "RMSNorm": _plain(L.RMSNorm(), lambda: nn.RMSNorm(256, 1e-6), 16, 128, 256),
    "SeparableConv2D": _spatial(
        L.SeparableConv2D(128, 3),
        nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), nn.Conv2d(64, 128, 1)),
        *(8, 56, 56, 64),
    ),
    "SimpleRNN": _plain(L.SimpleRNN(128), lambda: nn.RNN(64, 128, batch_first=True), 32, 64, 64),
    "Softmax": _plain(L.Softmax(), lambda: nn.Softmax(-1), 256, 1024),
    "SpatialDropout": _spatial(L.SpatialDropout(0.1), nn.Dropout2d(0.1), 16, 28, 28, 64),
    "SqueezeExcitation": lambda: of_layer(L.SqueezeExcitation(16), _squeezed(), normal(0, 16, 28, 28, 64), spatial=True),
    "StochasticDepth": _plain(L.StochasticDepth(0.1), lambda: _Lambda(_branch_drop), 16, 128, 256),
    "TransformerDecoderBlock": _of_two(
        L.TransformerDecoderBlock(L.MultiHeadAttention(8), L.CrossAttention(8), L.FeedForward(1024), L.LayerNorm()),
        lambda: _transformer(nn.TransformerDecoderLayer),
        *((16, 64, 256), (16, 64, 256)),
    ),
    "TransformerEncoderBlock": _plain(
        L.TransformerEncoderBlock(L.MultiHeadAttention(8), L.FeedForward(1024), L.LayerNorm()),
        lambda: _transformer(nn.TransformerEncoderLayer),
        *(16, 64, 256),
    ),
    "Upsample": _spatial(L.Upsample(2), nn.Upsample(scale_factor=2), 16, 28, 28, 64),
    "Upsample bilinear": _spatial(L.Upsample(2, "bilinear"), nn.Upsample(scale_factor=2, mode="bilinear"), 16, 28, 28, 64),
}


def _activation(name: str, theirs: Callable[..., Any]) -> Callable[[], Case]:
    x = normal(0, 256, 1024)
    return lambda: Case(lambda _, x: L.ACTIVATIONS[name](x), {}, (x,), theirs, (x,), 1)


ACTIVATION_CASES: Mapping[str, Callable[[], Case]] = {
    name: _activation(name, theirs)
    for name, theirs in {
        "celu": nn.functional.celu,
        "elu": nn.functional.elu,
        "gelu": nn.functional.gelu,
        "gelu_tanh": nn.GELU("tanh"),
        "hard_sigmoid": nn.functional.hardsigmoid,
        "hard_swish": nn.functional.hardswish,
        "hard_tanh": nn.functional.hardtanh,
        "leaky_relu": nn.functional.leaky_relu,
        "log_softmax": nn.LogSoftmax(-1),
        "mish": nn.functional.mish,
        "relu": nn.functional.relu,
        "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
        "relu6": nn.functional.relu6,
        "selu": nn.functional.selu,
        "sigmoid": torch.sigmoid,
        "silu": nn.functional.silu,
        "squared_relu": lambda x: torch.square(torch.relu(x)),
        "softmax": nn.Softmax(-1),
        "softplus": nn.functional.softplus,
        "softsign": nn.functional.softsign,
        "tanh": torch.tanh,
    }.items()
}


def _loss(
    name: str, theirs: Callable[..., Any], outputs: Arrays, targets: Any, *more: Any, **options: Any
) -> Callable[[], Case]:
    """The mean over examples; `more` are torch's further inputs, `options` our loss's."""

    def ours(_: Any, *arrays: Any) -> Any:
        *given, targets = arrays
        losses = LOSSES[name](given[0] if len(given) == 1 else tuple(given), targets, **options)
        return reduce(losses) if isinstance(losses, Weighted) else jnp.mean(losses)

    return lambda: Case(ours, {}, (*outputs, targets), theirs, (*outputs, targets, *more), len(outputs))


F = nn.functional
_LOGITS, _LABELS = normal(0, 256, 1000), np.random.default_rng(1).integers(0, 1000, 256)
_A, _B, _C = (normal(seed, 256, 1024) for seed in range(3))
_BITS = (_B > 0).astype(np.float32)
_SIGNS = np.where(normal(3, 256) > 0, 1, -1)
_SHARES = np.exp(_A) / np.exp(_A).sum(-1, keepdims=True)
_SPOKEN, _WORDS = normal(4, 8, 100, 40), np.random.default_rng(2).integers(1, 40, (8, 20))
_LENGTHS = np.full(8, 100), np.full(8, 20)
_CLASS_WEIGHTS = torch.linspace(0.5, 2, 1000)


def _ctc(logits: Any, words: Any, frames: Any, lengths: Any) -> Any:
    return F.ctc_loss(F.log_softmax(logits, -1).swapaxes(0, 1), words, frames, lengths)


LOSS_CASES: Mapping[str, Callable[[], Case]] = {
    "binary_cross_entropy": _loss("binary_cross_entropy", F.binary_cross_entropy, (_SHARES,), _BITS),
    "binary_cross_entropy_with_logits": _loss(
        "binary_cross_entropy_with_logits", F.binary_cross_entropy_with_logits, (_A,), _BITS
    ),
    "cosine_embedding": _loss("cosine_embedding", F.cosine_embedding_loss, (_A, _B), _SIGNS),
    "cross_entropy": _loss("cross_entropy", F.cross_entropy, (_LOGITS,), _LABELS),
    "cross_entropy probabilities": _loss("cross_entropy", F.cross_entropy, (_A,), _SHARES),
    "cross_entropy smoothed": _loss(
        "cross_entropy", lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1), (_LOGITS,), _LABELS, label_smoothing=0.1
    ),
    "cross_entropy smoothed, weighted": _loss(
        "cross_entropy",
        lambda x, y: F.cross_entropy(x, y, _CLASS_WEIGHTS, label_smoothing=0.1),
        *((_LOGITS,), _LABELS),
        label_smoothing=0.1,
        class_weights=tuple(_CLASS_WEIGHTS.tolist()),
    ),
    "cross_entropy weighted": _loss(
        "cross_entropy",
        lambda x, y: F.cross_entropy(x, y, _CLASS_WEIGHTS),
        *((_LOGITS,), _LABELS),
        class_weights=tuple(_CLASS_WEIGHTS.tolist()),
    ),
    "ctc": _loss("ctc", _ctc, (_SPOKEN,), _WORDS, *_LENGTHS),
    "huber": _loss("huber", F.huber_loss, (_A,), _B),
    "kl_divergence": _loss("kl_divergence", lambda x, y: F.kl_div(x, y, reduction="batchmean"), (_A,), _SHARES),
    "mae": _loss("mae", F.l1_loss, (_A,), _B),
    "mse": _loss("mse", F.mse_loss, (_A,), _B),
    "multi_margin": _loss("multi_margin", F.multi_margin_loss, (_LOGITS,), _LABELS),
    "nll": _loss("nll", F.nll_loss, (_LOGITS,), _LABELS),
    "smooth_l1": _loss("smooth_l1", F.smooth_l1_loss, (_A,), _B),
    "triplet": _loss("triplet", lambda a, p, n, _: F.triplet_margin_loss(a, p, n), (_A, _B, _C), np.zeros(256, np.float32)),
}

CASES: Mapping[str, Mapping[str, Callable[[], Case]]] = {
    "layer": LAYER_CASES,
    "activation": ACTIVATION_CASES,
    "loss": LOSS_CASES,
}

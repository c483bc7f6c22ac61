"""Layers of one product or one norm, by the names of torch, of LOOM and of this package."""

from dataclasses import replace
import re
from typing import Any

import numpy as np

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.formats.structure.module import Arrays, Confidence, Module, only, present, shapes
from zerfoo_jax.layers import (
    BatchNorm,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    ConvTranspose3D,
    Dense,
    Embedding,
    LayerNorm,
    PReLU,
    RMSNorm,
)

CONVOLUTIONS: dict[int, Any] = {3: Conv1D, 4: Conv2D, 5: Conv3D}
TRANSPOSED: dict[int, Any] = {3: ConvTranspose1D, 4: ConvTranspose2D, 5: ConvTranspose3D}
"""By the rank of their kernels."""

_EMBEDDING = re.compile(r"embed|(?<![a-z])emb(?![a-z])|wte|wpe|vocab|token|lookup", re.IGNORECASE)
_LEFT_OPEN = ("strides, padding and dilation",)


def weight_and_bias(name: str, arrays: Arrays) -> Module | None:
    """torch's `weight` and `bias`: a product (out, in), one already transposed (in, out) as in GPT-2, a convolution
    (out, in / groups, ...) or transposed one (in, out / groups, ...), an embedding, a norm."""
    if not only(arrays, "weight", "bias"):
        return None
    weight, bias = arrays["weight"], arrays.get("bias")
    if bias is not None and (bias.ndim != 1 or weight.ndim == 0):
        return None
    if weight.ndim == 1:
        return _norm(weight, bias, shapes(arrays))
    if weight.ndim == 2:
        return _product(name, weight, bias, shapes(arrays))
    return _convolution(weight, bias, shapes(arrays)) if weight.ndim in CONVOLUTIONS else None


def _norm(scale: np.ndarray, bias: np.ndarray | None, why: str) -> Module | None:
    size = scale.shape[0]
    if bias is not None and bias.shape != scale.shape:
        return None
    if bias is None and size == 1:
        return Module(PReLU(), {"slope": scale}, why, "guess")
    kind = RMSNorm() if bias is None else LayerNorm()
    open_ = ("epsilon",) if bias is None else ("epsilon", "whether it is a GroupNorm")
    return Module(kind, present(scale=scale, bias=bias), why, "guess", takes=size, gives=size, open=open_)


def _product(name: str, weight: np.ndarray, bias: np.ndarray | None, why: str) -> Module | None:
    if bias is None and _EMBEDDING.search(name):
        vocabulary, features = weight.shape
        return Module(Embedding(vocabulary, features), {"embedding": weight}, f"{why} in {name!r}", gives=features)
    if bias is None:
        return replace(_dense(weight.T, None, why), open=("whether it is an Embedding",))
    if bias.shape[0] == weight.shape[0]:
        return _dense(weight.T, bias, why)
    return _dense(weight, bias, f"{why}, (in, out)") if bias.shape[0] == weight.shape[1] else None


def _dense(kernel: np.ndarray, bias: np.ndarray | None, why: str) -> Module:
    takes, gives = kernel.shape
    layer = Dense(gives, use_bias=bias is not None)
    confidence: Confidence = "likely" if bias is None else "certain"
    return Module(layer, present(kernel=kernel, bias=bias), why, confidence, takes=takes, gives=gives)


def _convolution(weight: np.ndarray, bias: np.ndarray | None, why: str) -> Module | None:
    first, second, *size = weight.shape
    spatial = tuple(range(2, weight.ndim))
    if bias is None or bias.shape[0] == first:
        layer, kernel, takes, gives = CONVOLUTIONS[weight.ndim], weight.transpose(*spatial, 1, 0), second, first
    elif bias.shape[0] == second:
        layer, kernel, takes, gives = TRANSPOSED[weight.ndim], weight.transpose(*spatial, 0, 1), first, second
    else:
        return None
    made: Layer = layer(gives, tuple(size), padding="VALID", use_bias=bias is not None)
    params = present(kernel=kernel, bias=bias)
    return Module(made, params, why, takes=takes, gives=gives, open=_LEFT_OPEN)


def batch_norm(name: str, arrays: Arrays) -> Module | None:
    """torch's batch normalisation, known by its running statistics."""
    if not only(arrays, "running_mean running_var", "weight bias num_batches_tracked"):
        return None
    scale, bias, mean, var = (arrays.get(key) for key in ("weight", "bias", "running_mean", "running_var"))
    given = present(scale=scale, bias=bias, mean=mean, var=var)
    if len({array.shape for array in given.values()}) > 1 or given["mean"].ndim != 1:
        return None
    layer, size = BatchNorm(use_scale=scale is not None, use_bias=bias is not None), given["mean"].shape[0]
    state = {"mean": given["mean"], "var": given["var"]}
    why = shapes(arrays)
    params = present(scale=scale, bias=bias)
    return Module(layer, params, why, "certain", state, takes=size, gives=size, open=("epsilon",))


def gamma_and_beta(name: str, arrays: Arrays) -> Module | None:
    """LOOM's norms."""
    if not only(arrays, "gamma", "beta") or arrays["gamma"].ndim != 1:
        return None
    return _norm(arrays["gamma"], arrays.get("beta"), shapes(arrays))


def kernel_and_bias(name: str, arrays: Arrays) -> Module | None:
    """This package's (and Flax's) products and convolutions, (..., in, out)."""
    if not only(arrays, "kernel", "bias"):
        return None
    kernel, bias = arrays["kernel"], arrays.get("bias")
    if bias is not None and bias.shape != kernel.shape[-1:]:
        return None
    if kernel.ndim == 2:
        return _dense(kernel, bias, shapes(arrays))
    if kernel.ndim not in CONVOLUTIONS:
        return None
    *size, takes, gives = kernel.shape
    layer = CONVOLUTIONS[kernel.ndim](gives, tuple(size), use_bias=bias is not None)
    return Module(layer, dict(arrays), shapes(arrays), takes=takes, gives=gives, open=_LEFT_OPEN)


def scale_and_bias(name: str, arrays: Arrays) -> Module | None:
    """This package's (and Flax's) norms."""
    if not only(arrays, "scale", "bias") or arrays["scale"].ndim != 1:
        return None
    return _norm(arrays["scale"], arrays.get("bias"), shapes(arrays))


def embedding(name: str, arrays: Arrays) -> Module | None:
    """This package's (and Flax's) tables of vectors."""
    if not only(arrays, "embedding") or arrays["embedding"].ndim != 2:
        return None
    vocabulary, features = arrays["embedding"].shape
    return Module(Embedding(vocabulary, features), dict(arrays), shapes(arrays), "certain", gives=features)

"""What `torch.nn` calls the tensors of a layer: the map from state-dict names to leaves, for the layers that torch has too."""

from collections.abc import Callable, Iterator
from typing import Any

from zerfoo_jax.core.errors import join_path
from zerfoo_jax.core.layer import Composite, Layer
from zerfoo_jax.layers import BatchNorm, Conv2D, Dense, LayerNorm, MultiHeadAttention, Stack
from zerfoo_jax.models.state_dict import CONV, LINEAR, Layout, Tensor

Entries = dict[str, Tensor | None]


def kernel_and_bias(name: str, path: str, layout: Layout, *, bias: bool = True, index: int | None = None) -> Entries:
    """`weight` and `bias` of a linear or convolutional module."""
    entries: Entries = {f"{name}.weight": Tensor((f"params/{path}/kernel",), layout, index=index)}
    return entries | ({f"{name}.bias": Tensor((f"params/{path}/bias",), index=index)} if bias else {})


def scale_and_bias(name: str, path: str, *, scale: bool = True, bias: bool = True, index: int | None = None) -> Entries:
    """`weight` and `bias` of a normalisation."""
    ours = {"weight": "scale"} if scale else {}
    ours |= {"bias": "bias"} if bias else {}
    return {f"{name}.{theirs}": Tensor((f"params/{path}/{leaf}",), index=index) for theirs, leaf in ours.items()}


def running_statistics(name: str, path: str, *, index: int | None = None) -> Entries:
    """`running_mean`, `running_var` and the unused counter of a batch normalisation."""
    return {
        f"{name}.running_mean": Tensor((f"state/{path}/mean",), index=index),
        f"{name}.running_var": Tensor((f"state/{path}/var",), index=index),
        f"{name}.num_batches_tracked": None,
    }


def fused_attention(name: str, path: str, *, index: int | None = None) -> Entries:
    """`torch.nn.MultiheadAttention`: query, key and value as one `in_proj_weight` (3 · features, features)."""
    parts = [f"params/{path}/{part}" for part in ("query", "key", "value")]
    return {
        f"{name}.in_proj_weight": Tensor(tuple(f"{part}/kernel" for part in parts), LINEAR, index=index),
        f"{name}.in_proj_bias": Tensor(tuple(f"{part}/bias" for part in parts), index=index),
        **kernel_and_bias(f"{name}.out_proj", f"{path}/out", LINEAR, index=index),
    }


def torch_names(layer: Layer, module: Callable[[str], str] = lambda path: path.replace("/", ".")) -> Entries:
    """The tensors of every layer within `layer` that `torch.nn` has too, by the name of its module.

    `module` gives the name of the torch module for the path of one of our layers, such as `layer1/0/conv1`; by default the
    path with dots. In the path of a layer in a `Stack` stands which block it is in: `stack_0[3]/dense_0`. Layers that torch
    does not have are left out: add their tensors by hand.

    >>> from zerfoo_jax.layers import Sequential
    >>> names = torch_names(Stack(Sequential((Dense(3),)), 2), lambda path: path.replace("[", "h.").replace("]/dense_0", ".fc"))
    >>> sorted(names)
    ['h.0.fc.bias', 'h.0.fc.weight', 'h.1.fc.bias', 'h.1.fc.weight']
    """
    return {
        name: tensor
        for where, path, index, part in _parts(layer, "", "", None)
        for name, tensor in _tensors(part, module(where), path, index).items()
    }


def _parts(layer: Layer, where: str, path: str, index: int | None) -> Iterator[tuple[str, str, int | None, Layer]]:
    """Every layer that holds leaves: its path with the block's number, the path of its leaves, that number, and itself."""
    if isinstance(layer, Stack):
        for i in range(layer.num_layers):
            yield from _parts(layer.block, f"{where}[{i}]", path, i)
    elif isinstance(layer, Composite):
        for name, child in layer.children().items():
            yield from _parts(child, join_path(where, name), join_path(path, name), index)
    else:
        yield where, path, index, layer


def _tensors(layer: Any, name: str, path: str, index: int | None) -> Entries:
    match layer:
        case Dense():
            return kernel_and_bias(name, path, LINEAR, bias=layer.use_bias, index=index)
        case Conv2D():
            return kernel_and_bias(name, path, CONV, bias=layer.use_bias, index=index)
        case BatchNorm():
            affine = scale_and_bias(name, path, scale=layer.use_scale, bias=layer.use_bias, index=index)
            return affine | running_statistics(name, path, index=index)
        case LayerNorm():
            return scale_and_bias(name, path, scale=layer.use_scale, bias=layer.use_bias, index=index)
        case MultiHeadAttention():
            return fused_attention(name, path, index=index)
        case _:
            return {}

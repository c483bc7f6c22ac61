"""What `torch.nn` calls the tensors of a layer: entries of a map from state-dict names to leaves.

`torch_names` makes the map of a whole graph whose nodes are named as torch's modules are. For blocks in a `Stack` the functions
for one module make it, with `index`.
"""

from collections.abc import Callable, Iterator

from zerfoo_jax.core.errors import join_path
from zerfoo_jax.core.layer import Composite, Layer
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
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    MultiHeadAttention,
    PReLU,
    RMSNorm,
    SqueezeExcitation,
)
from zerfoo_jax.models.state_dict import CONV, CONV_TRANSPOSE, LINEAR, POINTWISE, Layout, Tensor, transposed

Entries = dict[str, Tensor | None]


def kernel_and_bias(name: str, path: str, layout: Layout, *, bias: bool = True, index: int | None = None) -> Entries:
    """`weight` and `bias` of a linear or convolutional module."""
    entries: Entries = {f"{name}.weight": Tensor((f"params/{path}/kernel",), layout, index=index)}
    return entries | ({f"{name}.bias": Tensor((f"params/{path}/bias",), index=index)} if bias else {})


def scale_and_bias(name: str, path: str, *, scale: bool = True, bias: bool = True, index: int | None = None) -> Entries:
    """`weight` and `bias` of a normalisation."""
    ours = ({"weight": "scale"} if scale else {}) | ({"bias": "bias"} if bias else {})
    return {f"{name}.{theirs}": Tensor((f"params/{path}/{leaf}",), index=index) for theirs, leaf in ours.items()}


def running_statistics(name: str, path: str) -> Entries:
    """`running_mean`, `running_var` and the unused counter of a batch normalisation."""
    return {
        f"{name}.running_mean": Tensor((f"state/{path}/mean",)),
        f"{name}.running_var": Tensor((f"state/{path}/var",)),
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


def torch_names(model: Composite, module: Callable[[str], str] = lambda path: path.replace("/", ".")) -> Entries:
    """The tensors of all layers of a model that torch has too.

    `module` gives the name of the torch module for the path of one of our layers; by default the path `layer1/0/conv1` is the
    module `layer1.0.conv1`. Layers that torch does not have are left out: add their tensors by hand.

    >>> from zerfoo_jax.layers import Sequential
    >>> sorted(torch_names(Sequential((Dense(3), BatchNorm(use_bias=False))), lambda path: path.replace("dense_0", "fc")))[:3]
    ['batch_norm_0.num_batches_tracked', 'batch_norm_0.running_mean', 'batch_norm_0.running_var']
    """
    names: Entries = {}
    for path, layer in _parts(model, ""):
        names |= _tensors(layer, module(path), path)
    return names


def _parts(layer: Layer, path: str) -> Iterator[tuple[str, Layer]]:
    if isinstance(layer, Composite):
        for name, child in layer.children().items():
            yield from _parts(child, join_path(path, name))
    else:
        yield path, layer


_CONVOLUTIONS = {1: transposed(2, 1, 0), 2: CONV, 3: transposed(2, 3, 4, 1, 0)}
_TRANSPOSED = {1: transposed(2, 0, 1), 2: CONV_TRANSPOSE, 3: transposed(2, 3, 4, 0, 1)}
"""By the number of spatial axes."""


def _as_in_torch(layer: MultiHeadAttention) -> bool:
    """Whether `torch.nn.MultiheadAttention` has these parameters."""
    plain = layer.num_kv_heads is None and layer.head_dim is None and layer.qk_norm is None
    return plain and layer.use_bias and layer.out_bias in (None, True)


def _tensors(layer: Layer, name: str, path: str) -> Entries:
    match layer:
        case Dense():
            return kernel_and_bias(name, path, LINEAR, bias=layer.use_bias)
        case Conv1D() | Conv2D() | Conv3D():
            return kernel_and_bias(name, path, _CONVOLUTIONS[layer.axes], bias=layer.use_bias)
        case ConvTranspose1D() | ConvTranspose2D() | ConvTranspose3D():
            return kernel_and_bias(name, path, _TRANSPOSED[layer.axes], bias=layer.use_bias)
        case Embedding():
            return {f"{name}.weight": Tensor((f"params/{path}/embedding",))}
        case PReLU():
            return {f"{name}.weight": Tensor((f"params/{path}/slope",))}
        case GroupNorm() | InstanceNorm() | LayerNorm():
            return scale_and_bias(name, path, scale=layer.use_scale, bias=layer.use_bias)
        case RMSNorm():
            return scale_and_bias(name, path, bias=False)
        case MultiHeadAttention():
            return fused_attention(name, path) if _as_in_torch(layer) else {}
        case BatchNorm():
            return scale_and_bias(name, path, scale=layer.use_scale, bias=layer.use_bias) | running_statistics(name, path)
        case SqueezeExcitation():
            squeeze = kernel_and_bias(f"{name}.fc1", f"{path}/squeeze", POINTWISE)
            return squeeze | kernel_and_bias(f"{name}.fc2", f"{path}/excite", POINTWISE)
        case _:
            return {}

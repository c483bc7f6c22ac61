"""The leaves of any pytree as plain arrays by path, so that what is stored depends on no class of any library.

A path is the keys from the root to the leaf joined by `/`: `params/dense_0/kernel`, `opt_state/0/mu/dense_0/kernel`. A typed
PRNG key is stored as its key data (uint32), and its dtype is written `key<implementation>`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import CheckpointError
from zerfoo_jax.core.types import Spec, Tree


@dataclass(frozen=True)
class Leaf:
    """One array on the host. `dtype` and `shape` are the tree's view of it; `data` is the plain array that stands for it."""

    dtype: str
    shape: tuple[int, ...]
    data: np.ndarray


def by_path(tree: Tree) -> dict[str, Any]:
    """The leaves of a tree by path, sorted by path; raises `CheckpointError` when two leaves have the same path.

    >>> by_path({"b": {"bias": 1}, "a": (2, None, 3)})
    {'a/0': 2, 'a/2': 3, 'b/bias': 1}
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    named: dict[str, Any] = {}
    for keys, leaf in leaves:
        path = path_of(keys)
        if path in named:
            raise CheckpointError("two leaves have the same path", place=path, fix="use keys without '/' that differ as text")
        named[path] = leaf
    return dict(sorted(named.items()))


def path_of(keys: Any) -> str:
    """The name of a leaf from the keys that JAX gives for it."""
    return jax.tree_util.keystr(keys, simple=True, separator="/")


def describe(leaf: Any, path: str = "") -> tuple[str, tuple[int, ...]]:
    """`(dtype, shape)` of a concrete or abstract leaf, as the manifest writes them.

    >>> describe(jax.random.key(0)), describe(jnp.zeros((2, 3), jnp.bfloat16))
    (('key<threefry2x32>', ()), ('bfloat16', (2, 3)))
    """
    if is_key(leaf):
        return f"key<{key_impl(leaf)}>", tuple(leaf.shape)
    spec = stored_form(leaf, path)
    return spec.dtype.name, tuple(spec.shape)


def stored_form(leaf: Any, path: str = "") -> Spec:
    """Shape and dtype of the plain array that stands for a leaf; raises `CheckpointError` for what is no array of numbers."""
    if is_key(leaf):
        return jax.eval_shape(jax.random.key_data, Spec(leaf.shape, leaf.dtype))
    leaf = _scalar_as_array(leaf, path)
    if not hasattr(leaf, "dtype") or not hasattr(leaf, "shape") or not _is_numeric(np.dtype(leaf.dtype)):
        kind = f"{type(leaf).__name__} of {leaf.dtype}" if hasattr(leaf, "dtype") else type(leaf).__name__
        raise CheckpointError(
            f"a checkpoint holds arrays of numbers, got {kind}", place=path, fix="put small data that is no array into `extra`"
        )
    return Spec(leaf.shape, np.dtype(leaf.dtype))


def snapshot(tree: Tree) -> dict[str, Leaf]:
    """Copies every leaf to host memory that nothing else uses, by path.

    The copies stay as they are when the arrays are donated to the next step. Raises `CheckpointError` for leaves that are no
    arrays of numbers, and for arrays that are spread over several processes.
    """
    leaves = by_path(tree)
    for path, leaf in leaves.items():
        stored_form(leaf, path)
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            raise CheckpointError(
                "this array is spread over several processes, and only arrays that one process holds whole can be saved",
                place=path,
                fix="replicate it before saving",
            )
        if isinstance(leaf, jax.Array):
            leaf.copy_to_host_async()  # all transfers start before the first is waited for
    return {path: _copy(leaf, path) for path, leaf in leaves.items()}


def view(leaf: Any, path: str = "") -> Leaf:
    """A leaf on the host, without a copy where none is needed."""
    dtype, shape = describe(leaf, path)
    data = jax.random.key_data(leaf) if is_key(leaf) else _scalar_as_array(leaf, path)
    return Leaf(dtype, shape, _canonical(np.asarray(data)))


def rebuild(target: Tree, arrays: Mapping[str, np.ndarray]) -> Tree:
    """The tree of `target`'s structure that holds `arrays`, each where and as what `target` has it; see `place`."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(target)
    return structure.unflatten([place(arrays[path_of(keys)], like, path_of(keys)) for keys, like in leaves])


def place(data: np.ndarray, like: Any, path: str = "") -> Any:
    """`data` as the kind of array that `like` is: NumPy or JAX, key or numbers, on `like`'s sharding where it has one.

    Raises `CheckpointError` where JAX would narrow a 64-bit array.
    """
    if isinstance(like, np.ndarray | np.generic):
        return data[()] if isinstance(like, np.generic) else data
    if is_key(like):
        return jax.device_put(jax.random.wrap_key_data(jnp.asarray(data), impl=key_impl(like)), _sharding(like))
    if jax.dtypes.canonicalize_dtype(data.dtype) != data.dtype:
        raise CheckpointError(f"JAX would narrow {data.dtype} here", place=path, fix="set jax_enable_x64 as when it was saved")
    return jax.device_put(data, _sharding(like))


def is_key(leaf: Any) -> bool:
    """Whether a concrete or abstract leaf is a typed PRNG key array."""
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def key_impl(leaf: Any) -> str:
    """The name of the PRNG implementation of a concrete or abstract key array, such as `threefry2x32`."""
    names: list[str] = []

    def note(key: jax.Array) -> jax.Array:
        names.append(str(jax.random.key_impl(key)))
        return jax.random.key_data(key)

    jax.eval_shape(note, Spec(leaf.shape, leaf.dtype))  # abstract keys have a dtype, but only traced ones tell its name
    return names[0]


def _sharding(like: Any) -> Any:
    """The sharding that `like` asks for. An array that JAX may still move (uncommitted) asks for none."""
    if isinstance(like, jax.Array):
        return like.sharding if like.committed else None
    return getattr(like, "sharding", None)


def _copy(leaf: Any, path: str) -> Leaf:
    seen = view(leaf, path)
    return Leaf(seen.dtype, seen.shape, np.array(seen.data, order="C", copy=True))


def _canonical(data: np.ndarray) -> np.ndarray:
    return data.astype(data.dtype.newbyteorder("<")) if data.dtype.byteorder == ">" else data


def _scalar_as_array(leaf: Any, path: str) -> Any:
    """Python numbers are what JAX would make of them: int32 or float32 unless 64 bits are enabled."""
    if not isinstance(leaf, bool | int | float | complex) or isinstance(leaf, np.generic):
        return leaf
    try:
        return jnp.asarray(leaf)
    except OverflowError as error:
        raise CheckpointError(f"{leaf} does not fit into an array", place=path, fix="put it into `extra`") from error


def _is_numeric(dtype: np.dtype) -> bool:
    return jnp.issubdtype(dtype, jnp.number) or jnp.issubdtype(dtype, jnp.bool_)

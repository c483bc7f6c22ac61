"""Features of classical machine learning: encoded, scaled, picked. Texts are only where values are known."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import DataError, FormatError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.known import expect_known
from zerfoo_jax.formats.operators.sizes import check_output_size

DOMAIN = "ai.onnx.ml"


def ArrayFeatureExtractor(x: Array, y: Array) -> Array:
    """The elements y of the last axis; of a vector, as a row."""
    picked = jnp.take(jnp.asarray(x), jnp.asarray(y).reshape(y.size), axis=-1)
    return picked[None] if x.ndim == 1 else picked


def Binarizer(x: Array, *, threshold: float = 0.0) -> Array:
    """1 where x > threshold, else 0."""
    return (x > threshold).astype(x.dtype)


def FeatureVectorizer(*x: Array, inputdimensions: Sequence[int] = ()) -> Array:
    """All inputs side by side, in float32; vectors are rows."""
    del inputdimensions
    return jnp.concatenate([jnp.atleast_2d(jnp.asarray(part).astype(jnp.float32)) for part in x], axis=1)


def Imputer(
    x: Array,
    *,
    imputed_value_floats: Sequence[float] = (),
    imputed_value_int64s: Sequence[int] = (),
    replaced_value_float: float = 0.0,
    replaced_value_int64: int = 0,
) -> Array:
    """x with what equals one value, which may be NaN, replaced by another, one for all or one for each feature."""
    floating = jnp.issubdtype(x.dtype, jnp.floating)
    missing = jnp.isnan(x) if floating and np.isnan(replaced_value_float) else None
    if missing is None:
        missing = x == jnp.asarray(replaced_value_float if floating else replaced_value_int64, x.dtype)
    new = jnp.asarray(np.asarray(imputed_value_floats if floating else imputed_value_int64s), x.dtype)
    return jnp.where(missing, jnp.broadcast_to(new, x.shape), x)


def Normalizer(x: Array, *, norm: str = "MAX") -> Array:
    """Each row divided by its largest element ("MAX"), Σ|x| ("L1") or sqrt(Σx²) ("L2"), if that is not 0, in float32."""
    wide = jnp.asarray(x).astype(jnp.float32)
    if norm == "MAX":
        by = jnp.max(wide, -1, keepdims=True)
    elif norm == "L1":
        by = jnp.sum(jnp.abs(wide), -1, keepdims=True)
    elif norm == "L2":
        squares = jnp.sum(jnp.square(wide), -1, keepdims=True)
        by = jnp.sqrt(jnp.where(squares == 0, 1, squares))
    else:
        raise FormatError(f"Normalizer has no norm {norm!r}", fix="known: MAX, L1, L2")
    return wide / jnp.where(by == 0, 1, by)


def Scaler(x: Array, *, offset: Sequence[float] = (0.0,), scale: Sequence[float] = (1.0,)) -> Array:
    """(x - offset) · scale in float32, numbers for all or one for each feature."""
    wide = jnp.asarray(x).astype(jnp.float32)
    moved = wide - jnp.broadcast_to(jnp.asarray(offset, jnp.float32), x.shape)
    return moved * jnp.broadcast_to(jnp.asarray(scale, jnp.float32), x.shape)


def OneHotEncoder(
    x: Array, *, cats_int64s: Sequence[int] = (), cats_strings: Sequence[str] = (), zeros: int = 1
) -> Array | np.ndarray:
    """Zeros and, at the place of the element's category, a one: (..., categories) in float32.

    Raises `DataError` for an element of no category, where `zeros` is 0 and values are known.
    """
    check_output_size((*x.shape, max(len(cats_int64s), len(cats_strings))))
    if cats_strings:
        known = expect_known(x, "OneHotEncoder of texts", "X")
        found = known[..., None] == np.asarray(cats_strings, object)
    else:
        found = x.astype(jax.dtypes.canonicalize_dtype(np.int64))[..., None] == np.asarray(cats_int64s, np.int64)
    if not zeros and isinstance(found, np.ndarray) and not found.any(axis=-1).all():
        raise DataError("OneHotEncoder got an element of none of its categories")
    return found.astype(jnp.float32)


def LabelEncoder(
    x: Array, *, classes_strings: Sequence[str] = (), default_int64: int = -1, default_string: str = "_Unused"
) -> Array | np.ndarray:
    """A text's place among the classes, or the class at a place."""
    names, numbers = np.asarray(classes_strings, object), np.arange(len(classes_strings))
    if x.dtype == object:
        return _mapped(x, names, numbers, np.asarray(default_int64, np.int64))
    return _mapped(x, numbers, names, np.asarray(default_string, object))


def LabelEncoder_2(
    x: Array,
    *,
    default_float: float = -0.0,
    default_int64: int = -1,
    default_string: str = "_Unused",
    default_tensor: np.ndarray | None = None,
    keys_floats: Sequence[float] = (),
    keys_int64s: Sequence[int] = (),
    keys_strings: Sequence[str] = (),
    keys_tensor: np.ndarray | None = None,
    values_floats: Sequence[float] = (),
    values_int64s: Sequence[int] = (),
    values_strings: Sequence[str] = (),
    values_tensor: np.ndarray | None = None,
) -> Array | np.ndarray:
    """Each element looked up among the keys: the value there, or the default for what is none of them."""
    keys = _table(keys_tensor, keys_floats, keys_int64s, keys_strings)
    values = _table(values_tensor, values_floats, values_int64s, values_strings)
    if keys.shape != values.shape or keys.ndim != 1:
        raise FormatError(f"LabelEncoder maps keys of shape {keys.shape} to values of shape {values.shape}")
    if default_tensor is not None:
        default = default_tensor.reshape(())
    else:
        kinds = {"f": default_float, "O": default_string}
        default = np.asarray(kinds.get(values.dtype.kind, default_int64), values.dtype)
    return _mapped(x, keys, values, default)


def _table(tensor: np.ndarray | None, floats: Sequence[float], ints: Sequence[int], texts: Sequence[str]) -> np.ndarray:
    """The keys or values, whichever attribute holds them."""
    if tensor is not None:
        return tensor
    if floats:
        return np.asarray(floats, np.float32)
    return np.asarray(texts, object) if texts else np.asarray(ints, np.int64)


def _mapped(x: Array, keys: np.ndarray, values: np.ndarray, default: np.ndarray) -> Array | np.ndarray:
    """The values at the keys that the elements equal, NaN equal to itself; the last of equal keys counts."""
    if object in (keys.dtype, values.dtype):
        known = expect_known(x, "LabelEncoder of texts", "X")
        table = {_key(key): value for key, value in zip(keys.tolist(), values.tolist(), strict=True)}
        found = [table.get(_key(element), default.item()) for element in known.ravel().tolist()]
        return np.asarray(found, values.dtype).reshape(known.shape)
    if not keys.size:
        return jnp.full(x.shape, default)
    keys, values = keys[::-1], values[::-1]
    order = np.argsort(keys, kind="stable")
    ordered = jnp.asarray(keys[order]).astype(x.dtype)
    at = jnp.clip(jnp.searchsorted(ordered, jnp.asarray(x)), 0, keys.size - 1)
    same = (ordered[at] == x) | ((ordered[at] != ordered[at]) & (x != x))
    return jnp.where(same, jnp.asarray(values[order])[at], jnp.asarray(default))


def _key(element: object) -> object:
    """The element, or for a NaN one thing that equals itself."""
    return None if element != element else element

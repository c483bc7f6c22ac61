"""What a file says of inputs and outputs: names, dtypes, shapes as far as they are known."""

from collections.abc import Iterable

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.limits import check_name, check_shape
from zerfoo_jax.formats.operators.graph import Dim as Size
from zerfoo_jax.formats.zmf.dtypes import dtype_of, named_dtype, number_of
from zerfoo_jax.formats.zmf.schema import Dim, ValueInfo, ValueType

Known = tuple[str | None, tuple[Size, ...] | None]
"""Dtype name and shape, None for what is not known; a size may be a name, or None for any."""


def value_type(dtype: str | None, shape: Iterable[Size] | None) -> ValueType:
    """What is known of a value, exactly."""
    dims = [Dim(size=size) if isinstance(size, int) else Dim(name=size or "") for size in (() if shape is None else shape)]
    return ValueType(dtype=dtype or "", dims=dims, has_shape=shape is not None)


def value_info(name: str, dtype: str | None, shape: Iterable[Size] | None, exact: ValueType) -> ValueInfo:
    """An input or output: dtype and shape for readers of the original format, beside what is known exactly."""
    number, _ = number_of(named_dtype(dtype or "float32"))
    sizes = [size if isinstance(size, int) else -1 for size in shape or ()]
    return ValueInfo(name=name, dtype=number, shape=sizes, exact=exact)


def known_of(value: ValueInfo) -> Known:
    """Dtype and shape of an input or output. Without exact ones sizes of 0 and below are not known, nor are no sizes at all."""
    check_name(value.name, "")
    if value.exact is not None:
        return type_of(value.exact)
    sizes = [size if size > 0 else None for size in value.shape]
    check_shape([size or 1 for size in sizes], value.name)
    return dtype_of(value.dtype).name, tuple(sizes) or None


def type_of(given: ValueType) -> Known:
    """Dtype and shape as they are known exactly; raises `FormatError`."""
    dims = [dim.name or dim.size for dim in given.dims]
    check_shape([size if isinstance(size, int) else 1 for size in dims], "")
    if any(dim.name and dim.size is not None for dim in given.dims) or (dims and not given.has_shape):
        raise FormatError("a size that is known has a name too, or a shape that is not known has sizes")
    dtype = named_dtype(given.dtype).name if given.dtype else None
    return dtype, tuple(dims) if given.has_shape else None

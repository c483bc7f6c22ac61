"""JSON as Go's encoder writes it, which LOOM's files are read and compared with."""

from collections.abc import Iterator
import json
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError


def dump(value: Any, indent: bool = False) -> str:
    """The text of a value: objects in their order, arrays of float32 in their shortest form; with `indent` two blanks a level.

    >>> print(dump({"a": [1, True], "b": np.float32([0.1, 1e-7, 2])}))
    {"a":[1,true],"b":[0.1,1e-7,2]}
    """
    return "".join(_pieces(value, "\n" if indent else ""))


def number(value: Any) -> str:
    """A float as Go writes it: the fewest digits that name it among those of its width, an exponent below 1e-6 and from 1e21.

    >>> number(1e-5), number(1.5e-7), number(-3.0), number(1e21), number(np.float32(0.1))
    ('0.00001', '1.5e-7', '-3', '1e+21', '0.1')
    """
    value = value if isinstance(value, np.floating) else np.float64(value)
    if not np.isfinite(value):
        raise FormatError("a weight is NaN or infinite, which JSON has no number for", fix="write it with a dtype, as float32")
    if value != 0 and not 1e-6 <= abs(value) < 1e21:
        digits, exponent = np.format_float_scientific(value, trim="-").split("e")
        return f"{digits}e{exponent[0]}{exponent[1:].lstrip('0')}"
    return np.format_float_positional(value, trim="-")


def _pieces(value: Any, line: str) -> Iterator[str]:
    inside = line and line + "  "
    if isinstance(value, dict):
        colon = ": " if line else ":"
        yield "{"
        for i, (name, item) in enumerate(value.items()):
            yield f"{',' * (i > 0)}{inside}{json.dumps(name, ensure_ascii=False)}{colon}"
            yield from _pieces(item, inside)
        yield f"{line if value else ''}}}"
    elif isinstance(value, np.ndarray):
        yield f"[{','.join(map(number, value.ravel()))}]"
    elif isinstance(value, list | tuple):
        yield "["
        for i, item in enumerate(value):
            yield f"{',' * (i > 0)}{inside}"
            yield from _pieces(item, inside)
        yield f"{line if value else ''}]"
    else:
        yield number(value) if isinstance(value, float | np.floating) else json.dumps(value, ensure_ascii=False)

"""JSON as the standard has it, within the limits of config files."""

from collections.abc import Callable, Iterator
import json
import math
from typing import Any, NoReturn

from zerfoo_jax.config.yaml import MAX_DEPTH, MAX_DIGITS, MAX_NODES, SURROGATE, TOO_LARGE, expect_short
from zerfoo_jax.core.errors import ConfigError


def strict_json(text: str, integer: Callable[[str], int] = int, number: Callable[[str], float] = float) -> Any:
    """The value of a text, its numbers read by these functions; a repeated key, NaN or Infinity raises `ValueError`.

    >>> strict_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: the key 'a' appears twice
    """
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_refused, parse_int=integer, parse_float=number)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {key!r} appears twice")
        result[key] = value
    return result


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def bounded_integer(digits: str) -> int:
    """The integer; `ValueError` for one of over 1,000 digits, which takes long to read and Python may not write."""
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def finite(digits: str) -> float:
    """The number; `ValueError` for one such as 1e999 that would become infinite."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:40]} is too large")
    return number


def parse(text: str, name: str = "<text>") -> Any:
    """The value of an untrusted text; `ConfigError` for anything that is not plain, bounded JSON.

    >>> parse('{"rate": 1e-4, "sizes": [1, null]}')
    {'rate': 0.0001, 'sizes': [1, None]}
    """
    expect_short(text, name)
    try:
        value = strict_json(text, integer=bounded_integer, number=finite)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not plain JSON: {error.msg}", place=f"{name}:{error.lineno}:{error.colno}") from error
    except ValueError as error:
        raise ConfigError(f"not plain JSON: {error}", place=name) from error
    except RecursionError as error:
        raise ConfigError(f"not plain JSON: {TOO_LARGE}", place=name) from error
    expect_bounded(value, name)
    if any(isinstance(part, str) and SURROGATE.search(part) for part, _ in _parts(value)):
        raise ConfigError("not plain JSON: half of a surrogate pair is not text", place=name)
    return value


def expect_bounded(value: Any, name: str) -> None:
    """Raises `ConfigError` for a value that is larger, or nested deeper, than what is read from a file may be."""
    for count, (part, depth) in enumerate(_parts(value), 1):
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise ConfigError(TOO_LARGE, place=name, fix="repeat blocks with Stack")
        if isinstance(part, int) and abs(part) >= 10 ** (MAX_DIGITS - 1):  # its sign is counted too
            raise ConfigError(f"an integer of {MAX_DIGITS} digits or more", place=name)


def _parts(value: Any) -> Iterator[tuple[Any, int]]:
    """Every key and value inside, with its depth."""
    waiting = [(value, 1)]
    while waiting:
        part, depth = waiting.pop()
        yield part, depth
        inside = [*part, *part.values()] if isinstance(part, dict) else part if isinstance(part, list) else ()
        waiting += [(one, depth + 1) for one in inside]


def dump(value: Any) -> str:
    """Text that `parse` reads back to an equal value."""
    return f"{json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)}\n"

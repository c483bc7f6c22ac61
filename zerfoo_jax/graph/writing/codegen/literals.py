"""Plain values as Python writes them, in the way that formatters leave alone."""

from typing import Any

from zerfoo_jax.core.errors import ConfigError, brief
from zerfoo_jax.graph.writing.codegen.layout import Expression

MAX_BITS = 10_000
"""Python reads integers of some 4,300 digits at most."""


def literal(value: Any) -> Expression:
    """A text, number, truth value or None.

    >>> literal("it's"), literal('say "x"'), literal(1e-05), literal(1e16)
    ('"it\\'s"', '\\'say "x"\\'', '1e-05', '1e16')
    """
    if isinstance(value, str):
        return _text(value)
    if value is None or (isinstance(value, bool | int) and value.bit_length() <= MAX_BITS):
        return repr(value)
    if isinstance(value, float) and value - value == 0:
        return repr(value).replace("e+", "e")
    raise ConfigError(f"{brief(value)} cannot be written as Python source", fix="use plain values in the layer's fields")


def _text(value: str) -> str:
    """In double quotes, unless single ones need fewer backslashes."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    # repr escapes what does not print; with a quote of each kind inside it uses single ones outside.
    inside = repr(f"\"'{value}")[4:-1].replace("\\'", "'")
    return f"{quote}{inside.replace(quote, f'{chr(92)}{quote}')}{quote}"

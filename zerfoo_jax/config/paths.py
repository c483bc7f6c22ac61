"""Where a value stands inside a config, as keys and as text."""

from collections.abc import Sequence
import re

PathKey = tuple[str | int, ...]


def parse_path(text: str) -> PathKey:
    """The keys of a config path.

    >>> parse_path("model.layers[2].features")
    ('model', 'layers', 2, 'features')
    """
    return tuple(int(part) if part.isdecimal() else part for part in re.findall(r"[^.\[\]/]+", text))


def format_path(path: Sequence[str | int]) -> str:
    """The inverse of `parse_path`.

    >>> format_path(("model", "layers", 2, "features"))
    'model.layers[2].features'
    """
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")

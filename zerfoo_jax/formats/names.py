"""Parameters as nested dicts and as flat names: `{"block": {"kernel": k}}` is `{"block.kernel": k}` in a file."""

from collections.abc import Mapping
from typing import Any

from zerfoo_jax.core.errors import FormatError


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves by name, parts joined by dots.

    >>> flatten({"dense": {"kernel": 1, "bias": 2}})
    {'dense.kernel': 1, 'dense.bias': 2}
    """
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= flatten(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """What `flatten` turns into these names; raises `FormatError` where a name is both an array and a group.

    >>> nest({"dense.kernel": 1, "dense.bias": 2})
    {'dense': {'kernel': 1, 'bias': 2}}
    """
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *groups, leaf = name.split(".")
        inner = tree
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise FormatError(f"{name!r} is inside {group!r}, which is an array", place=name)
        if leaf in inner:
            raise FormatError(f"{name!r} is an array and a group of arrays", place=name)
        inner[leaf] = value
    return tree

"""Parameters as nested dicts and as flat names: `{"block": {"kernel": k}}` is `{"block.kernel": k}` in a file.

Names of nodes may hold dots, but no slashes: joined by those, any tree is what it was when it is nested again.
"""

from collections.abc import Mapping
from typing import Any

from zerfoo_jax.core.errors import FormatError


def flatten(tree: Mapping[str, Any], prefix: str = "", separator: str = ".") -> dict[str, Any]:
    """The leaves by name, parts joined by the separator.

    >>> flatten({"dense": {"kernel": 1, "bias": 2}})
    {'dense.kernel': 1, 'dense.bias': 2}
    """
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= flatten(value, f"{prefix}{name}{separator}", separator)
        else:
            found[prefix + name] = value
    return found


def nest(flat: Mapping[str, Any], separator: str = ".") -> dict[str, Any]:
    """What `flatten` turns into these names; raises `FormatError` where a name is both an array and a group.

    >>> nest({"dense.kernel": 1, "dense.bias": 2})
    {'dense': {'kernel': 1, 'bias': 2}}
    """
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *groups, leaf = name.split(separator)
        inner = tree
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise FormatError(f"{name!r} is inside {group!r}, which is an array", place=name)
        if leaf in inner:
            raise FormatError(f"{name!r} is an array and a group of arrays", place=name)
        inner[leaf] = value
    return tree

"""The layers that a layer holds in its fields, and the same layer with others in their places."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from zerfoo_jax.core.layer import Layer

Kind = TypeVar("Kind", bound=Layer)
Change = Callable[[Layer], Layer | None]


def map_parts(layer: Kind, change: Change) -> Kind:
    """The layer with `change(part)` for every layer that its fields hold, itself where nothing changes.

    Parts are also those in tuples and in the nodes of a graph, but not the parts of parts. A part becomes None where a field
    may be empty. The field checks of the changed layer run, and raise `ConfigError`.

    >>> from zerfoo_jax.layers import Activation, Dense, Residual, Sequential
    >>> map_parts(Sequential((Residual(Dense(2)), Dense(3))), lambda part: Activation("relu")).layers[0].function
    'relu'
    """
    return _with_fields(layer, change)


def parts(layer: Layer) -> tuple[Layer, ...]:
    """The layers that its fields hold, in their order.

    >>> from zerfoo_jax.layers import Dense, Residual, Sequential
    >>> [type(part).__name__ for part in parts(Sequential((Residual(Dense(2)), Dense(3))))]
    ['Residual', 'Dense']
    """
    found: list[Layer] = []

    def note(part: Layer) -> Layer:
        found.append(part)
        return part

    map_parts(layer, note)
    return tuple(found)


def with_part(layer: Kind, index: int, part: Layer | None) -> Kind:
    """The layer with another part in the place of the one at `index` of `parts`.

    >>> from zerfoo_jax.layers import Dense, Residual
    >>> with_part(Residual(Dense(2), Dense(3)), 1, None).shortcut is None
    True
    """
    counted = iter(range(len(parts(layer))))
    return map_parts(layer, lambda old: part if next(counted) == index else old)


def _with_fields(holder: Any, change: Change) -> Any:
    changes = {field.name: getattr(holder, field.name) for field in fields(holder)}
    changes = {name: new for name, old in changes.items() if (new := _changed(old, change)) is not old}
    return replace(holder, **changes) if changes else holder


def _changed(value: Any, change: Change) -> Any:
    if isinstance(value, Layer):
        return change(value)
    if isinstance(value, tuple):
        items = tuple(_changed(item, change) for item in value)
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return _with_fields(value, change) if is_dataclass(value) and not isinstance(value, type) else value

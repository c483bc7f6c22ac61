"""Layers with their parameters, put together one after another: what readers of files made of layers build from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from zerfoo_jax.core.errors import ConfigError, FormatError, ShapeError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Params, State
from zerfoo_jax.layers import Permute, Sequential


@dataclass(frozen=True, eq=False)
class Part:
    """A layer, its parameters and its state."""

    layer: Layer
    params: Params = field(default_factory=dict)
    state: State = field(default_factory=dict)


def in_a_row(parts: Sequence[Part]) -> Part:
    """The parts one after another, in a `Sequential`."""
    model = Sequential(tuple(part.layer for part in parts))
    named = dict(zip(model.children(), parts, strict=True))
    return Part(
        model,
        {name: part.params for name, part in named.items() if part.params},
        {name: part.state for name, part in named.items() if part.state},
    )


def chain(parts: Sequence[Part]) -> Part:
    """As `in_a_row`, but a single part as it is."""
    return parts[0] if len(parts) == 1 else in_a_row(parts)


def channels_first(parts: Sequence[Part], axes: int) -> list[Part]:
    """Parts that want channels last, for data (batch, channels, *spatial) with that many spatial axes."""
    last = Permute((*range(2, axes + 2), 1))
    first = Permute((axes + 1, *range(1, axes + 1)))
    return [Part(last), *parts, Part(first)]


@contextmanager
def building(place: str) -> Iterator[None]:
    """Turns what a layer has to say against its fields into a `FormatError` with this place in the file."""
    try:
        yield
    except (ConfigError, ShapeError) as error:
        raise FormatError([problem.under(place) for problem in error.problems]) from error

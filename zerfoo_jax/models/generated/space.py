"""What there is to choose from, and how likely each choice is."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
import math
from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import AfterValidator, BeforeValidator

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt, check_fields, check_options
from zerfoo_jax.models.generated.genome import ActivationName, CellKind, Combine, Genome, Shape, check_width, count_cells

Weighed = tuple[tuple[Any, float], ...]
"""Choices with their weights, which need not add up to 1."""


def _weighed(given: Any) -> Any:
    """Pairs of choice and weight, from a mapping or from a list of choices that are equally likely."""
    if isinstance(given, Mapping):
        return tuple(given.items())
    if not isinstance(given, tuple) or all(isinstance(item, tuple) for item in given):
        return given
    return tuple((item, 1.0) for item in given)


def _numbers(given: Any) -> Any:
    """As `_weighed`, where YAML's keys are numbers as text."""
    pairs = _weighed(given)
    if not isinstance(given, Mapping):
        return pairs
    return tuple((_number(choice), weight) for choice, weight in pairs)


def _number(text: Any) -> Any:
    try:
        return int(text) if str(text).isdecimal() else float(text)
    except (TypeError, ValueError):
        return text


def _distinct(pairs: Weighed) -> Weighed:
    choices = [choice for choice, _ in pairs]
    if len(set(choices)) < len(choices):
        raise ValueError("should name every choice once")
    return pairs


_OPEN = (MinLen(1), AfterValidator(_distinct))
Shapes = Annotated[tuple[tuple[Shape, PositiveFloat], ...], BeforeValidator(_weighed), *_OPEN]
Cells = Annotated[tuple[tuple[CellKind, PositiveFloat], ...], BeforeValidator(_weighed), *_OPEN]
Combinations = Annotated[tuple[tuple[Combine, PositiveFloat], ...], BeforeValidator(_weighed), *_OPEN]
Activations = Annotated[tuple[tuple[ActivationName, PositiveFloat], ...], BeforeValidator(_weighed), *_OPEN]
Sizes = Annotated[tuple[tuple[PositiveInt, PositiveFloat], ...], BeforeValidator(_numbers), *_OPEN]
Numbers = Annotated[tuple[tuple[PositiveFloat, PositiveFloat], ...], BeforeValidator(_numbers), *_OPEN]


def _equally(*choices: Any) -> Weighed:
    return tuple((choice, 1.0) for choice in choices)


SHAPES = _equally("1x1", "2x2", "3x3", "4x1", "1x4", "2x3", "3x2", "8x1", "6x4")
ACTIVATIONS = _equally("scaled_relu", "sigmoid", "tanh", "softplus", "leaky_relu")


@dataclass(frozen=True)
class Space:
    """The choices for every gene: a mapping from choice to weight, or a list of equally likely ones; by default LOOM's.

    `learning_rate` gives the ends of a log-uniform distribution. Raises `ConfigError` for choices that do not exist, for ends
    in the wrong order, and where some width does not divide into some number of heads, each of an even width.

    >>> space = Space(shape=["1x1", "2x2"], cell={"dense": 3, "lstm": 1}, width={"32": 1})
    >>> space.cell, space.width
    ((('dense', 3.0), ('lstm', 1.0)), ((32, 1.0),))
    """

    shape: Shapes = SHAPES
    cell: Cells = (
        ("attention", 0.30),
        ("lstm", 0.25),
        ("rnn", 0.15),
        ("dense", 0.15),
        ("swiglu", 0.08),
        ("norm_dense", 0.07),
    )
    combine: Combinations = (("average", 0.35), ("add", 0.30), ("concat", 0.20), ("grid_scatter", 0.15))
    activation: Activations = ACTIVATIONS
    width: Sizes = ((64, 0.75), (32, 0.25))
    num_heads: Sizes = ((4, 0.5), (8, 0.5))
    learning_rate: tuple[PositiveFloat, PositiveFloat] = (1e-4, 1e-2)
    init_scale: Numbers = ((0.5, 1.0),)

    def __post_init__(self) -> None:
        check_fields(self)
        for shape, _ in self.shape:
            count_cells(shape)
        for (width, _), (num_heads, _) in product(self.width, self.num_heads):
            check_width(width, num_heads)
        low, high = self.learning_rate
        if low > high:
            raise ConfigError(f"learning_rate = {self.learning_rate} ends below its start", place="learning_rate")

    def holds(self, genome: Genome) -> bool:
        """Whether a genome is one of this space's."""
        low, high = self.learning_rate
        kinds = {kind for kind, _ in self.cell}
        return (
            low <= genome.learning_rate <= high
            and kinds.issuperset(genome.cells)
            and all(getattr(genome, gene) in dict(getattr(self, gene)) for gene in SINGLE_GENES)
        )


SINGLE_GENES = ("shape", "combine", "activation", "width", "num_heads", "init_scale")
"""The fields that spaces and genomes share and that hold one choice."""


def space_from(given: Mapping[str, Any]) -> Space:
    """The space that a mapping describes; `ConfigError` with every problem, places being its keys.

    >>> space_from({"width": [64], "num_heads": [4]}).num_heads
    ((4, 1.0),)
    """
    checked, problems = check_options(Space, given)
    if problems:
        raise ConfigError(problems)
    return Space(**checked)


def log_uniform(low: float, high: float, share: float) -> float:
    """The number that lies at this share, 0 to 1, of the way from low to high on a logarithmic scale.

    >>> round(log_uniform(1e-4, 1e-2, 0.5), 6)
    0.001
    """
    return min(high, max(low, math.exp(math.log(low) + share * (math.log(high) - math.log(low)))))

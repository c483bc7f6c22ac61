"""The softmax layers of both generations, whose variants have the same names but for their case."""

from collections.abc import Mapping
from typing import Any

from zerfoo_jax.core.errors import FormatError, nearest
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.formats.json_text import Fields
from zerfoo_jax.layers import GumbelSoftmax, Softmax

VARIANTS = ("adaptive", "entmax", "grid", "gumbel", "hierarchical", "masked", "mixture", "sparse", "standard", "temperature")
KEYS = [
    "softmax_rows",
    "softmax_cols",
    "temperature",
    "gumbel_noise",
    "mask",
    "hierarchy_levels",
    "adaptive_clusters",
    "mixture_weights",
    "entmax_alpha",
]


def softmax(given: Fields, variant: str, loom: bool) -> Layer:
    """The layer for LOOM's `variant`, over all numbers of an example, divided by the temperature first.

    LOOM has no adaptive and no mixture softmax: they give the plain one, whose value an adaptive softmax has where the logits
    are those of the classes. A hierarchical one has the logits of its leaves, and is a grid of the last level. With `loom`
    the sparse variants are LOOM's, and those that LOOM's first generation gives no temperature have none.
    """
    temperature = given.number("temperature") or 1.0
    if temperature < 0:
        raise FormatError(f"a temperature of {temperature:g}", place=given.at("temperature"))
    if variant == "gumbel":
        return GumbelSoftmax(temperature)
    if variant in ("adaptive", "mixture"):
        return _plain(1.0 if loom else temperature)
    if variant in ("standard", "temperature"):
        return _plain(temperature)
    options = _options(given, variant, loom)
    ignored = loom and variant in ("sparse", "entmax")
    return Softmax(options if temperature == 1 or ignored else options | {"temperature": temperature})


def _plain(temperature: float) -> Layer:
    return Softmax() if temperature == 1 else Softmax({"name": "temperature", "temperature": temperature})


def _options(given: Fields, variant: str, loom: bool) -> dict[str, Any]:
    compatible = {"loom_compat": True} if loom else {}
    match variant:
        case "grid":
            return {"name": "grid", "columns": given.size("softmax_cols")}
        case "hierarchical":
            levels = given.sizes("hierarchy_levels")
            return {"name": "grid", "columns": levels[-1] if levels else given.size("softmax_cols")}
        case "masked":
            mask = given.items("mask")
            if any(type(one) is not bool for one, _ in mask):
                raise FormatError("a mask is a list of true and false", place=given.at("mask"))
            return {"name": "masked", "mask": tuple(one for one, _ in mask)}
        case "sparse":
            return {"name": "sparsemax"} | compatible
        case "entmax":
            alpha = max(given.number("entmax_alpha"), 1.0)
            # What LOOM gives is not divided by its sum at 2, as it is below.
            return ({"name": "sparsemax"} if alpha >= 2 else {"name": "entmax", "alpha": alpha}) | compatible
    raise FormatError(f"unknown softmax variant {variant!r}", place=given.place, fix=nearest(variant, VARIANTS))


def width(given: Fields, variant: str) -> int | None:
    """How many logits the layer takes, if its options say it."""
    sizes: Mapping[str, int] = {
        "grid": given.integer("softmax_rows") * given.integer("softmax_cols"),
        "masked": len(given.items("mask")),
    }
    return sizes.get(variant) or None

"""Signatures of table members as a person would write them."""

from collections.abc import Callable
import inspect
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

from zerfoo_jax.core.fields import LARGEST


def describe_signature(member: Callable[..., Any]) -> str:
    """The parameters of a layer, or of a function, in brief.

    >>> from zerfoo_jax.core.fields import NonNegativeInt
    >>> def schedule(peak: float, *, warmup_steps: NonNegativeInt = 0, ends: tuple[int, ...] | None = None): ...
    >>> describe_signature(schedule)
    '(peak: float, *, warmup_steps: int >= 0 = 0, ends: (int, ...) | None = None)'
    """
    hints = get_type_hints(member.__init__ if inspect.isclass(member) else member, include_extras=True)
    signature = inspect.signature(member)
    shown = [p.replace(annotation=_Shown(hints.get(name, p.annotation))) for name, p in signature.parameters.items()]
    return str(signature.replace(parameters=shown, return_annotation=inspect.Signature.empty))


class _Shown:
    """A type that shows itself in brief in a signature."""

    def __init__(self, hint: Any):
        self._hint = hint

    def __repr__(self) -> str:
        return type_name(self._hint)


def type_name(hint: Any) -> str:
    """A type as a person would write it.

    >>> from zerfoo_jax.core.fields import Probability
    >>> type_name(tuple[Probability, ...] | None)
    '(float >= 0 < 1, ...) | None'
    """
    if get_origin(hint) is Annotated:
        base, *limits = get_args(hint)
        named = [limit for limit in limits if isinstance(limit, str)]
        if named:  # a member of another table
            return named[0]
        return " ".join([type_name(base), *(_limit(limit) for limit in limits if _limit(limit))])
    if get_origin(hint) in (Union, UnionType):
        return " | ".join(map(type_name, get_args(hint)))
    if get_origin(hint) is tuple:
        return f"({', '.join('...' if part is Ellipsis else type_name(part) for part in get_args(hint))})"
    if get_origin(hint) is Literal:
        return " | ".join(map(repr, get_args(hint)))
    if hint in (None, type(None), Any):
        return "any" if hint is Any else "None"
    return getattr(hint, "__name__", str(hint)).rpartition(".")[2]


def _limit(limit: Any) -> str:
    signs = {Gt: ">", Ge: ">=", Lt: "<", Le: "<="}
    sign = signs.get(type(limit))
    value = getattr(limit, type(limit).__name__.lower(), None)
    return f"{sign} {value}" if sign and value != LARGEST else ""

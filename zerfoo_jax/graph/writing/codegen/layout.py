"""Python expressions laid out over lines as formatters lay them out, whether their lines hold 88 characters or 128."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Union
import unicodedata

WIDTH = 88
INDENT = 4
TOO_LONG = "  # noqa: E501, RUF100"


@dataclass(frozen=True)
class Group:
    """Something in brackets: a call, a tuple, a mapping. Every item has a label in front, such as `name=`, or an empty one."""

    opening: str
    items: tuple[tuple[str, "Expression"], ...]
    closing: str

    @property
    def is_tuple_of_one(self) -> bool:
        """Whether its only item is followed by a comma on one line too."""
        return self.opening == "(" and len(self.items) == 1


Expression = Union[str, Group]  # noqa: UP007 - the name is used in quotes above


def call(function: str, /, *positional: Expression, **keywords: Expression) -> Group:
    """`function(a, b, key=c)`.

    >>> one_line(call("Dense", "3", use_bias="False"))
    'Dense(3, use_bias=False)'
    """
    named = [(f"{name}=", value) for name, value in keywords.items()]
    return Group(f"{function}(", (*(("", value) for value in positional), *named), ")")


def one_line(expression: Expression) -> str:
    """The expression without line breaks."""
    if isinstance(expression, str):
        return expression
    items = ", ".join(f"{label}{one_line(value)}" for label, value in expression.items)
    return f"{expression.opening}{items}{',' * expression.is_tuple_of_one}{expression.closing}"


def lines(expression: Expression, indent: int, label: str = "", tail: str = "", must_break: bool = False) -> Iterator[str]:
    """The expression behind its label: on one line if it fits, else each item on lines of its own, with a comma.

    A comma behind the last item keeps the lines apart where longer ones are allowed, but for a tuple of one item, whose
    comma says nothing: there the item is broken up. A text that no line holds is marked for linters.

    >>> print("\\n".join(lines(call("Dense", "3", kernel_init='"' + "x" * 60 + '"'), 4, "dense = ")))
        dense = Dense(
            3,
            kernel_init="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        )
    """
    margin, whole = " " * indent, f"{label}{one_line(expression)}{tail}"
    fits = indent + _columns(whole) <= WIDTH
    if (fits and not must_break) or isinstance(expression, str) or not expression.items:
        yield f"{margin}{whole}{'' if fits else TOO_LONG}"
        return
    yield f"{margin}{label}{expression.opening}"
    for name, value in expression.items:
        yield from lines(value, indent + INDENT, name, ",", must_break=expression.is_tuple_of_one)
    yield f"{margin}{expression.closing}{tail}"


def _columns(text: str) -> int:
    """How wide a text is shown: wide characters take two columns."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)

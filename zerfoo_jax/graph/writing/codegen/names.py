"""Names for attributes and classes, close to the names of nodes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
import keyword
import re

RESERVED = {"declare", "model", "node", "outputs", "l"}
"""What a class of nodes needs for itself, and the letter that reads like a one."""
MAX_LETTERS = 40
"""Of a name, so that lines hold it."""


def attributes(names: Iterable[str]) -> dict[str, str]:
    """An attribute for each of these names: the name itself wherever that is a good one.

    >>> attributes(["conv", "0", "Conv", "model"])
    {'conv': 'conv', '0': 'node_0', 'Conv': 'conv_2', 'model': 'model_'}
    """
    names = list(names)
    taken = {name for name in names if _is_good(name)}
    found = {}
    for name in names:
        found[name] = name if name in taken and name not in found.values() else first_free(_attribute(name), taken)
        taken.add(found[name])
    return found


def _is_good(name: str) -> bool:
    plain = re.fullmatch(r"[a-z][a-z0-9_]*", name) and len(name) <= MAX_LETTERS
    return bool(plain) and not keyword.iskeyword(name) and name not in RESERVED


def _attribute(name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[: MAX_LETTERS - 5].rstrip("_")
    snake = words if words[:1].isalpha() else f"node_{words}".rstrip("_")
    return snake if _is_good(snake) else f"{snake}_"


def first_free(wanted: str, taken: Iterable[str], separator: str = "_") -> str:
    """The name, or where it is taken, the name with the first number that makes it free."""
    numbered = (f"{wanted}{separator}{number}" for number in count(2))
    return next(name for name in _chain(wanted, numbered) if name not in taken)


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def class_name(words: Iterable[str]) -> str:
    """A name for a class from words of any kind.

    >>> class_name(["digits_cnn", "block-1"]), class_name(["layer1", "0"])
    ('DigitsCnnBlock1', 'Layer1Part0')
    """
    name = "".join(_capitalised(re.findall(r"[A-Za-z0-9]+", word)) for word in words)[:MAX_LETTERS]
    return name if len(name) > 1 and not keyword.iskeyword(name) else f"Part{name}"


def _capitalised(parts: Sequence[str]) -> str:
    together = "".join(f"{part[0].upper()}{part[1:]}" for part in parts)
    return f"Part{together}" if together[:1].isdigit() else together


def class_for(path: Sequence[Sequence[str]], taken: Iterable[str]) -> str:
    """A free name for the class of the graph at a path, from its last places on, of more of them where that is taken.

    >>> class_for([["layer1"], ["0"]], []), class_for([["encoder"], ["body", "block"]], ["BodyBlock"])
    ('Layer1Part0', 'EncoderBodyBlock')
    """
    ends = [path[-length:] for length in range(1, len(path) + 1)]
    said = [end for end in ends if end[0][0][:1].isalpha()] or ends[-1:]  # a number alone says nothing
    candidates = [class_name([word for place in end for word in place]) for end in said]
    free = [name for name in candidates if name not in taken]
    return free[0] if free else first_free(candidates[-1], taken, separator="x")

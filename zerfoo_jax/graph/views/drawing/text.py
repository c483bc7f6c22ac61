"""What a picture says in words, and how much room the words take at most."""

from collections.abc import Sequence
import math
import unicodedata

from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.views.outline import Outline
from zerfoo_jax.graph.views.wires import INPUT, OUTPUT, OWN

FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
ADVANCE = 0.62
"""Width of a letter over the font size: at least that of every font named."""
WIDE = 2.3
"""Letters that an emoji or an ideograph is as wide as, at most."""
MAX_LETTERS = 34
UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def printable(text: str) -> str:
    """The text without characters that XML cannot hold or that change how others are read, such as a change of direction."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else c for c in text)


def shortened(text: str, letters: int = MAX_LETTERS) -> str:
    """The text in at most so many letters, its beginning and its end.

    >>> shortened("abcdefghij", 6)
    'abc…ij'
    """
    text = printable(text)
    head = letters // 2
    return text if len(text) <= letters else f"{text[:head]}…{text[len(text) - (letters - head - 1) :]}"


def familiar(text: str) -> bool:
    """Whether every monospaced font has these characters, all of one width."""
    return all(c < "ɐ" or c in "×−…·→" for c in text)


def width(text: str, size: float) -> float:
    """The most room that a line of text takes in any of the fonts."""
    return math.ceil(size * ADVANCE * sum(1 if familiar(c) else WIDE for c in text))


def shape(value: Spec) -> str:
    """Sizes and, other than float32, dtype.

    >>> shape(Spec((1, 16), "int32")), shape(Spec((), "float32"))
    ('1×16 int32', 'scalar')
    """
    sizes = "×".join(map(str, value.shape)) or "scalar"
    return sizes if value.dtype == "float32" else f"{sizes} {value.dtype}"


def quantity(number: float) -> str:
    """A number to three digits.

    >>> quantity(25_557_032), quantity(512), quantity(999_999)
    ('25.6M', '512', '1M')
    """
    for i, (unit, letter) in enumerate(UNITS):
        if number >= unit * (0.9995 if i else 1):
            return f"{float(f'{number / unit:.3g}'):g}{letter}"
    return f"{number:g}"


def captions(part: Outline) -> tuple[str, str]:
    """The two lines about a layer: its name, and its kind with the number of its parameters."""
    count = f" · {quantity(part.parameters.numbers)}" if part.parameters.numbers else ""
    times = f" × {repeats(part)}" if repeats(part) > 1 else ""
    shared = f" · of {part.shared_with}" if part.shared_with else ""
    return shortened(part.name or "model"), shortened(f"{part.kind}{times}{count}{shared}")


def classes(part: Outline) -> str:
    """What of a layer shows in the look of its box."""
    marks = {"weights": part.parameters.numbers, "closed": part.children, "shared": part.shared_with}
    return " ".join(mark for mark, there in marks.items() if there)


def repeats(part: Outline) -> int:
    """How often the block of a stack runs; 1 for all else."""
    return part.children[0].copies // part.copies if part.kind == "Stack" and part.children else 1


def details(path: str, part: Outline) -> str:
    """What there is to know about a layer, in lines."""
    lines = [
        f"{printable(path) or 'model'}: {part.kind}",
        f"inputs: {shapes(part.inputs)}",
        f"outputs: {shapes(part.outputs)}",
        f"parameters: {part.parameters.numbers:,} ({part.parameters.bytes:,} bytes)",
        f"operations: {part.operations:,}",
    ]
    lines += [f"state: {part.state.numbers:,} ({part.state.bytes:,} bytes)"] if part.state.numbers else []
    lines += [f"all {part.copies} copies in its stack together"] if part.copies > 1 else []
    lines += [f"the layer of {printable(part.shared_with)} again"] if part.shared_with else []
    return "\n".join(lines)


def shapes(values: Sequence[Spec]) -> str:
    """Several shapes, those of what has one."""
    return ", ".join(shape(value) for value in values) or "none"


def end_name(group: Outline, end: str) -> str:
    """What the ports and joins of a group are called."""
    joins = {join.name: join.symbol for join in group.joins}
    if end.startswith(INPUT):
        return shortened(group.input_names[int(end.removeprefix(INPUT))])
    if end.startswith(OUTPUT):
        number = f" {end.removeprefix(OUTPUT)}" if len(group.outputs) > 1 else ""
        return f"output{number}"
    return shortened(", ".join(group.own_names)) if end == OWN else joins[end]


def is_dot(group: Outline, end: str, root: bool) -> bool:
    """Whether an end is a port that needs no name: the only input or output of a group that stands in another."""
    kind = INPUT if end.startswith(INPUT) else OUTPUT
    return not root and end.startswith(kind) and len(group.inputs if kind == INPUT else group.outputs) == 1


def leaving(group: Outline, end: str) -> tuple[str, ...]:
    """The shapes on the edges that leave an end."""
    values = [edge.value for edge in group.edges if edge.source == end]
    return tuple(dict.fromkeys(map(shape, values)))


def visible(found: Outline, depth: int) -> int:
    """How many boxes there are when groups are open down to a depth."""
    return 1 + (sum(visible(child, depth - 1) for child in found.children) if depth > 0 else 0)


def depth_of(found: Outline) -> int:
    """How many groups stand in each other at most."""
    return 1 + max(map(depth_of, found.children)) if found.children else 0


def readable_depth(found: Outline, boxes: int) -> int:
    """The largest depth at which at most so many boxes are seen; at least 1."""
    fitting = [depth for depth in range(1, depth_of(found) + 1) if visible(found, depth) <= boxes + 1]
    return max(fitting, default=1)

"""A model as a picture: one SVG file that needs nothing else, light or dark as its reader's screen is."""

from collections.abc import Iterator
from html import escape
from itertools import pairwise

from zerfoo_jax.core.errors import join_path
from zerfoo_jax.graph.views.drawing import text
from zerfoo_jax.graph.views.drawing.colours import COLOURS
from zerfoo_jax.graph.views.drawing.places import FRAME, LABEL, LINE, NAME, PAD, SMALL, Cell, Plan, Point, plan
from zerfoo_jax.graph.views.outline import Outline
from zerfoo_jax.graph.views.wires import JOIN

BOXES = 40
"""How many boxes a picture shows unless more are asked for."""
TITLE = 52.0
"""Height of the picture's title."""
STYLE = f"""
svg {{ {COLOURS.light} background: var(--page); font-family: {text.FONT}; font-size: {SMALL:g}px; }}
@media (prefers-color-scheme: dark) {{ svg {{ {COLOURS.dark} }} }}
text {{ fill: var(--ink); }}
.name {{ font-size: {NAME:g}px; font-weight: 600; }}
.small, .shape {{ fill: var(--faint); }}
.box {{ fill: var(--plain); stroke: var(--line); }}
.weights {{ fill: var(--weights); stroke: var(--weights-line); }}
.closed {{ stroke-width: 2.5; }}
.shared {{ stroke-dasharray: 5 3; }}
.group {{ fill: var(--group); stroke: var(--group-line); }}
.port {{ fill: var(--port); stroke: var(--line); }}
.join {{ fill: var(--page); stroke: var(--line); }}
.edge {{ fill: none; stroke: var(--edge); stroke-width: 1.3; }}
#arrow path {{ fill: var(--edge); }}
"""


def svg(found: Outline, depth: int | None = None, path: str = "") -> str:
    """The picture of an outline as the text of an SVG file; groups are open down to `depth`, by default while it is readable.

    `path` is where the outline stands in its model, if it is not the whole. All words are escaped, there are no scripts.

    >>> import jax
    >>> from zerfoo_jax.graph.views.outline import outline
    >>> from zerfoo_jax.layers import Dense, Residual
    >>> svg(outline(Residual(Dense(4)), jax.ShapeDtypeStruct((1, 4), "float32"))).startswith("<svg xmlns=")
    True
    """
    found = found.grouped()
    drawn = plan(found, text.readable_depth(found, BOXES) if depth is None else depth)
    name, kind = text.captions(found)
    about = f"{kind} · {text.quantity(found.operations)} FLOP for {text.shapes(found.inputs)}"
    about = text.shortened(about, 120)
    width = max(drawn.width, text.width(about, SMALL) + 2 * FRAME, text.width(name, NAME) + 2 * FRAME)
    height = drawn.height + TITLE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        'role="img" aria-labelledby="title about">',
        f'<title id="title">{escape(name)}</title>',
        f'<desc id="about">{escape(f"{about}. {_in_words(found)}")}</desc>',
        f"<style>{STYLE}</style>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0.5 8 4 0 7.5z"/></marker></defs>',
        f'<rect width="{width:g}" height="{height:g}" style="fill:var(--page)"/>',
        _text(FRAME, 24, name, NAME, "name"),
        _text(FRAME, 42, about, SMALL, "small"),
        *_drawn(found, drawn, path, ((width - drawn.width) / 2, TITLE)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _in_words(found: Outline) -> str:
    children = "; ".join(f"{child.name}: {child.kind}" for child in found.children)
    return text.printable(f"From top to bottom, in the order of the data: {children}" if children else "A single layer")


def _drawn(group: Outline, drawn: Plan, path: str, origin: Point) -> Iterator[str]:
    """Edges first, then boxes over their ends, each with what it holds."""
    children = {child.name: child for child in group.children}
    for (source, target), points in drawn.routes.items():
        arrow = ' marker-end="url(#arrow)"' if drawn.cells[target][1].width > 8 else ""
        ends = " ".join(
            f'data-{role}="{escape(text.printable(join_path(path, end)))}"' for role, end in (("from", source), ("to", target))
        )
        yield f'<path class="edge" {ends} d="{_curve(points, origin)}"{arrow}/>'
    for end, (corner, cell) in drawn.cells.items():
        x, y = corner[0] + origin[0], corner[1] + origin[1]
        for i, label in enumerate(cell.labels):
            yield _text(x + cell.exit + 6, y + cell.height + LABEL * (i + 1) - 3, label, SMALL, "shape")
        if end in children:
            yield from _part(children[end], cell, join_path(path, end), (x, y))
        else:
            yield from _port(text.end_name(group, end), cell, (x, y), end.startswith(JOIN))


def _part(part: Outline, cell: Cell, path: str, at: Point) -> Iterator[str]:
    x, y = at
    name, kind = text.captions(part)
    kinds = (
        ["group"] if cell.group else ["box", *["weights"] * bool(part.parameters.numbers), *["closed"] * bool(part.children)]
    )
    kinds += ["shared"] * bool(part.shared_with)
    yield f'<g data-path="{escape(text.printable(path))}"><title>{escape(text.details(path, part))}</title>'
    yield _box(at, cell, " ".join(kinds), 8 if cell.group else 5)
    yield _text(x + PAD, y + LINE, name, NAME, "name")
    if cell.group:
        yield _text(x + PAD + text.width(f"{name} ", NAME), y + LINE, kind, SMALL, "small")
        yield from _drawn(part, cell.group, path, at)
    else:
        yield _text(x + PAD, y + 2 * LINE, kind, SMALL, "small")
    yield "</g>"


def _port(name: str, cell: Cell, at: Point, is_join: bool) -> Iterator[str]:
    if cell.width <= 8:
        yield _box(at, cell, "port", 4)
        return
    yield f"<g><title>{escape(name)}</title>" + _box(at, cell, "join" if is_join else "port", cell.height / 2)
    x = at[0] + (cell.width - text.width(name, SMALL)) / 2
    yield _text(x, at[1] + cell.height / 2 + 4, name, SMALL, "end") + "</g>"


def _box(at: Point, cell: Cell, kinds: str, radius: float) -> str:
    place = f'x="{at[0]:.1f}" y="{at[1]:.1f}" width="{cell.width:.1f}" height="{cell.height:.1f}"'
    return f'<rect class="{kinds}" {place} rx="{radius:g}"/>'


def _text(x: float, y: float, words: str, size: float, kind: str) -> str:
    """A line of text; the width of characters that fonts do not agree on is fixed."""
    fixed = "" if text.familiar(words) else f' textLength="{text.width(words, size)}" lengthAdjust="spacingAndGlyphs"'
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{fixed}>{escape(words)}</text>'


def _curve(points: tuple[Point, ...], origin: Point) -> str:
    """The points as a path: straight down a column, curved between columns."""
    moved = [(x + origin[0], y + origin[1]) for x, y in points]
    steps = [f"M{moved[0][0]:.1f} {moved[0][1]:.1f}"]
    for (x, y), (to_x, to_y) in pairwise(moved):
        if to_y - y < 0.1:
            continue  # no way at all, which would have no direction for the arrow to take
        middle = (y + to_y) / 2
        curved = f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
        steps.append(f"V{to_y:.1f}" if abs(x - to_x) < 0.05 else curved)
    return "".join(steps)

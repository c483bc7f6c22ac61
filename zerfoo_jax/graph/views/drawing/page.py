"""A model as a page for a browser: one file that asks the network for nothing, whose groups open and close."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from zerfoo_jax.core.errors import join_path
from zerfoo_jax.graph.views.drawing import text
from zerfoo_jax.graph.views.drawing.colours import COLOURS
from zerfoo_jax.graph.views.drawing.ranks import ranked
from zerfoo_jax.graph.views.outline import Outline
from zerfoo_jax.graph.views.wires import JOIN

BOXES = 40
"""How many boxes are seen at first unless a depth is given."""
HERE = Path(__file__).parent
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{name}</title>
<style>
:root {{ color-scheme: light dark; font-family: {font}; {light} }}
@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}
{css}</style>
</head>
<body>
<header>
<h1>{name}</h1>
<span class="small">{about}</span>
<button type="button" data-all="open">Expand all</button>
<button type="button" data-all="close">Collapse all</button>
<input id="search" type="search" placeholder="Find a node" aria-label="Find a node; Enter goes to the next">
<span id="found" role="status"></span>
</header>
<main>
{body}
</main>
<footer id="details" role="status">{details}</footer>
<script>
{script}</script>
</body>
</html>
"""


def html(found: Outline, depth: int | None = None, path: str = "") -> str:
    """The outline as the text of an HTML file. At first groups are open down to `depth`, by default while that is readable.

    Groups open and close by click and by keyboard, all at once too; nodes are found by their names; what is known about a node
    stands below while the pointer or the focus is on it. `path` is where the outline stands in its model, if it is a part.
    """
    found = found.grouped()
    name, kind = text.captions(found)
    return PAGE.format(
        name=escape(name),
        about=escape(f"{kind} · {text.quantity(found.operations)} FLOP for {text.shapes(found.inputs)}"),
        details=escape(text.details(path, found)),
        body="\n".join(_body(found, path, text.readable_depth(found, BOXES) if depth is None else depth, root=True)),
        font=text.FONT,
        light=COLOURS.light,
        dark=COLOURS.dark,
        css=(HERE / "page.css").read_text(),
        script=(HERE / "page.js").read_text(),
    )


def _body(group: Outline, path: str, depth: int, root: bool = False) -> Iterator[str]:
    """The rows of a group, and the ways of its edges by the numbers of the ends in them."""
    ranks = ranked(group)
    number = {end: i for i, end in enumerate(end for row in ranks.rows for end in row)}
    children, bends = {child.name: child for child in group.children}, ranks.bends()
    routes = ";".join(" ".join(str(number[end]) for end in route) for route in ranks.routes.values())
    hidden = "" if depth > 0 else " hidden"
    yield f'<div class="body" data-routes="{routes}"{hidden}><svg class="wires" aria-hidden="true"></svg>'
    for row in ranks.rows:
        left, right = _ghosts([end in bends for end in row])
        yield '<div class="row">' + '<i class="bend"></i>' * left
        for end in row:
            if end in bends:
                yield '<i class="bend" data-end="bend"></i>'
                continue
            yield f'<div class="cell" data-end="{"join" if end.startswith(JOIN) else "box"}">'
            if end in children:
                yield from _part(children[end], join_path(path, end), depth - 1)
            else:
                yield _port(group, end, root)
            labels = () if text.is_dot(group, end, root) else text.leaving(group, end)
            yield "".join(f'<span class="shape">{escape(label)}</span>' for label in labels) + "</div>"
        yield '<i class="bend"></i>' * right + "</div>"
    yield "</div>"


def _ghosts(bends: list[bool]) -> tuple[int, int]:
    """How many bends that no edge uses keep a single box in the middle of its row, to the left and to the right of it."""
    if bends.count(False) != 1:
        return 0, 0
    left, right = bends.index(False), len(bends) - 1 - bends.index(False)
    return max(0, right - left), max(0, left - right)


def _part(part: Outline, path: str, depth: int) -> Iterator[str]:
    name, kind = (escape(caption) for caption in text.captions(part))
    told = f'data-path="{escape(text.printable(path))}" data-details="{escape(text.details(path, part))}"'
    caption = f'<b>{name}</b><span class="small">{kind}</span>'
    if not part.children:
        yield f'<div class="box {text.classes(part)}" tabindex="0" {told}>{caption}</div>'
        return
    opened, expanded = (" open", "true") if depth > 0 else ("", "false")
    yield f'<div class="group{opened}">'
    yield f'<button type="button" class="box {text.classes(part)}" aria-expanded="{expanded}" {told}>{caption}</button>'
    yield from _body(part, path, depth)
    yield "</div>"


def _port(group: Outline, end: str, root: bool) -> str:
    if text.is_dot(group, end, root):
        return '<div class="port dot"></div>'
    return f'<div class="{"join" if end.startswith(JOIN) else "port"}">{escape(text.end_name(group, end))}</div>'

"""SVG pictures, measured: fonts at their real widths, boxes and paths as any viewer draws them."""

from collections import Counter
from itertools import pairwise
import re
from typing import NamedTuple
import xml.etree.ElementTree as ET

import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.architectures import ALL, outline_of
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, Node, graph_of
from zerfoo_jax.graph.views.drawing import svg
from zerfoo_jax.graph.views.outline import Outline, outline
from zerfoo_jax.layers import Add, Dense

SVG = "{http://www.w3.org/2000/svg}"
SIZES = {"name": 13.0, "small": 11.0, "shape": 11.0, "end": 11.0}
ADVANCE = 0.602
"""Of DejaVu Sans Mono, over the font size."""
DEEP = 99


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float


def box_of(rect: ET.Element) -> Box:
    x, y, width, height = (float(rect.get(name, "nan")) for name in ("x", "y", "width", "height"))
    return Box(x, y, x + width, y + height)


def text_box(text: ET.Element) -> Box:
    x, y = float(text.get("x", "nan")), float(text.get("y", "nan"))
    size = SIZES[text.get("class", "")]
    width = float(text.get("textLength", ADVANCE * size * len(text.text or "")))
    return Box(x, y - 0.76 * size, x + width, y + 0.24 * size)


def contains(outer: Box, inner: Box) -> bool:
    return outer.left <= inner.left and outer.top <= inner.top and inner.right <= outer.right and inner.bottom <= outer.bottom


def overlapping(boxes: list[Box]) -> int:
    """How many pairs of boxes overlap."""
    if len(boxes) < 2:
        return 0
    left, top, right, bottom = (
        np.array(side) - by for side, by in zip(zip(*boxes, strict=True), (0, 0, 0.11, 0.11), strict=True)
    )
    pairs = (left < right[:, None]) & (left[:, None] < right) & (top < bottom[:, None]) & (top[:, None] < bottom)
    return int(np.triu(pairs, 1).sum())


def points_of(path: str) -> np.ndarray:
    """Points along a path of M, V and C."""
    found, at = [], np.zeros(2)
    for letter, numbers in re.findall(r"([MVC])([^MVC]*)", path):
        values = np.array([float(number) for number in numbers.split()])
        if letter == "M":
            steps = values[None]
        elif letter == "V":
            steps = np.stack([np.full(9, at[0]), np.linspace(at[1], values[0], 9)], axis=1)
        else:
            t, (b, c, d) = np.linspace(0, 1, 33)[:, None], values.reshape(3, 2)
            steps = (1 - t) ** 3 * at + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
        found.append(steps)
        at = steps[-1]
    return np.concatenate(found)


def check_group(element: ET.Element, frame: Box | None) -> list[Box]:
    """Checks the parts directly in one group of the picture; gives the boxes of all texts in it."""
    texts, boxes, shapes = [], [], []
    for child in element:
        if child.tag == f"{SVG}g":
            (rect, *_), words = child.findall(f"{SVG}rect"), child.findall(f"{SVG}text")
            box = box_of(rect)
            own = [text_box(text) for text in words if text.get("class") != "shape"]
            assert all(contains(box, text) for text in own), [text.text for text in words]
            boxes.append(box)
            texts += check_group(child, box) if child.get("data-path") else own
        elif child.tag == f"{SVG}rect" and child.get("class") == "port":
            boxes.append(box_of(child))
        elif child.tag == f"{SVG}text":
            (shapes if child.get("class") == "shape" else texts).append(text_box(child))
    assert overlapping([*boxes, *shapes]) == 0
    assert frame is None or all(contains(frame, inner) for inner in (*boxes, *shapes))
    for path in element.findall(f"{SVG}path"):
        points = points_of(path.get("d", ""))
        for box in boxes:
            x, y = points.T
            assert not np.any((x > box.left + 0.2) & (x < box.right - 0.2) & (y > box.top + 0.2) & (y < box.bottom - 0.2))
        for shape in shapes:
            crossed = (x > shape.left) & (x < shape.right) & (y > shape.top + 0.2) & (y < shape.bottom - 0.2)
            assert not np.any(crossed)
    return texts + shapes


def check_picture(text: str) -> ET.Element:
    root = ET.fromstring(text)
    assert overlapping(check_group(root, None)) == 0
    _, _, width, height = (float(side) for side in root.get("viewBox", "").split())
    page = Box(0, 0, width, height)
    assert all(contains(page, text_box(text)) for text in root.iter(f"{SVG}text"))
    assert all(contains(page, box_of(rect)) for rect in root.iter(f"{SVG}rect") if rect.get("x"))
    return root


def drawn_edges(root: ET.Element) -> Counter[tuple[str, str]]:
    paths = (path for path in root.iter(f"{SVG}path") if path.get("class") == "edge")
    return Counter((path.get("data-from", ""), path.get("data-to", "")) for path in paths)


def edges_of(found: Outline) -> Counter[tuple[str, str]]:
    prefix = {path: f"{path}/" if path else "" for path, _ in found.parts()}
    wanted = ((path, edge) for path, part in found.parts() for edge in part.edges)
    joined = (tuple(f"{prefix[path]}{end}" for end in (edge.source, edge.target)) for path, edge in wanted)
    return Counter(joined)


@pytest.mark.parametrize("name", ALL)
def test_nothing_overlaps_and_every_edge_is_there(name):
    found = outline_of(name)
    root = check_picture(svg(found, DEEP))
    assert drawn_edges(root) == edges_of(found)
    assert sorted(filter(None, (g.get("data-path") for g in root.iter(f"{SVG}g")))) == sorted(p for p, _ in found.parts() if p)
    check_picture(svg(found))
    check_picture(svg(found, 1))


def test_random_wiring():
    """Graphs in which anything may feed anything: many crossings and long edges."""
    random = np.random.default_rng(0)
    for count in (3, 8, 20):
        names = ["x", *(f"node{i}" for i in range(count))]
        sources = [tuple(dict.fromkeys(names[j] for j in random.integers(0, i + 1, 3))) for i in range(count)]
        nodes = tuple(Node(name, Add(), inputs) for name, inputs in zip(names[1:], sources, strict=True))
        found = outline(Graph(("x",), nodes, (names[-1], names[1])), Spec((1, 4), jnp.float32))
        assert drawn_edges(check_picture(svg(found))) == edges_of(found)


HOSTILE = (
    *("<script>alert(1)<\\script>", "n" * 300, "🙂🚀" * 9, "a&amp;b\"'"),
    *("bell\x07\x00", "\u202etxet", "﷽漢字", "]]>", "{x}%s"),
)


def hostile() -> Outline:
    model = graph_of({name: Dense(4) for name in HOSTILE} | {"sum": (Add(), *HOSTILE)})
    return outline(graph_of({"<b>": model, "last": Dense(2)}), Spec((1, 4), jnp.float32), name='"><script>')


def test_hostile_names():
    drawn = svg(hostile(), DEEP)
    root = check_picture(drawn)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        *("svg", "title", "desc", "style", "defs", "marker", "path", "rect", "text", "g")
    }
    assert "<script" not in drawn and "\x07" not in drawn
    titles = [title.text or "" for title in root.iter(f"{SVG}title")]
    assert any("n" * 300 in title for title in titles) and any("<script>alert(1)" in title for title in titles)
    assert all(len(text.text or "") <= 120 for text in root.iter(f"{SVG}text"))


def test_accessible_and_for_both_kinds_of_screen():
    root = ET.fromstring(svg(outline_of("mlp")))
    assert root.get("role") == "img" and root.get("aria-labelledby") == "title about"
    assert root.findtext(f"{SVG}title") == "mlp" and "dense_0: Dense" in root.findtext(f"{SVG}desc", "")
    assert "prefers-color-scheme: dark" in root.findtext(f"{SVG}style", "")


def test_a_single_layer_and_a_neighbourhood():
    single = svg(outline(Dense(3), Spec((1, 4), jnp.float32)))
    assert drawn_edges(check_picture(single)) == Counter([("/input:0", "model"), ("model", "/output:0")])
    block = outline_of("resnet50").at("layer1/0").around("add", 1)
    edges = drawn_edges(check_picture(svg(block, 1, "layer1/0")))
    assert set(edges) == {
        (f"layer1/0/{a}", f"layer1/0/{b}") for a, b in [("bn3", "add"), ("downsample", "add"), ("add", "relu")]
    }


def test_depth_limits_what_is_open():
    found = outline_of("resnet18")
    paths = [g.get("data-path", "") for g in ET.fromstring(svg(found, 2)).iter(f"{SVG}g")]
    assert "layer1/0" in paths and "layer1/0/conv1" not in paths
    counts = [len(list(ET.fromstring(svg(found, depth)).iter(f"{SVG}g"))) for depth in (1, 2, 3, 4)]
    assert all(a < b for a, b in pairwise(counts))

"""HTML pages: what stands in the file, and what a browser makes of it where there is one."""

from html import unescape
from html.parser import HTMLParser
import json
from pathlib import Path
import re
import shutil
import subprocess

import pytest

from tests.graph.views.drawing.test_picture import HOSTILE, hostile
from tests.support.architectures import ALL, outline_of
from zerfoo_jax.graph.views.drawing import html
from zerfoo_jax.graph.views.drawing.ranks import ends_of

VOID = ("meta", "input")

ASKING = """
<script>
onload = () => {
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const wanted = (body) => body.dataset.routes.split(";").filter(Boolean).length;
  const lines = (body) => body.querySelectorAll(":scope > .wires > path:not(.head)").length;
  const drawn = () => all(".body").filter((body) => body.offsetParent).every((body) => lines(body) === wanted(body));
  const open = () => all(".closed[aria-expanded=true]").length;
  const search = document.getElementById("search");
  const type = (text) => { search.value = text; search.dispatchEvent(new Event("input")); };
  const apart = (a, b) => a.left >= b.right - 1 || b.left >= a.right - 1 || a.top >= b.bottom - 1 || b.top >= a.bottom - 1;
  const overlaps = () => all(".body").some((body) => {
    const cells = Array.from(body.querySelectorAll(":scope > .row > .cell"));
    const boxes = cells.map((cell) => cell.firstElementChild.getBoundingClientRect());
    return boxes.some((a, i) => boxes.slice(0, i).some((b) => !apart(a, b)));
  });
  const said = { groups: all(".closed").length, open: open(), drawn: [drawn()] };
  all("[data-all=open]")[0].click();
  said.all = open(); said.drawn.push(drawn()); said.overlaps = overlaps();
  all("[data-all=close]")[0].click();
  said.none = open(); said.drawn.push(drawn());
  all(".closed")[0].click();
  said.one = open();
  type("CONV2"); said.hits = all(".hit").length; said.seen = all(".hit").every((hit) => hit.offsetParent !== null);
  type(""); said.cleared = all(".hit").length;
  all("[data-path]")[0].focus(); said.details = document.getElementById("details").textContent;
  said.errors = errors;
  const result = document.createElement("pre"); result.id = "result"; result.textContent = JSON.stringify(said);
  document.body.append(result);
};
</script>
"""
CATCHING = "<script>const errors = []; addEventListener('error', (event) => errors.push(event.message));</script>"


class Page(HTMLParser):
    """The elements of a page, checked to be nested well."""

    def __init__(self, text: str):
        super().__init__()
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.elements if name in attributes]


@pytest.mark.parametrize("name", ALL)
def test_every_part_and_every_edge_is_there(name):
    found = outline_of(name)
    text = html(found)
    page = Page(text)
    assert sorted(page.values("data-path")) == sorted(path for path, _ in found.parts() if path)
    routes = [len(list(filter(None, routes.split(";")))) for routes in page.values("data-routes")]
    groups = [part for _, part in found.parts() if part.children]
    assert sorted(routes) == sorted(len(group.edges) for group in groups)
    assert page.values("data-end").count("box") + page.values("data-end").count("join") == sum(len(ends_of(g)) for g in groups)
    assert not re.search(r"https?://|\bsrc=|@import|url\(", text.replace("http://www.w3.org/2000/svg", ""))


def test_hostile_names_stay_words():
    text = html(hostile())
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert any("n" * 300 in path for path in page.values("data-path")) and "\x07" not in text
    assert len(page.values("data-path")) == 1 + len(HOSTILE) + 2


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return found or pytest.skip("no Chromium is installed")


@pytest.mark.parametrize("name", ["resnet18", "hostile"])
def test_in_a_browser(chromium, name, tmp_path: Path):
    found = hostile() if name == "hostile" else outline_of(name)
    page = html(found).replace("<head>", f"<head>{CATCHING}").replace("</body>", f"{ASKING}</body>")
    (tmp_path / "page.html").write_text(page)
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--window-size=1200,800"]
    asked = [chromium, *flags, f"--user-data-dir={tmp_path}/user", "--dump-dom", f"file://{tmp_path}/page.html"]
    dom = subprocess.run(asked, capture_output=True, text=True, timeout=60).stdout
    said = json.loads(unescape(re.findall(r'<pre id="result">(.*)</pre>', dom)[0]))
    groups = [part for path, part in found.parts() if part.children and path]
    assert said["errors"] == [] and said["drawn"] == [True] * 3 and not said["overlaps"]
    assert said["groups"] == said["all"] == len(groups) and said["none"] == 0 and said["one"] == 1
    assert said["hits"] == sum("conv2" in path for path, _ in found.parts()) and said["seen"] and said["cleared"] == 0
    assert f"parameters: {found.children[0].parameters.numbers:,}" in said["details"]

"use strict";
const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
const SVG = "http://www.w3.org/2000/svg";

function expand(button, open) {
  button.setAttribute("aria-expanded", open);
  button.parentElement.classList.toggle("open", open);
  button.nextElementSibling.hidden = !open;
}

function add(svg, path, kind) {
  const element = document.createElementNS(SVG, "path");
  element.setAttribute("d", path);
  if (kind) element.setAttribute("class", kind);
  svg.append(element);
}

function middle(rectangle, origin) {
  return rectangle.left + rectangle.width / 2 - origin.left;
}

// An edge leaves its box downwards, passes rows straight down at its bends and curves between rows, as in the SVG.
function draw(body) {
  const svg = body.firstElementChild, origin = body.getBoundingClientRect();
  const ends = all(":scope > .row > [data-end]", body);
  const shape = (i) => (ends[i].firstElementChild || ends[i]).getBoundingClientRect();
  const band = (i) => ends[i].parentElement.getBoundingClientRect();
  const arrivals = {};
  const routes = body.dataset.routes.split(";").filter(Boolean).map((route) => route.split(" ").map(Number));
  for (const route of routes) (arrivals[route[route.length - 1]] ||= []).push(route);
  const from = (route) => middle(shape(route[route.length - 2]), origin);
  for (const edges of Object.values(arrivals)) edges.sort((a, b) => from(a) - from(b));
  svg.replaceChildren();
  for (const route of routes) {
    const source = route[0], target = route[route.length - 1], others = arrivals[target], to = shape(target);
    const round = ends[target].dataset.end === "join";
    const straight = others.filter((other) => Math.abs(from(other) - middle(to, origin)) < 1);
    const centre = straight.length === 1 ? others.indexOf(straight[0]) : (others.length - 1) / 2;
    const step = round ? 0 : Math.min(18, (0.35 * to.width) / Math.max(centre, others.length - 1 - centre, 1));
    const end = middle(to, origin) + (others.indexOf(route) - centre) * step;
    let x = middle(shape(source), origin), y = band(source).bottom - origin.top;
    let path = `M${x} ${shape(source).bottom - origin.top}V${y}`;
    const curve = (toX, toY) => {
      path += Math.abs(toX - x) < 0.5 ? `L${toX} ${toY}` : `C${x} ${(y + toY) / 2} ${toX} ${(y + toY) / 2} ${toX} ${toY}`;
    };
    for (const bend of route.slice(1, -1)) {
      curve(middle(shape(bend), origin), band(bend).top - origin.top);
      x = middle(shape(bend), origin);
      y = band(bend).bottom - origin.top;
      path += `V${y}`;
    }
    curve(end, band(target).top - origin.top);
    const top = to.top - origin.top;
    add(svg, `${path}V${top}`);
    if (to.width > 8) add(svg, `M${end - 4} ${top - 7}h8l-4 7z`, "head");
  }
}

function redraw() {
  for (const body of all(".body")) if (body.offsetParent) draw(body);
}

function show(element) {
  for (let group = element.closest(".body"); group; group = group.parentElement.closest(".body")) {
    const button = group.previousElementSibling;
    if (button && button.matches(".closed")) expand(button, true);
  }
}

const search = document.getElementById("search"), found = document.getElementById("found");
let hits = [], current = -1;

function find() {
  const wanted = search.value.trim().toLowerCase();
  for (const hit of hits) hit.classList.remove("hit");
  hits = wanted ? all("[data-path]").filter((box) => box.dataset.path.toLowerCase().includes(wanted)) : [];
  for (const hit of hits) { hit.classList.add("hit"); show(hit); }
  current = -1;
  found.textContent = wanted ? `${hits.length} found` : "";
  redraw();
}

function next() {
  if (!hits.length) return;
  current = (current + 1) % hits.length;
  found.textContent = `${current + 1} of ${hits.length}`;
  hits[current].scrollIntoView({ block: "center", inline: "center" });
  tell(hits[current]);
}

const details = document.getElementById("details");
function tell(element) {
  const box = element.closest("[data-path]");
  if (box) details.textContent = box.dataset.details;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.matches(".closed")) expand(button, button.getAttribute("aria-expanded") !== "true");
  if (button.dataset.all) for (const one of all(".closed")) expand(one, button.dataset.all === "open");
  redraw();
});
document.addEventListener("mouseover", (event) => tell(event.target));
document.addEventListener("focusin", (event) => tell(event.target));
search.addEventListener("input", find);
search.addEventListener("keydown", (event) => { if (event.key === "Enter") next(); });
new ResizeObserver(redraw).observe(document.querySelector("main"));
redraw();

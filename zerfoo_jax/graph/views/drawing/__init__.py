"""Models as pictures, for a page or for a browser."""

from zerfoo_jax.graph.views.drawing.page import html as html
from zerfoo_jax.graph.views.drawing.picture import svg as svg

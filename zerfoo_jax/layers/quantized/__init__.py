"""Layers run on codes: what a quantised kernel is, its products, and the layer that holds a model of them."""

"""Layers that move numbers and compute nothing."""

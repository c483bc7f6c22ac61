"""Convolutions of any number of axes, and the windows they slide."""

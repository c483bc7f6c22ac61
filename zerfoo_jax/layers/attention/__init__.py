"""Attention, what tells it of positions and masks, and transformer blocks."""

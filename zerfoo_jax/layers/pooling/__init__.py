"""Pooling: windows, given output sizes, whole axes."""

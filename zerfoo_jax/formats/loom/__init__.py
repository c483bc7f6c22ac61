"""LOOM's files: the JSON bundles of its first generation, the wire JSON and the `.entity` files of its second.

Where LOOM computes something else than it says, reading follows what it says; `compatibility="loom"` follows what it does.
"""

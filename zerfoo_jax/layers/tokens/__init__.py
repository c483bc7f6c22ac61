"""Embeddings of tokens, and scores over a vocabulary."""

"""Recurrent layers and the loop they share."""

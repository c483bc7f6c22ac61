"""Searching for an architecture: many ordinary runs in one folder, each with a genome that the scores before it suggest."""

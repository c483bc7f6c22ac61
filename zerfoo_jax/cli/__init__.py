"""The command line. Adding a verb: its file, and a line in `main.VERBS`. Heavy libraries are imported inside the verbs."""

"""How a run can end, as exit codes."""

DONE = 0
FAILED = 1
CONFIG = 2
DIVERGED = 3
PREEMPTED = 75
"""Stopped by SIGTERM after saving (EX_TEMPFAIL): queue the same command again."""
INTERRUPTED = 130
"""Stopped by Ctrl-C after saving."""

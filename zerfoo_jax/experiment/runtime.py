"""Settings of the process that JAX reads: made once, by the command line and by `zerfoo_jax.train`, never on import."""

import logging
import os
from pathlib import Path

import jax

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """`$ZERFOO_CACHE`, else `$XDG_CACHE_HOME/zerfoo`, else `~/.cache/zerfoo`."""
    if os.environ.get("ZERFOO_CACHE"):
        return Path(os.environ["ZERFOO_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zerfoo"


def enable_compilation_cache() -> None:
    """Keeps compiled programs on disk, so that the second start of a run compiles nothing.

    A cache the user has set up (`JAX_COMPILATION_CACHE_DIR`) stays. The folder is private: who can write to it can run code.
    Where it cannot be made there is no cache, and a warning.
    """
    if jax.config.values.get("jax_compilation_cache_dir"):
        return
    folder = cache_folder() / "xla"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        logger.warning("no cache of compiled programs: cannot make %s: %s", folder, error.strerror)
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

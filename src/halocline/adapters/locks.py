"""Ask whether another process holds a folder by the lock file in it."""

import fcntl
import os
from pathlib import Path


def is_locked(file: Path) -> bool:
    """Whether some process holds a lock on that file now; False where we cannot open it."""
    try:
        lock = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False

"""Python without the modules that only POSIX has: with this folder in PYTHONPATH.

Importing one of them raises ModuleNotFoundError, as on Windows.
"""

import sys

for name in ("fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None  # type: ignore[assignment]

"""Where the commands print: as wide as the terminal, and without one so wide that no cell is folded or cut."""

import os

from rich.console import Console

UNLIMITED = 100_000
"""Characters of a line that goes into a file or a pipe; tables take what they need of it."""


def console(*, stderr: bool = False) -> Console:
    """A console on standard output or standard error; COLUMNS sets its width where somebody asks for one."""
    made = Console(stderr=stderr)
    if not made.file.isatty() and not os.environ.get("COLUMNS", "").isdigit():
        made.width = UNLIMITED
    return made

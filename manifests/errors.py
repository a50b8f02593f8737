"""The root of every error that is the user's to put right, and how a command ends with one."""

import sys
from collections.abc import Callable


class UserError(ValueError):
    """A setting, a list, a folder or a file that cannot be used.

    Its text is one sentence: the thing, the value found, the value allowed. A command prints it without a traceback and
    ends with the exit code 2; `run_command` is the one place that does.
    """


USER_MISTAKE = 2
"""Exit code of a command that ended with a UserError."""


def run_command(command: Callable[[], object]) -> None:
    """Run a command line; a UserError becomes one sentence on standard error and exit code 2."""
    try:
        command()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(USER_MISTAKE)

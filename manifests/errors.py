"""The root of every error that is the user's to put right, and how a command ends with one."""

import sys
import traceback
from collections.abc import Callable


class UserError(ValueError):
    """A setting, a list, a folder or a file that cannot be used.

    Its text is one sentence: the thing, the value found, the value allowed. A command prints it without a traceback and
    ends with the exit code 2; `run_command` is the one place that does.
    """


USER_MISTAKE, OUR_FAULT = 2, 70
"""Exit codes of a command that ended with a UserError, and with any other error (EX_SOFTWARE of sysexits.h)."""


def run_command(command: Callable[[], object], *, program: str = "") -> None:
    """Run a command line; a UserError becomes one sentence on standard error and exit code 2.

    Any other error keeps its traceback, under an exit code that stands for nothing else. program: named before the
    sentence where it is given.
    """
    try:
        command()
    except UserError as error:
        print(f"{program}: {error}" if program else error, file=sys.stderr)
        sys.exit(USER_MISTAKE)
    except Exception:  # noqa: BLE001 - Python's own exit code of a traceback, 1, means that nothing was kept
        traceback.print_exc()
        sys.exit(OUR_FAULT)

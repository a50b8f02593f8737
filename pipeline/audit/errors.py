"""What the audit commands refuse, apart from their code, so that no command waits for libraries it does not use."""

from manifests.errors import UserError


class LookError(UserError):
    """A folder that is no dataset, or a clip that is not in it."""


class DatasetError(UserError):
    """A folder that is no dataset, or one whose tables contradict each other."""

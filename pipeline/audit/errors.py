"""What the audit commands refuse, apart from their code, so that no command waits for libraries it does not use."""


class LookError(ValueError):
    """A folder that is no dataset, or a clip that is not in it."""

"""What is wrong with a source list, in one sentence."""

from manifests.errors import UserError


class SourceListError(UserError):
    """A source list that cannot be read; one sentence: file, place, value found, value allowed."""


class SourcesUnreachable(SourceListError):
    """What holds the list or the folder does not answer, so what is in it is not known: an outage, no mistake."""

"""The sources of a run, in the order of its list."""

import itertools
from collections.abc import Iterator

from pipeline.config import Run
from pipeline.sources.counts import Counts
from pipeline.sources.lists import read_sources
from pipeline.sources.locators import Located


def sources_of(run: Run, counts: Counts | None = None) -> Iterator[Located]:
    """The sources of a run; a trial run's end at its limit."""
    return itertools.islice(read_sources(run.sources, counts=counts), run.limit)

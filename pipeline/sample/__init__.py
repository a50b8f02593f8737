"""The built-in sample: made-up speakers, filmed and faulted here, with the truth beside them."""

from pipeline.sample.write import VERSION, make_sample

__all__ = ["VERSION", "make_sample"]

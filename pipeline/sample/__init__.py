"""The built-in sample: synthetic speakers, rendered here with and without faults, with their ground truth."""

from pipeline.sample.write import VERSION, make_sample

__all__ = ["VERSION", "make_sample"]

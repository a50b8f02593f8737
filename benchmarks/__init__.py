"""Figures that are printed, not claimed: `make bench`."""

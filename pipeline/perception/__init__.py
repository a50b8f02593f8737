"""Detectors and networks as functions on arrays, several backends of each kind behind one narrow interface."""

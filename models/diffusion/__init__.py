"""Noise schedules, what a network predicts, guidance and samplers, as functions that know no system."""

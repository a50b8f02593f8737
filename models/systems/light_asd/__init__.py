"""Liao et al. 2023, A Light Weight Model for Active Speaker Detection: whether a face speaks
a voice, frame by frame."""

from models.systems.light_asd.configs import paper, tiny

__all__ = ["paper", "tiny"]

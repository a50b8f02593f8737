"""Chung & Zisserman 2016, Out of time: automated lip sync in the wild: five faces and a fifth of a second of sound to
points that are near each other where they belong together."""

from models.systems.syncnet.configs import paper, tiny

__all__ = ["paper", "tiny"]

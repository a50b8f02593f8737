"""Yang et al. 2025, Democratizing High-Fidelity Co-Speech Gesture Video Generation: a voice and one skeleton to
a moving skeleton."""

from models.systems.csg405.configs import paper, released, small, tiny
from models.systems.csg405.model import SkeletonTransformer
from models.systems.csg405.published import PublishedTransformer

__all__ = ["PublishedTransformer", "SkeletonTransformer", "paper", "released", "small", "tiny"]

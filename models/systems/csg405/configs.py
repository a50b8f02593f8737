"""The sizes of the system, from seconds on a laptop to the published numbers."""

from models.systems.csg405.model import SkeletonTransformer
from models.systems.csg405.published import PublishedTransformer


def tiny(size: int, audio: int) -> SkeletonTransformer:
    """Trains on a CPU in minutes."""
    return SkeletonTransformer(size, audio, width=128, depth=4, heads=4, hidden=512)


def small(size: int, audio: int) -> SkeletonTransformer:
    """DiT-S: 12 layers of 384 (Peebles & Xie 2023)."""
    return SkeletonTransformer(size, audio, width=384, depth=12, heads=6, hidden=1536)


def paper(size: int = 266, audio: int = 768) -> SkeletonTransformer:
    """The paper's method at the released code's size, since the paper states none: 16 layers of 1024."""
    return SkeletonTransformer(size, audio, width=1024, depth=16, heads=16, hidden=4096)


def released() -> PublishedTransformer:
    """The released network, 217.5 M parameters."""
    return PublishedTransformer()

"""Split: train, val or test by a salted hash of the identity's frozen name, so that no speaker is on two sides."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from manifests.record import SplitName


@dataclass(frozen=True, slots=True)
class Splitting:
    """Shares of identities, not of clips. salt: another salt is another split; val, test: shares, 0 to 1."""

    name: ClassVar = "split"
    version: ClassVar = 1

    salt: str = "cospeech"
    val: float = 0.05
    test: float = 0.05

    def side(self, group: str) -> SplitName:
        """Which side an identity is on; the same on any machine, whoever else is in the set."""
        place = int.from_bytes(hashlib.sha256(f"{self.salt}:{group}".encode()).digest()[:8]) / 2**64
        if place < self.test:
            return "test"
        return "val" if place < self.test + self.val else "train"

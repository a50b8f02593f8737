"""Tells the frames that a decoder made whole from those that it could not, and from those built on them.

A damaged frame is flagged by the decoder. What is predicted from it carries the damage on without a flag, up to the
next key frame, and so do the B frames shown just before it (`python -m research.damage` says how many, how badly).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from av.video.frame import PictureType, VideoFrame

from pipeline.media.probe import time_of

REORDER = 16
"""B frames in a row, at most, that wait to hear of the frame after them: as many as H.264 and HEVC can reorder."""
SUSPECT = 300
"""Frames that damage may reach, at most: files with rarer key frames renew their blocks one after the other."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A packet that does not decode. time: its timestamp; None where frames are identified by their order."""

    time: int | None


@dataclass(slots=True)
class Intact:
    """Looks at what leaves a decoder, in the order in which it is shown.

    begun: whether it began at the file's start. After a seek, what fails before the first whole frame was built on what
    lies before it, and says nothing about the frames after it. reorders: whether frames may be built on later ones.
    """

    begun: bool
    reorders: bool
    suspect: int = 0  # frames that may still be damaged, if no key frame comes
    waiting: list[VideoFrame] = field(default_factory=list[VideoFrame])
    lost: list[int] = field(default_factory=list[int])

    def of(self, frames: Iterable[VideoFrame | Lost]) -> Iterator[VideoFrame | None]:
        """Each frame that is whole, and None for each other; a `Lost` with a time is left out."""
        for frame in frames:
            yield from self._lose(frame) if isinstance(frame, Lost) else self._see(frame)
        yield from self.waiting

    def _lose(self, packet: Lost) -> Iterator[None]:
        if packet.time is None:
            yield from self._break(damages=self.begun)
            yield None
        else:
            self.lost.append(packet.time)

    def _see(self, frame: VideoFrame) -> Iterator[VideoFrame | None]:
        if self._has_lost(frame) or frame.is_corrupt:
            yield from self._break(damages=self.begun or frame.key_frame)
        self.suspect = 0 if frame.key_frame and not frame.is_corrupt else max(0, self.suspect - 1)
        if frame.is_corrupt or self.suspect:
            yield None
            return
        self.begun = True
        self.waiting.append(frame)
        waits = self.reorders and frame.pict_type == PictureType.B
        while self.waiting and (not waits or len(self.waiting) > REORDER):
            yield self.waiting.pop(0)

    def _break(self, *, damages: bool) -> Iterator[None]:
        """Give up the frames that may be built on the one that failed."""
        self.suspect = SUSPECT if damages else self.suspect
        yield from (None for _ in self.waiting)
        self.waiting.clear()

    def _has_lost(self, frame: VideoFrame) -> bool:
        """Whether a packet failed whose picture would have been shown before this one, since the last frame."""
        time = time_of(frame)
        passed = [lost for lost in self.lost if time is not None and lost <= time]
        self.lost = [lost for lost in self.lost if lost not in passed]
        return bool(passed)

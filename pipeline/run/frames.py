"""The frames of one candidate: one owner of its decode, from which pose takes pictures and sync takes faces."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.geometry import SAMPLES_PER_FRAME, centre
from manifests.record import Box, Clip, FaceSample, Source, Why
from pipeline.media.audio import AudioRange, read_sound
from pipeline.media.decode import Count, DecodeError, Picture
from pipeline.media.decode import span as decode
from pipeline.perception.faces import face_at
from pipeline.stage import need
from pipeline.store import Store
from pipeline.verdict import Refusal


@dataclass(slots=True)
class SpanFrames:
    """Decodes a span when it is iterated over, and keeps the face crops of the first pass for sync.

    face_size: pixels of the square face crops, or None where the sync backend wants none; face_margin: of the face
    box's height, on each side. Memory: face_size² · 3 bytes per frame, at most 15 s of them.
    """

    source: Source
    clip: Clip
    store: Store
    face_size: int | None = None
    face_margin: float = 0.0
    count: Count = field(default_factory=Count)
    _faces: NDArray[np.uint8] | None = None

    def __iter__(self) -> Iterator[tuple[int, Picture]]:
        media, fetched = need(self.source.media, "media"), need(self.source.fetched, "fetched")
        timeline = self.store.read_timeline(media)
        span, faces = self.clip.span, []
        try:
            for frame, picture in decode(
                Path(fetched.path),
                media,
                timeline,
                start=span.start,
                stop=span.stop,
                count=self.count,
            ):
                if self.face_size and self._faces is None:
                    box = face_square(self.clip.person.path, frame, margin=self.face_margin)
                    faces.append(picture.cut(box, (self.face_size, self.face_size)))
                yield frame, picture
        except DecodeError as error:
            raise Refusal(Why.UNDECODABLE, str(error)) from error
        if faces:
            self._faces = np.stack(faces)

    def faces(self) -> NDArray[np.uint8] | None:
        """Face crops (F, size, size, 3) RGB, from the pass that was made anyway or else from one of their own."""
        if self.face_size and self._faces is None:
            for _ in self:
                pass
        return self._faces

    def margin(self, wanted: int) -> int:
        """The wanted frames of sound on each side of the span, or as many as there are on the shorter one."""
        first, last = self._covered()
        return max(0, min(wanted, self.clip.span.start - first, last - self.clip.span.stop))

    def has_sound(self, *, shift: int) -> bool:
        """Whether there is sound for the whole span moved by `shift` frames."""
        first, last = self._covered()
        return first <= self.clip.span.start + shift and self.clip.span.stop + shift <= last

    def sound(self, *, margin: int = 0, shift: int = 0) -> NDArray[np.int16]:
        """16 kHz mono of the span moved by `shift` frames and widened by `margin` frames on each side.

        Refuses a window that the sound does not cover: silence is never padded in.
        """
        speech = need(self.source.speech, "speech")
        start, stop = self.clip.span.start - margin + shift, self.clip.span.stop + margin + shift
        first, last = self._covered()
        if start < first or stop > last:
            raise Refusal(
                Why.NO_AUDIO, f"sound covers frames [{first}, {last}), needed [{start}, {stop})"
            )
        track = np.load(self.store.verified_path(speech.sound), mmap_mode="r", allow_pickle=False)
        begin, end = (frame * SAMPLES_PER_FRAME - speech.sound_start for frame in (start, stop))
        return np.array(track[begin:end])

    def full_sound(self, *, sample_rate: int, shift: int = 0) -> NDArray[np.int16]:
        """(samples, channels) of the span in the source's own channels, at most two, at another sample rate."""
        media, fetched = need(self.source.media, "media"), need(self.source.fetched, "fetched")
        span = self.clip.span
        try:
            return read_sound(
                Path(fetched.path),
                media,
                start=span.start + shift,
                stop=span.stop + shift,
                sample_rate=sample_rate,
            )
        except AudioRange as error:
            raise Refusal(Why.NO_AUDIO, str(error)) from error

    def _covered(self) -> tuple[int, int]:
        """Grid frames [first, last) that the decoded track covers whole."""
        speech = need(self.source.speech, "speech")
        end = speech.sound_start + speech.sound_samples
        return -(-speech.sound_start // SAMPLES_PER_FRAME), end // SAMPLES_PER_FRAME


def face_square(path: tuple[FaceSample, ...], frame: int, *, margin: float) -> Box:
    """The square around a face at one frame, between two looks; side: the height grown by the margin."""
    face = face_at(path, frame)
    (mid_x, mid_y), height = centre(face), face[3]
    side = float(round(height * (1.0 + 2.0 * margin)))
    return float(round(mid_x - side / 2.0)), float(round(mid_y - side / 2.0)), side, side

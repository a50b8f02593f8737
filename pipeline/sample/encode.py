"""Frames and sound to MP4 bytes: H.264 and AAC, single-threaded and bit-exact."""

import io
from collections.abc import Iterable
from fractions import Fraction

import av
import cv2
import numpy as np
from av.codec.context import Flags

from pipeline.sample.portrait import Image
from pipeline.sample.voice import Samples

X264 = {"preset": "ultrafast", "crf": "25", "bf": "0", "threads": "1", "x264-params": "threads=1"}
AUDIO_CHUNK = 1024
BIT_EXACT = {"fflags": "+bitexact"}


def encode_video(frames: Iterable[Image], *, fps: Fraction, size: tuple[int, int]) -> bytes:
    """A silent MP4. frames: (height, width, 3) RGB; size: (width, height), both even."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4", options=BIT_EXACT) as container:
        stream = container.add_stream("libx264", rate=fps, options=X264)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= Flags.bitexact
        stream.codec_context.time_base = 1 / fps
        for number, pixels in enumerate(frames):
            planes = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420), np.uint8)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, 1 / fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def join(
    video: bytes, sound: Samples | None, *, sample_rate: int, seconds: float | None = None
) -> bytes:
    """Put sound beside an encoded picture without encoding the picture again.

    sound: (samples,) float32 mono at `sample_rate` hertz, or None for no sound stream at all;
    seconds: leave out pictures that start at or after this time.
    """
    target = io.BytesIO()
    with (
        av.open(io.BytesIO(video), "r") as source,
        av.open(target, "w", format="mp4", options=BIT_EXACT) as container,
    ):
        pictures = source.streams.video[0]
        video_out = container.add_stream_from_template(pictures)
        audio_out = None
        if sound is not None:
            audio_out = container.add_stream("aac", rate=sample_rate, layout="mono")
            audio_out.bit_rate = 64_000
            audio_out.codec_context.flags |= Flags.bitexact
        for packet in source.demux(pictures):
            if packet.pts is None:
                continue
            if seconds is not None and packet.pts * packet.time_base >= seconds:
                break
            packet.stream = video_out
            container.mux(packet)
        if audio_out is not None and sound is not None:
            for frame in _sound_frames(sound, sample_rate):
                container.mux(audio_out.encode(frame))
            container.mux(audio_out.encode(None))
    return target.getvalue()


def _sound_frames(sound: Samples, sample_rate: int) -> Iterable[av.AudioFrame]:
    for start in range(0, len(sound), AUDIO_CHUNK):
        chunk = np.ascontiguousarray(sound[None, start : start + AUDIO_CHUNK])
        frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="mono")
        # Without a time stamp the muxer writes no edit list and the encoder's priming shifts
        # the sound by 1024 samples.
        frame.rate, frame.pts, frame.time_base = sample_rate, start, Fraction(1, sample_rate)
        yield frame

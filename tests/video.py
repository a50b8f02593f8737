"""Small real videos, made by the tests."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def make_video(path: Path, *, seed: int = 0, frames: int = 25, noise: int = 60) -> Path:
    """A second of a noisy picture with a tone, H.264 and AAC in MP4; more noise, more bytes."""
    random = np.random.default_rng(seed)
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        video.codec_context.thread_count = 1
        audio = container.add_stream("aac", rate=16000, layout="mono")
        for _ in range(frames):
            picture = random.integers(128 - noise, 128 + noise, (240, 320, 3)).astype(np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        tone = np.sin(np.arange(16000 * frames // 25) * 0.1, dtype=np.float32)[None]
        sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = 16000, 0, Fraction(1, 16000)
        container.mux([*audio.encode(sound), *audio.encode(None), *video.encode(None)])
    return path

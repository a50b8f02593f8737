"""Small real videos with sound, made once: as many as a set of nine clips needs, and one file that is no video."""

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = 64  # pixels
RATE = 25
SOUND_RATE = 16_000
SECONDS = {"ada": 4, "bo": 5, "cy": 4, "dee": 6, "eve": 5}
BROKEN = "noise.mp4"
NAMED = "bo"  # of whom one voice is kept: of two the name would go to the one that is kept first
REAL_SOURCES = ("ada.mp4", "short.mp4", "not-media.mp4")
SHARE, LIST = "share", "list.csv"


def make_sources(folder: Path) -> Path:
    """Write the videos into a share, and a list of them beside it; returns the list."""
    share = folder / SHARE
    share.mkdir(parents=True, exist_ok=True)
    for number, (name, seconds) in enumerate(SECONDS.items()):
        write_video(share / f"{name}.mp4", seconds=seconds, seed=number)
    (share / BROKEN).write_bytes(np.random.default_rng(99).bytes(50_000))
    rows = [f"{SHARE}/{name}.mp4,{name.title() if name == NAMED else ''}" for name in SECONDS]
    listed = folder / LIST
    listed.write_text("\n".join(["file,speaker", *rows, f"{SHARE}/{BROKEN},"]) + "\n")
    return listed


def make_real_sources(folder: Path) -> Path:
    """Three sources of the built-in sample: a good one, a short one, and one that is no media; returns their list."""
    from pipeline.sample import make_sample

    listed = make_sample(folder.with_name("sample"))
    (folder / SHARE).mkdir(parents=True)
    header, *rows = listed.read_text().splitlines()
    chosen = [row for row in rows if row.split(",")[0] in REAL_SOURCES]
    for name in REAL_SOURCES:
        shutil.copy(listed.with_name(name), folder / SHARE / name)
    (folder / LIST).write_text("\n".join([header, *(f"{SHARE}/{row}" for row in chosen)]) + "\n")
    return folder / LIST


def write_video(file: Path, *, seconds: int, seed: int) -> None:
    """A moving gradient under a hum."""
    with av.open(str(file), "w") as container:
        video = container.add_stream("mpeg4", rate=RATE)
        video.width = video.height = SIZE
        video.pix_fmt, video.codec_context.bit_rate = "yuv420p", 200_000
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for index in range(seconds * RATE):
            frame = av.VideoFrame.from_ndarray(picture(index, seed), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(video.encode(frame))
        for start in range(0, seconds * SOUND_RATE, 1024):
            times = np.arange(start, start + 1024) / SOUND_RATE
            wave = (0.3 * np.sin(2.0 * np.pi * (200 + 40 * seed) * times)).astype(np.float32)
            block = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            block.pts, block.sample_rate, block.time_base = (
                start,
                SOUND_RATE,
                Fraction(1, SOUND_RATE),
            )
            container.mux(sound.encode(block))
        container.mux(video.encode())
        container.mux(sound.encode())


def picture(index: int, seed: int) -> np.ndarray:
    """One RGB picture."""
    across = (np.arange(SIZE) * 4 + 3 * index + 50 * seed) % 256
    grey = np.add.outer(across, np.arange(SIZE)) % 256
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)

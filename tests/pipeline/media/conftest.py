"""Small real media made with the bundled ffmpeg."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Run ffmpeg on arguments and a file name in the test's folder."""

    def run(name: str, *arguments: str | Path) -> Path:
        out = tmp_path / name
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y"]
        subprocess.run([*command, *map(str, arguments), str(out)], check=True)
        return out

    return run


@pytest.fixture
def moving() -> Callable[..., list[str]]:
    """Arguments for a test picture in which every frame differs, and a tone."""

    def arguments(*, rate: str = "25", seconds: float = 2.0, size: str = "160x120") -> list[str]:
        picture = f"testsrc2=size={size}:rate={rate}:duration={seconds}"
        tone = f"sine=frequency=440:duration={seconds}"
        return ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone]

    return arguments

"""What the flow costs before it does anything: no library of video, sound, networks or clusters is loaded for it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "av", "cv2", "dask", "distributed", "fsspec", "librosa", "matplotlib", "mediapipe", "onnxruntime", "pandas",
    "pyarrow", "requests", "resemblyzer", "scenedetect", "scipy", "silero_vad", "skimage", "soundfile", "soxr", "torch",
    "yt_dlp",
)  # fmt: skip
LOADED = f"import json, sys; print(json.dumps(sorted(set({HEAVY!r}) & set(sys.modules))))"
FLOW = """
from pipeline import flow
from pipeline.config import Run
from pipeline.stage import fingerprint
made = flow.build(Run())
assert len({fingerprint(stage) for stage in made.stages}) == len(made.stages)
"""
EVERY_BACKEND = """
from pipeline.perception import pose, shots, speech, sync
for backends in (pose.BACKENDS, shots.BACKENDS, speech.BACKENDS, sync.BACKENDS):
    for make in backends.values():
        backend = make()
        assert isinstance(backend.version, str)
        backend.weights
        backend.missing()
"""
TABLES = """
from manifests import tables
assert tables.CLIPS.names
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(FLOW, id="the flow and the fingerprint of every stage"),
        pytest.param(EVERY_BACKEND, id="version, weights and lack of every backend"),
        pytest.param("import pipeline.__main__", id="the command"),
        pytest.param(TABLES, id="the columns of the manifests"),
    ],
)
def test_nothing_heavy_is_loaded_for(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}\n{LOADED}"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == []

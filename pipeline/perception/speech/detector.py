"""Where anybody speaks: silero-vad's network, run in whole blocks through ONNX Runtime."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from pipeline.perception.speech.interface import SAMPLE_RATE, Stretch

MODEL = "data/silero_vad_16k_sequence.onnx"
"""Inside the silero-vad wheel (from 6.2): the same network as `silero_vad.onnx`, a block of frames
per call, five times as fast and equal to the last bit."""

Detect = Callable[[Float32[np.ndarray, " samples"]], tuple[Stretch, ...]]


def model_path() -> Path | None:
    """The network's file in the installed wheel, or None."""
    spec = importlib.util.find_spec("silero_vad")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / MODEL
    return path if path.is_file() else None


def load_detector(path: Path, threshold: float) -> Detect:
    """The detector in memory, one thread.

    It maps samples between -1 and 1 to voiced stretches. Hysteresis and padding are silero's
    documented defaults: speech starts at `threshold`, ends 0.15 below it for 100 ms, lasts at least
    250 ms and is padded by 30 ms.
    """
    from silero_vad import get_speech_timestamps_from_probs
    from silero_vad.sequence_vad import SileroVADSequence

    network = SileroVADSequence(str(path), sampling_rate=SAMPLE_RATE)

    def detect(samples: Float32[np.ndarray, " samples"]) -> tuple[Stretch, ...]:
        found = get_speech_timestamps_from_probs(
            network.audio_forward(samples).tolist(),
            sampling_rate=SAMPLE_RATE,
            threshold=threshold,
            audio_length_samples=len(samples),
        )
        return tuple((part["start"] / SAMPLE_RATE, part["end"] / SAMPLE_RATE) for part in found)

    return detect

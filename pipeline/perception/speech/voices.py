"""Speaker embeddings: resemblyzer's encoder and its mel spectrogram, without its audio stack.

The encoder is the LSTM of Wan et al. 2018 (arXiv:1710.10467, section 2), trained on LibriSpeech and
VoxCeleb, whose weights lie in the resemblyzer wheel. Neither librosa nor webrtcvad is imported.
"""

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from pipeline.perception.speech.interface import SAMPLE_RATE

HOP = 160
"""Samples between two mel frames, 10 ms."""
FRAMES = 160
"""Mel frames of one window, 1.6 s: the length on which the encoder was trained."""
SIZE = 256
LEVEL_DB = -30.0
"""Full-scale decibels to which quiet speech is raised; the encoder was trained so, and its mel is
not logarithmic."""
_WINDOW = 400
_BANDS = 40
_BLOCK = 6_000
"""Mel frames computed at once, one minute: bounds the memory."""
BATCH = 32
"""Windows per call of the network; more are no faster on one thread."""

Encode = Callable[[Float32[np.ndarray, "n 160 40"]], Float32[np.ndarray, "n 256"]]


def model_path() -> Path | None:
    """The encoder's weights in the installed wheel, or None. Does not import resemblyzer."""
    spec = importlib.util.find_spec("resemblyzer")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "pretrained.pt"
    return path if path.is_file() else None


def load_encoder(path: Path) -> Encode:
    """The encoder in memory, on one thread: mel windows to unit vectors, all of whose entries are
    >= 0.

    Raises RuntimeError where the file does not hold this network.
    """
    import torch

    torch.set_num_threads(1)
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    lstm = torch.nn.LSTM(_BANDS, SIZE, num_layers=3, batch_first=True)
    linear = torch.nn.Linear(SIZE, SIZE)
    lstm.load_state_dict({k[5:]: v for k, v in state.items() if k.startswith("lstm.")})
    linear.load_state_dict({k[7:]: v for k, v in state.items() if k.startswith("linear.")})

    def encode(mels: Float32[np.ndarray, "n 160 40"]) -> Float32[np.ndarray, "n 256"]:
        vectors = [np.zeros((0, SIZE), np.float32)]
        with torch.inference_mode():
            for first in range(0, len(mels), BATCH):
                batch = torch.from_numpy(np.ascontiguousarray(mels[first : first + BATCH]))
                _, (hidden, _) = lstm(batch)
                vectors.append(torch.relu(linear(hidden[-1])).numpy())
        return unit(np.concatenate(vectors))

    return encode


def unit(vectors: Float32[np.ndarray, "*n D"]) -> Float32[np.ndarray, "*n D"]:
    """Vectors brought to length one; a zero vector stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0.0)


def gain(speech: Float32[np.ndarray, " samples"]) -> float:
    """The factor that raises speech to `LEVEL_DB`; 1 where it is louder already, or silent."""
    total = float(np.einsum("n,n->", speech, speech, dtype=np.float64))  # without a wide copy
    power = total / max(1, len(speech))
    return max(1.0, 10.0 ** (LEVEL_DB / 20.0) / np.sqrt(power)) if power > 0.0 else 1.0


def mel(samples: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, "frames 40"]:
    """Power mel spectrogram: 25 ms Hann windows every 10 ms, 40 Slaney bands to 8 kHz, frame i
    centred on sample 160 i.

    samples: 16 kHz, between -1 and 1. Equal, up to rounding, to resemblyzer's
    `wav_to_mel_spectrogram`.
    """
    padded = np.pad(samples, _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP]
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    blocks = [np.zeros((0, _BANDS), np.float32)]
    for first in range(0, len(frames), _BLOCK):
        spectrum = np.fft.rfft(frames[first : first + _BLOCK] * window, axis=1)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        blocks.append((power @ _bank().T).astype(np.float32))
    return np.concatenate(blocks)


@cache
def _bank() -> Float32[np.ndarray, "40 201"]:
    """Triangles on Slaney's mel scale, linear to 1 kHz and logarithmic above, each of unit area
    (Slaney 1998, Auditory Toolbox)."""
    step = np.log(6.4) / 27.0
    top = 15.0 + np.log(SAMPLE_RATE / 2_000.0) / step
    mels = np.linspace(0.0, top, _BANDS + 2)
    edges = np.where(mels < 15.0, mels * 200.0 / 3.0, 1_000.0 * np.exp(step * (mels - 15.0)))
    hertz = np.fft.rfftfreq(_WINDOW, 1.0 / SAMPLE_RATE)
    rise = (hertz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hertz) / np.diff(edges)[1:, None]
    area = 2.0 / (edges[2:] - edges[:-2])
    return (np.maximum(0.0, np.minimum(rise, fall)) * area[:, None]).astype(np.float32)

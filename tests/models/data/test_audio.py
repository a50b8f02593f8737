"""Encoders of the voice: one vector per frame, the embedded one and tiny random ones of transformers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from models.data import audio
from models.data.audio import Encoder, EncoderError, LogMel, SpeechEncoder, encoder_of, frames_of
from models.data.features import audio_features
from tests.models.making import save_network, voice

KINDS = ("wav2vec2", "hubert", "wavlm")


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("networks")
    return {kind: save_network(kind, root / kind) for kind in KINDS}


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, in the spread of the first."""
    return float(np.abs(one.astype(np.float64) - other).max() / one.astype(np.float64).std())


# ---- embedded ----------------------------------------------------------------------------------------------


@given(frames=st.integers(1, 60))
def test_there_is_one_row_for_each_frame(frames: int) -> None:
    features = LogMel()(voice(0, frames))
    assert features.shape == (frames, LogMel().size) == (frames, 160)
    assert features.dtype == np.float16 and np.isfinite(features).all()


@pytest.mark.parametrize("samples", [0, 1, 639, 641, 6_399])
def test_a_part_of_a_frame_is_refused(samples: int) -> None:
    for encode in (frames_of, LogMel()):
        with pytest.raises(ValueError, match=f"640 samples for each frame, got {samples}"):
            encode(np.zeros(samples, np.int16))


def test_how_loud_somebody_was_recorded_is_not_heard() -> None:
    sound = voice(3, 75)
    loud = LogMel()(sound)
    for level in (2, 8):
        quiet = LogMel()((sound // level).astype(np.int16))
        assert np.abs(loud.astype(np.float32) - quiet)[loud > -2.0].mean() < 0.02
    louder_end = sound.copy()
    louder_end[:24_000] //= 4
    assert np.abs(loud.astype(np.float32) - LogMel()(louder_end)).mean() > 0.1


def test_a_frame_hears_the_forty_milliseconds_that_begin_at_its_time() -> None:
    sound = np.zeros(50 * 640, np.int16)
    sound[20 * 640 : 21 * 640] = voice(1, 1)
    loudness = LogMel()(sound).astype(np.float32).mean(axis=1)
    assert int(loudness.argmax()) == 20
    assert set(np.flatnonzero(loudness > loudness.min() + 0.01)) <= {19, 20, 21}


@pytest.mark.parametrize("value", [0, 32_767, -32_768])
def test_silence_and_clipping_are_numbers(value: int) -> None:
    features = LogMel()(np.full(25 * 640, value, np.int16))
    assert np.isfinite(features).all()


# ---- transformers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_says_one_vector_for_each_frame_and_always_the_same(
    networks: dict[str, Path], kind: str
) -> None:
    encoder = encoder_of(f"{kind}={networks[kind]}")
    assert isinstance(encoder, Encoder)
    for frames in (1, 2, 3, 30):
        features = encoder(voice(0, frames))
        assert features.shape == (frames, 32) and features.dtype == np.float16
        assert np.isfinite(features).all()
    torch.manual_seed(99)
    again = SpeechEncoder(kind, networks[kind])(voice(0, 30))
    assert np.array_equal(again, features)
    assert not np.array_equal(encoder(voice(1, 30)), features)
    assert (encoder.name, encoder.size) == (kind, 32)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_sound_in_pieces_is_as_the_whole_away_from_their_borders(
    networks: dict[str, Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, sound = encoder_of(f"{kind}={networks[kind]}"), voice(5, 200)
    whole = encoder(sound)
    monkeypatch.setattr(audio, "LONGEST", 90)
    monkeypatch.setattr(audio, "MARGIN", 40)
    pieces = encoder(sound)
    assert pieces.shape == whole.shape
    assert apart(whole, pieces) < 1.0
    assert apart(whole[5:85], pieces[5:85]) < 0.5
    inner = np.abs(whole.astype(np.float64) - pieces).mean() / whole.astype(np.float64).std()
    assert inner < 0.1


def test_a_sound_that_fits_into_one_piece_is_one(
    networks: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, sound = encoder_of(f"hubert={networks['hubert']}"), voice(5, 60)
    whole = encoder(sound)
    monkeypatch.setattr(audio, "LONGEST", 60)
    assert np.array_equal(encoder(sound), whole)


def test_the_sound_is_centred_unless_the_encoder_was_trained_without(
    networks: dict[str, Path], tmp_path: Path
) -> None:
    folder = save_network("wav2vec2", tmp_path / "network")
    quiet = (voice(2, 30) // 3).astype(np.int16)
    centred = SpeechEncoder("wav2vec2", folder)
    assert apart(centred(voice(2, 30)), centred(quiet)) < 0.2
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False}))
    plain = SpeechEncoder("wav2vec2", folder)
    assert not np.array_equal(plain(quiet), centred(quiet))
    assert audio_features(plain).family.name != audio_features(centred).family.name
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True}))
    assert SpeechEncoder("wav2vec2", folder).weights == centred.weights


def test_other_weights_are_another_family(networks: dict[str, Path], tmp_path: Path) -> None:
    folder = save_network("wavlm", tmp_path / "network")
    before = SpeechEncoder("wavlm", folder)
    name = audio_features(before).family.name
    assert audio_features(SpeechEncoder("wavlm", networks["wavlm"])).family.name == name
    tensors = load_file(folder / "model.safetensors")
    next(iter(tensors.values())).view(-1)[0] += 0.5
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    after = SpeechEncoder("wavlm", folder)
    assert len(str(after.weights)) == 64 and after.weights != before.weights
    assert audio_features(after).family.name != name
    assert audio_features(LogMel()).family.name != name


def test_missing_weights_are_named_with_where_they_are_published(tmp_path: Path) -> None:
    for kind, published in audio.HUB.items():
        with pytest.raises(EncoderError, match=f"has no weights of {kind} .*{published} on the"):
            encoder_of(f"{kind}={tmp_path}")
        with pytest.raises(EncoderError, match=f"{kind} needs its weights: .*{published} on the"):
            encoder_of(kind)


@pytest.mark.parametrize("wanted", ["", "mel", "logmel=here", "wav2vec=here", "=here"])
def test_an_encoder_that_is_not_known_is_refused(wanted: str) -> None:
    with pytest.raises(EncoderError, match="one of logmel, wav2vec2, hubert, wavlm, got"):
        encoder_of(wanted)


def test_weights_of_another_encoder_are_refused(networks: dict[str, Path]) -> None:
    with pytest.raises(EncoderError, match="holds hubert, needed wavlm"):
        encoder_of(f"wavlm={networks['hubert']}")


def test_a_folder_whose_shape_is_not_told_is_refused(tmp_path: Path) -> None:
    folder = save_network("hubert", tmp_path / "network")
    (folder / "config.json").write_text("{")
    with pytest.raises(EncoderError, match=r"config\.json cannot be read"):
        encoder_of(f"hubert={folder}")
    (folder / "config.json").unlink()
    with pytest.raises(EncoderError, match=r"config\.json cannot be read"):
        encoder_of(f"hubert={folder}")


def test_weights_that_are_broken_or_not_all_there_are_refused(tmp_path: Path) -> None:
    folder = save_network("hubert", tmp_path / "network")
    tensors = load_file(folder / "model.safetensors")
    part = {name: held for name, held in tensors.items() if "layers.1.attention" not in name}
    save_file(part, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"lacks weights of hubert: encoder\.layers\.1\.att"):
        encoder_of(f"hubert={folder}")(voice(0, 5))
    (folder / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(EncoderError, match="cannot be loaded as hubert"):
        encoder_of(f"hubert={folder}")(voice(0, 5))


def test_weights_of_half_precision_are_taken_as_they_are(tmp_path: Path) -> None:
    folder = save_network("wav2vec2", tmp_path / "network")
    full = SpeechEncoder("wav2vec2", folder)(voice(0, 30))
    halves = {n: held.half() for n, held in load_file(folder / "model.safetensors").items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    told = json.loads((folder / "config.json").read_text()) | {"dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(told))
    assert apart(full, SpeechEncoder("wav2vec2", folder)(voice(0, 30))) < 0.05

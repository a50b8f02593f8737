"""SyncNet, Light-ASD and LR-ASD: published layouts, hashes, and what reaches the network."""

import csv
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.perception.sync import ActiveSpeaker, Lips, SyncError, SyncNet, load
from pipeline.perception.sync.activespeaker import (
    FACE_SIZE,
    MAX_DISAGREEMENT,
    Variant,
    features,
    follow,
    mouths,
)
from pipeline.perception.sync.asd_network import light_asd, lr_asd
from pipeline.perception.sync.checkpoint import fill, read, save
from pipeline.perception.sync.embedded import SIGNS
from pipeline.perception.sync.fitted import LIGHT_ASD, LIPS
from pipeline.perception.sync.lipvoice import bands, curve, mouth, peak
from pipeline.perception.sync.syncnet import bgr, mean_distances
from pipeline.perception.sync.syncnet_network import SyncNetwork

SHARED = Path(os.environ.get("COSPEECH_SHARED", Path(__file__).parents[3] / ".." / "shared"))
WEIGHTS = SHARED / "weights"
NETWORKS = {"light-asd": light_asd, "lr-asd": lr_asd}
FRAMES = 40


def noise_faces(size: int, frames: int = FRAMES) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (frames, size, size, 3), dtype=np.uint8)


def noise_sound(frames: int) -> np.ndarray:
    return np.random.default_rng(2).integers(-3000, 3000, frames * 640).astype(np.int16)


def lips(size: int, frames: int = FRAMES) -> Lips:
    return Lips(noise_faces(size, frames), np.zeros((frames, 133, 3), np.float32))


def saved(network: nn.Module, file: Path) -> str:
    """Random weights in a state dict file; its SHA-256."""
    torch.save(network.state_dict(), file)
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def needs_weights() -> None:
    if not WEIGHTS.is_dir():
        pytest.skip(f"needs the folder of published weights, not at {WEIGHTS}")


# ---- layouts ----------------------------------------------------------------------------


def test_syncnet_has_the_published_number_of_parameters() -> None:
    assert sum(p.numel() for p in SyncNetwork().parameters()) == 13_631_616


def test_syncnet_has_the_published_names_and_shapes() -> None:
    layouts = SHARED / "specs" / "checkpoint-layouts.tsv"
    if not layouts.is_file():
        pytest.skip(f"needs the published layouts, not at {layouts}")
    with layouts.open() as lines:
        rows = [row for row in csv.reader(lines, delimiter="\t") if row[0] == "syncnet"]
    published = {name: tuple(json.loads(shape)) for _, name, shape in rows}
    state = SyncNetwork().state_dict()
    own = {n: tuple(t.shape) for n, t in state.items() if not n.endswith("num_batches_tracked")}
    assert own == published


@pytest.mark.parametrize(("variant", "tensors"), [("light-asd", 192), ("lr-asd", 168)])
def test_the_published_active_speaker_weights_load_strictly(variant: Variant, tensors: int) -> None:
    needs_weights()
    backend = ActiveSpeaker(variant, at=WEIGHTS)
    assert backend.missing() is None
    assert len(backend.load().network.state_dict()) == tensors


@pytest.mark.parametrize("variant", ["light-asd", "lr-asd"])
def test_a_still_face_does_not_speak(variant: Variant) -> None:
    needs_weights()
    still = np.broadcast_to(noise_faces(FACE_SIZE, 1) // 8 + 100, (FRAMES, FACE_SIZE, FACE_SIZE, 3))
    shown = Lips(still, np.zeros((FRAMES, 133, 3), np.float32))
    found = load(ActiveSpeaker(variant, at=WEIGHTS))(shown, noise_sound(FRAMES + 30), margin=15)
    assert found.speaking < 0.0


# ---- weights files ----------------------------------------------------------------------


def test_weights_with_another_hash_are_refused(tmp_path: Path) -> None:
    saved(lr_asd(), tmp_path / "lr_asd_finetuning_TalkSet.model")
    with pytest.raises(SyncError, match=r"has SHA-256 .* the published weights have 6b4ef536"):
        ActiveSpeaker("lr-asd", at=tmp_path).load()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    sha256 = saved(light_asd(), tmp_path / "some.model")
    with pytest.raises(SyncError, match="does not fit ActiveSpeakerNet"):
        fill(lr_asd(), tmp_path / "some.model", sha256=sha256)


def test_absent_weights_are_named(tmp_path: Path) -> None:
    backend = SyncNet(at=tmp_path)
    assert "syncnet_v2.model" in str(backend.missing())
    with pytest.raises(SyncError, match=r"syncnet_v2\.model"):
        backend.load()


# ---- weights of one's own ---------------------------------------------------------------


def test_own_weights_are_known_by_the_hash_that_lies_beside_them(tmp_path: Path) -> None:
    sha256 = save(light_asd(), tmp_path / "light-asd.model", name="light-asd")
    assert sha256 == hashlib.sha256((tmp_path / "light-asd.model").read_bytes()).hexdigest()
    for at in (tmp_path, tmp_path / "light-asd.model"):
        backend = ActiveSpeaker("light-asd", at=at)
        assert backend.missing() is None
        assert backend.weights == sha256
        assert len(backend.load().network.state_dict()) == 192


def test_own_weights_that_were_changed_are_refused(tmp_path: Path) -> None:
    save(light_asd(), tmp_path / "light-asd.model", name="light-asd")
    torch.save(light_asd().state_dict(), tmp_path / "light-asd.model")
    with pytest.raises(SyncError, match=r"has SHA-256 .*light-asd\.model\.json states"):
        ActiveSpeaker("light-asd", at=tmp_path).load()


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"sha256": 3}'])
def test_own_weights_without_a_stated_hash_are_refused(tmp_path: Path, content: str | None) -> None:
    save(light_asd(), tmp_path / "light-asd.model", name="light-asd")
    beside = tmp_path / "light-asd.model.json"
    beside.unlink() if content is None else beside.write_text(content)
    with pytest.raises(SyncError, match="the published weights have efc37583"):
        ActiveSpeaker("light-asd", at=tmp_path).load()


def test_own_weights_give_the_published_score_and_are_never_sure(tmp_path: Path) -> None:
    save(light_asd(), tmp_path / "light-asd.model", name="light-asd")
    own = ActiveSpeaker("light-asd", at=tmp_path)
    assert own.sure_from is None and ActiveSpeaker("light-asd").sure_from == 2.0
    assert own.load().axes is None
    found = own.load()(lips(FACE_SIZE), noise_sound(FRAMES + 30), margin=15)
    assert np.isfinite(found.speaking)


@pytest.mark.parametrize("content", [b"", b"words", b"PK\x03\x04", b"\x80\x02}q\x00."])
def test_a_file_that_holds_no_network_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "some.model").write_bytes(content)
    with pytest.raises(SyncError, match=r"^some\.model does not fit ActiveSpeakerNet: .+$"):
        read(light_asd(), tmp_path / "some.model")


# ---- active speakers --------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["light-asd", "lr-asd"])
def test_random_weights_run_and_see_every_offset(variant: Variant, tmp_path: Path) -> None:
    sha256 = saved(NETWORKS[variant](), tmp_path / "random.model")
    backend = ActiveSpeaker(variant, at=tmp_path / "random.model", sha256=sha256)
    loaded = backend.load()
    visual = loaded.visual(noise_faces(FACE_SIZE))
    odds = loaded.log_odds(visual, noise_sound(FRAMES + 16), margin=8)
    assert visual.shape == (FRAMES, 128)
    assert odds.shape == (31, FRAMES - 14)
    assert np.isfinite(odds).all()


@pytest.mark.parametrize("make", NETWORKS.values())
def test_the_picture_encoder_gives_the_same_in_pieces(make: type[nn.Module]) -> None:
    network = make().eval()
    faces = torch.rand(30, 112, 112) * 255.0
    with torch.inference_mode():
        whole, pieces = network.picture(faces, at_once=30), network.picture(faces, at_once=7)
    torch.testing.assert_close(pieces, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", NETWORKS.values())
def test_sound_features_come_at_frame_rate_and_shift_with_the_sound(make: type[nn.Module]) -> None:
    network = make().eval()
    cepstra = torch.randn(240, 13)
    with torch.inference_mode():
        whole, later = network.sound(cepstra), network.sound(cepstra[20:])
    assert whole.shape == (60, 128)
    torch.testing.assert_close(later[10:45], whole[15:50], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", NETWORKS.values())
def test_gradients_reach_every_parameter_that_the_score_depends_on(make: type[nn.Module]) -> None:
    network = make()
    visual = network.model.visualEncoder(torch.rand(1, 6, 112, 112) * 255.0)
    audio = network.model.audioEncoder(torch.randn(1, 24, 13))
    network.log_odds(audio, visual).sum().backward()
    without = {n for n, p in network.named_parameters() if p.grad is None}
    assert without == {"lossV.FC.weight", "lossV.FC.bias"}


def test_without_lips_there_is_no_second_opinion_and_no_confidence() -> None:
    visual = np.random.default_rng(4).normal(size=(FRAMES, 128)).astype(np.float32)
    found = follow(
        visual,
        Lips(None, np.zeros((FRAMES, 133, 3), np.float32)),
        noise_sound(FRAMES + 30),
        axes=(LIGHT_ASD, LIPS),
        margin=15,
    )
    assert found.confidence == 0.0
    assert found.fine is not None
    assert found.offset == round(found.fine)


def test_picture_features_stand_beside_the_measures_of_the_lips() -> None:
    visual = np.random.default_rng(4).normal(size=(60, 128)).astype(np.float32)
    measures = np.random.default_rng(5).normal(size=(60, 6))
    beside, alone = features(visual, measures), features(visual, None)
    assert beside.shape == (60, 134)
    np.testing.assert_array_equal(beside[:, :6], measures)
    assert not alone[:, :6].any()
    np.testing.assert_allclose(beside[:, 6:].std(axis=0), 1.0, atol=0.01)


def test_the_mouth_is_cut_from_the_lower_middle_in_grey() -> None:
    faces = np.zeros((1, FACE_SIZE, FACE_SIZE, 3), np.uint8)
    faces[0, 50:162, 28:140] = (255, 0, 0)
    found = mouths(faces)
    assert found.shape == (1, 112, 112)
    np.testing.assert_allclose(found, 255 * 0.299, rtol=1e-5)


def test_faces_of_another_size_are_refused() -> None:
    with pytest.raises(SyncError, match="got \\(64, 64, 3\\)"):
        mouths(noise_faces(64, 1))
    with pytest.raises(SyncError, match="got None"):
        bgr(None)


# ---- SyncNet ----------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [0, 4, 15, 20])
@pytest.mark.parametrize("late", [-6, 0, 9])
def test_distances_are_least_at_the_offset_of_the_sound(late: int, margin: int) -> None:
    points = torch.randn(120, 16)
    visual = points[40:80]
    audio = points[40 - margin - late : 80 + margin - late]
    curve = mean_distances(visual, audio, margin=margin)
    assert curve.shape == (31,)
    assert int(curve.argmin()) - 15 == late


def test_missing_sound_at_the_ends_is_zeros_as_published() -> None:
    visual, audio = torch.ones(20, 4), torch.zeros(20, 4)
    torch.testing.assert_close(
        mean_distances(visual, audio, margin=0), torch.full((31,), 2.0), rtol=1e-4, atol=1e-4
    )


def test_syncnet_runs_from_a_file_of_random_weights(tmp_path: Path) -> None:
    sha256 = saved(SyncNetwork(), tmp_path / "syncnet_v2.model")
    score = SyncNet(at=tmp_path, sha256=sha256).load()
    shown, sound = lips(280, 25), noise_sound(25 + 30)
    found, curve = score(shown, sound, margin=15), score.distances(shown, sound, margin=15)
    assert curve.shape == (31,)
    assert found.offset == int(curve.argmin()) - 15
    assert found.confidence == pytest.approx(float(np.median(curve) - curve.min()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_syncnet_gives_the_same_on_a_graphics_card(tmp_path: Path) -> None:
    sha256 = saved(SyncNetwork(), tmp_path / "syncnet_v2.model")
    backend = SyncNet(at=tmp_path, sha256=sha256)
    shown, sound = lips(280, 25), noise_sound(25 + 30)
    curves = [backend.load(at).distances(shown, sound, margin=15) for at in ("cpu", "cuda")]
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-3)


def test_syncnet_sees_blue_first_and_the_lower_middle() -> None:
    faces = np.zeros((1, 280, 280, 3), np.uint8)
    faces[0, 50:274, 28:252] = (10, 20, 30)
    np.testing.assert_array_equal(bgr(faces), np.full((1, 224, 224, 3), (30, 20, 10), np.uint8))


@pytest.mark.parametrize("seed", range(6))
def test_nobody_is_believed_whom_the_phonetic_signs_contradict(seed: int) -> None:
    random = np.random.default_rng(seed)
    pose = random.normal(200.0, 4.0, (FRAMES, 133, 3)).astype(np.float32)
    pose[:, 23:91, :2] += 60.0 * random.random((68, 2)).astype(np.float32)
    pose[..., 2] = 1.0
    visual = random.normal(size=(FRAMES, 128)).astype(np.float32)
    sound = random.integers(-9_000, 9_000, (FRAMES + 30) * 640).astype(np.int16)
    found = follow(visual, Lips(None, pose), sound, axes=(LIGHT_ASD, LIPS), margin=15)
    measures = mouth(pose)
    assert measures is not None and found.fine is not None
    signs = peak(curve(measures, bands(sound, frames=FRAMES + 30), SIGNS, margin=15)).offset
    assert (found.confidence == 0.0) == (abs(found.fine - signs) >= MAX_DISAGREEMENT)

"""syncnet and light-asd: what they draw, what they minimise, and that the filter reads what they export."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.__main__ import main
from models.data import lips
from models.data.dataset import Dataset
from models.data.order import Order, Place
from models.systems import light_asd, syncnet, system_of
from models.systems import lips as shared
from models.systems.light_asd.batches import FOREIGN, OWN, SHIFTED, STILL, Stretches
from models.systems.light_asd.configs import Mixture
from models.systems.run import prepare_families, start_of
from models.systems.syncnet.training import pictures, too_near
from models.training.settings import SettingsError
from pipeline.perception.sync import ActiveSpeaker, Lips, SyncNet
from pipeline.perception.sync.activespeaker import LoadedActiveSpeaker
from pipeline.perception.sync.asd_network import light_asd as new_light_asd
from pipeline.perception.sync.syncnet import Comparing
from pipeline.perception.sync.syncnet_network import SyncNetwork
from tests.models import talking
from tests.models.making import Made

SMALL = {
    "syncnet": replace(syncnet.tiny(), size=32, windows=3, reach=5, validation_frames=44),
    "light-asd": replace(light_asd.tiny(), size=32, frames=8, validation_frames=44),
}
RUN = (
    *("training.steps=2", "training.batch_size=2", "training.threads=1", "training.tracker=none", "size=32"),
    *("validation_frames=44", "training.save=2", "calibration=1"),
)  # fmt: skip
OWN_RUN = {"syncnet": ("windows=2",), "light-asd": ("frames=8",)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return talking.write_talking(tmp_path_factory.mktemp("talking") / "data")


@pytest.fixture(scope="module")
def dataset(data: Path) -> Dataset:
    found = Dataset.open(data)
    for name, config in SMALL.items():
        prepare_families(system_of(name), config, found, None, device="cpu")
    return found


def phase_of(name: str, dataset: Dataset, **changed: Any) -> Any:
    return system_of(name).phase("lips", replace(SMALL[name], **changed), dataset, {}, "cpu")


class Fixed(torch.nn.Module):
    """A network that says the same of everything."""

    def __init__(self, *said: torch.Tensor) -> None:
        super().__init__()
        self.said = said

    def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.said


def place_of(dataset: Dataset, seed: int, epoch: int = 0) -> Place:
    clips = [entry.id for entry in dataset.training.entries]
    return Place(epoch, clips.index(Made(seed).clip))


def command(*arguments: str | Path) -> int:
    """`csg-model` in this process; its exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as caught:
        patch.setattr(sys, "argv", ["csg-model", *map(str, arguments)])
        main()
    return int(caught.value.code or 0)


# ---- syncnet: what is drawn ----------------------------------------------------------------------


def test_a_window_hears_what_is_said_while_it_is_seen(dataset: Dataset) -> None:
    phase = phase_of("syncnet", dataset)
    for seed in (0, 2):  # the second is late
        place = place_of(dataset, seed)
        entry, batch = dataset.training.entries[place.clip], phase.batch([place])
        rows, faces = phase.cepstra.rows(entry), phase.faces.rows(entry)
        for frame, shown, heard in zip(
            batch.frames.tolist(), batch.faces, batch.cepstra, strict=True
        ):
            at = 4 * (frame + talking.LATE.get(seed, 0))
            np.testing.assert_array_equal(heard[0].numpy().T, rows[at : at + 20])
            own = faces[frame : frame + 5]
            assert any(np.array_equal(shown, each) for each in (own, own[:, :, ::-1]))


def test_windows_of_a_clip_lie_within_reach_and_are_others_each_epoch(dataset: Dataset) -> None:
    phase = phase_of("syncnet", dataset, windows=8)
    drawn = [phase.batch([place_of(dataset, 0, epoch)]).frames.tolist() for epoch in range(6)]
    assert len({tuple(each) for each in drawn}) == 6
    for frames in drawn:
        assert len(set(frames)) == 8 and max(frames) - min(frames) <= 10
        assert min(frames) >= 0 and max(frames) <= 45
    again = phase.batch([place_of(dataset, 0, 3)]).frames.tolist()
    assert again == drawn[3]


def test_windows_that_are_too_near_are_no_negatives() -> None:
    clips, frames = torch.tensor([1, 1, 1, 2]), torch.tensor([5, 6, 7, 5])
    assert too_near(clips, frames, 2).int().tolist() == [
        [0, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]


def test_a_short_clip_gives_as_many_windows_with_repeats(dataset: Dataset) -> None:
    batch = phase_of("syncnet", dataset, windows=30).batch([place_of(dataset, 0)])
    assert len(batch.frames) == 30 and len(set(batch.frames.tolist())) <= 11
    clips, frames = batch.clips, batch.frames
    repeats = (frames[:, None] == frames) & ~torch.eye(30, dtype=torch.bool)
    assert repeats.any() and too_near(clips, frames, 1)[repeats].all()


def test_the_loss_is_that_of_equal_guesses_and_falls_where_pairs_are_near(dataset: Dataset) -> None:
    phase = phase_of("syncnet", dataset)
    batch = phase.batch([place_of(dataset, 0), place_of(dataset, 3)])
    count = (~too_near(batch.clips, batch.frames, 2)).sum(dim=1).float()

    def points(apart: float) -> Any:
        own = apart * torch.eye(len(batch.frames))
        return Fixed(own, own)

    equal = sum(phase.losses({"network": points(0.0)}, batch).values())
    assert float(equal) == pytest.approx(float(count.log().mean()), rel=1e-5)
    assert float(sum(phase.losses({"network": points(30.0)}, batch).values())) < 1e-6


def test_faces_are_enlarged_blue_first() -> None:
    faces = torch.zeros(2, 5, 32, 32, 3, dtype=torch.uint8)
    faces[..., 0], faces[..., 2] = 7, 200
    shown = pictures(faces)
    assert shown.shape == (2, 3, 5, 224, 224)
    means = shown.mean(dim=(0, 2, 3, 4)).tolist()
    assert means == pytest.approx([200.0, 0.0, 7.0])


# ---- light-asd: what is drawn --------------------------------------------------------------------


def only(kind: int) -> Mixture:
    return Mixture(*(float(kind == each) for each in (OWN, SHIFTED, FOREIGN, STILL)))


@pytest.mark.parametrize("kind", [OWN, SHIFTED, FOREIGN, STILL])
def test_each_kind_of_voice_is_what_it_says(
    dataset: Dataset, kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = phase_of("light-asd", dataset, mixture=only(kind))
    place = place_of(dataset, 2)
    entry = dataset.training.entries[place.clip]
    monkeypatch.setattr(Stretches, "voice", lambda self, entry, first: np.ones(8, np.int64))
    for epoch in range(4):
        batch = phase.batch([place_of(dataset, 2, epoch)])
        heard, faces = batch.cepstra[0].numpy(), batch.faces[0].numpy()
        mine = stretches_of(phase.cepstra.rows(entry), heard)
        assert bool(mine) is (kind != FOREIGN)
        still = all(np.array_equal(faces[0], each) for each in faces)
        assert still is (kind == STILL)
        if kind in (OWN, SHIFTED):
            (first,) = face_stretch(phase.faces.rows(entry), faces)
            apart = [at / 4 - first - talking.LATE[2] for at in mine]
            assert apart == [0.0] if kind == OWN else all(abs(each) >= 5 for each in apart)
        assert batch.speaks.tolist() == [[int(kind == OWN)] * 8]
        assert batch.moves.tolist() == [[int(kind != STILL)] * 8]


def stretches_of(rows: np.ndarray, part: np.ndarray) -> list[int]:
    """Where a part stands in an array."""
    return [
        at
        for at in range(len(rows) - len(part) + 1)
        if np.array_equal(rows[at : at + len(part)], part)
    ]


def face_stretch(rows: np.ndarray, faces: np.ndarray) -> list[int]:
    """Where faces stand, mirrored or not."""
    return stretches_of(rows, faces) or stretches_of(rows, faces[..., ::-1])


def test_with_nobody_else_a_foreign_voice_is_a_shifted_one(dataset: Dataset) -> None:
    bea = dataset.training.where(lambda entry: entry.identity == "speaker:bea")
    phase = phase_of("light-asd", replace(dataset, training=bea), mixture=only(FOREIGN))
    batch = phase.batch([Place(0, 0)])
    assert stretches_of(phase.cepstra.rows(bea.entries[0]), batch.cepstra[0].numpy())


def test_the_temperature_falls_with_the_epochs_and_stays(dataset: Dataset) -> None:
    phase = phase_of("light-asd", dataset)
    batch = phase.batch([place_of(dataset, 0)])
    logits = torch.tensor([1.3, 0.0]).expand(1, 8, 2)

    def loss(epoch: int, speaks: int) -> float:
        each = replace(batch, epochs=torch.tensor([epoch]), speaks=torch.full((1, 8), speaks))
        return float(phase.losses({"network": Fixed(logits, logits)}, each)["both"])

    assert loss(0, 0) == pytest.approx(np.log1p(np.exp(-1.0)), rel=1e-5)
    assert loss(29, 0) == loss(500, 0) == pytest.approx(np.log1p(np.exp(-1.3 / 0.72)), rel=1e-4)
    assert loss(0, 1) > loss(0, 0)


def test_more_frames_than_the_shortest_clip_has_are_refused(dataset: Dataset) -> None:
    with pytest.raises(
        SettingsError, match="frames is at most that of the shortest clip, 45, got 46"
    ):
        phase_of("light-asd", dataset, frames=46)


@pytest.mark.parametrize(
    "parts", [(-1.0, 1.0, 1.0, 1.0), (0.0,) * 4, (float("nan"), 1.0, 1.0, 1.0)]
)
def test_a_mixture_of_nothing_is_refused(parts: tuple[float, ...]) -> None:
    with pytest.raises(SettingsError, match="mixture"):
        Mixture(*parts)


# ---- validation is what the filter sees -----------------------------------------------------------


def enlarged(faces: torch.Tensor, side: int) -> torch.Tensor:
    return torch.nn.functional.interpolate(
        faces.float(), (side, side), mode="bilinear", align_corners=False
    )


def test_syncnet_is_validated_as_the_filter_scores(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.systems.syncnet.training.MOMENT", 1)
    torch.manual_seed(1)
    network, phase = SyncNetwork().eval(), phase_of("syncnet", dataset)
    frames = [entry.frames for entry in dataset.validation.entries]
    longest = frames.index(max(frames))
    entry = dataset.validation.entries[longest]
    with torch.no_grad():
        found = phase.match(network, entry, range(entry.frames), [])
        shown = phase.faces.rows(entry)
    seen = enlarged(torch.from_numpy(shown).permute(0, 3, 1, 2), 224).permute(0, 2, 3, 1)
    faces = np.zeros((len(shown), 280, 280, 3), np.uint8)
    faces[:, 50:274, 28:252] = seen.round().numpy()
    kept = slice(15, entry.frames - 15)
    lips_seen = Lips(faces[kept], np.zeros((entry.frames - 30, 133, 3), np.float32))
    sound = dataset.validation.sound(longest)
    curve = Comparing(network, "cpu").distances(lips_seen, sound, margin=15)
    np.testing.assert_allclose(-found.own.mean(axis=0), curve, rtol=2e-3)


def test_light_asd_is_validated_as_the_filter_scores(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.systems.light_asd.training.MOMENT", 1)
    torch.manual_seed(1)
    network, phase = new_light_asd().eval(), phase_of("light-asd", dataset)
    entry = dataset.validation.entries[0]
    with torch.no_grad():
        found = phase.match(network, entry, range(entry.frames), [])
        shown = torch.from_numpy(phase.faces.rows(entry))
        large = enlarged(shown[None], 112)
        visual = network.picture(large[0]).numpy()
    filter_ = LoadedActiveSpeaker(network, "cpu")
    odds = filter_.log_odds(visual, dataset.validation.sound(0), margin=0)
    np.testing.assert_allclose(found.own.T, odds, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_calibrated_networks_do_in_use_what_they_did_in_training(
    dataset: Dataset, name: str
) -> None:
    phase = phase_of(
        name, dataset, calibration=1, training=replace(SMALL[name].training, batch_size=3)
    )
    torch.manual_seed(0)
    networks = phase.networks()
    network = networks["network"]
    batch = phase.batch(Order(0, phase.samples).batch(0, 3))
    with torch.no_grad():
        trained = float(sum(phase.losses(networks, batch).values()))
        network.eval()
        before = float(sum(phase.losses(networks, batch).values()))
        phase.calibrate(networks)
        after = float(sum(phase.losses(networks, batch).values()))
    assert not network.training
    assert abs(after - trained) < 0.3 * abs(before - trained)


def test_others_are_other_people_and_a_short_voice_is_heard_over_and_over(dataset: Dataset) -> None:
    phase = phase_of("syncnet", dataset)
    for entry in dataset.motions.entries:
        others = phase.others(entry)
        assert len(others) == shared.VOICES
        assert all(other.identity != entry.identity for other in others)
    entry = dataset.validation.entries[0]
    long = shared.middle_voice(phase.cepstra, entry, 2 * entry.frames)
    np.testing.assert_array_equal(long[: 4 * entry.frames], long[4 * entry.frames :])


def test_rows_past_the_ends_are_zeros(dataset: Dataset) -> None:
    phase = phase_of("syncnet", dataset)
    entry = dataset.training.entries[0]
    whole = phase.cepstra.rows(entry)
    rows = shared.sound_rows(phase.cepstra, entry, -2, entry.frames + 5)
    assert not rows[:8].any() and not rows[-12:].any()
    np.testing.assert_array_equal(rows[8:-12], whole)
    assert not shared.sound_rows(phase.cepstra, entry, 500, 3).any()


# ---- the commands ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A trained run of each."""
    folder = tmp_path_factory.mktemp("runs")
    for name, own in OWN_RUN.items():
        chosen = [part for each in (*RUN, *own) for part in ("--set", each)]
        assert command("prepare", name, "--data", data, *chosen) == 0
        assert command("train", name, "--data", data, "--out", folder / name, *chosen) == 0
    return {name: folder / name for name in OWN_RUN}


@pytest.mark.parametrize("name", OWN_RUN)
def test_the_filter_reads_the_export_by_its_own_hash(runs: dict[str, Path], name: str) -> None:
    model = runs[name] / "model"
    backend = SyncNet(at=model) if name == "syncnet" else ActiveSpeaker("light-asd", at=model)
    stated = json.loads((model / f"{name}.model.json").read_text())
    assert stated["network"] == name and backend.weights == stated["sha256"]
    loaded = backend.load()
    (checkpoint,) = (runs[name] / "lips" / "checkpoints").iterdir()
    trained = load_file(checkpoint / "networks.safetensors")
    for key, tensor in loaded.network.named_parameters():
        assert torch.equal(tensor, trained[f"network.{key}"])
    size = backend.face_size
    shown = Lips(np.zeros((40, size, size, 3), np.uint8), np.zeros((40, 133, 3), np.float32))
    assert np.isfinite(loaded(shown, np.zeros(70 * 640, np.int16), margin=15).confidence)


@pytest.mark.parametrize("name", OWN_RUN)
def test_the_model_says_what_it_is_worth(runs: dict[str, Path], name: str) -> None:
    stated = json.loads((runs[name] / "model" / "system.json").read_text())
    assert stated["system"] == name and stated["facts"]["clips"] == 4
    assert stated["facts"]["validated"] == {"clips": 2, "people": 2}
    figures = stated["facts"]["validation"]
    assert set(figures) == {"own_over_shifted", "own_over_foreign", "offset_within_1"}
    assert all(
        0.0 <= each["low"] <= each["mean"] <= each["high"] <= 1.0 for each in figures.values()
    )
    card = (runs[name] / "model" / "README.md").read_text()
    assert f"sync.backend={name}" in card and "2 clips of 2 people" in card and "0.097" in card


@pytest.mark.parametrize("what", ["generate", "evaluate"])
def test_motion_is_refused_in_one_sentence(
    runs: dict[str, Path], data: Path, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [what, "--model", runs["syncnet"], "--data", data, "--out", tmp_path / "out"]
    line += ["--audio", "val:0", "--reference", "val:0"] if what == "generate" else []
    assert command(*line, "--set", "device=cpu") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said == (
        f"csg-model: {runs['syncnet']} holds a trained syncnet, which makes no motion: it goes from a face and a voice "
        "to how well they fit and at which offset, for sync.weights of csg-data"
    )
    assert not (tmp_path / "out").exists()


def test_a_run_begins_with_a_file_in_the_published_layout(
    runs: dict[str, Path], dataset: Dataset, tmp_path: Path
) -> None:
    file = tmp_path / "published.model"
    torch.save(new_light_asd().state_dict(), file)
    assert start_of(file, "lips", last=True) == file
    phase = phase_of("light-asd", dataset)
    given = phase.pretrained(file)["network"]
    held = torch.load(file, weights_only=True)
    assert all(torch.equal(given[name], held[name]) for name in held)
    own = phase.pretrained(runs["light-asd"])["network"]
    assert not torch.equal(own["lossAV.FC.weight"], held["lossAV.FC.weight"])


def test_a_warm_start_with_another_network_is_one_sentence(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "published.model"
    torch.save(new_light_asd().state_dict(), file)
    chosen = [part for each in (*RUN, "windows=2") for part in ("--set", each)]
    line = ("train", "syncnet", "--data", data, "--out", tmp_path / "run", "--warm-start", file)
    assert command(*line, *chosen) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("csg-model: published.model does not fit SyncNetwork: ")


def test_the_table_of_systems_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("systems", "light-asd") == 0
    said = capsys.readouterr().out
    assert "mixture" in said and "generate" not in said
    assert lips.ACTIVE_SPEAKER.side == pytest.approx(0.8)
    assert lips.SYNCNET.side == pytest.approx(1.6)

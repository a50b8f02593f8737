"""The command `csg-model`: train and generate on a dataset made here, and the sentence for each mistake."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from typer.main import get_command

from manifests import keypoints as kp
from models.__main__ import app, main
from models.data.skeleton import LEGS
from tests.conftest import ROOT
from tests.models.making import (
    CLIPS,
    Made,
    released_layout,
    save_network,
    smooth_pose,
    voice,
    write_checkpoint,
    write_dataset,
    write_statistics,
)

SIZES = ["size.width=32", "size.depth=2", "size.heads=2", "size.hidden=64"]
SETTINGS = [
    *("size.width=32", "size.depth=1", "size.heads=2", "size.hidden=64", "frames=50"),
    *("training.steps=4", "training.batch_size=2", "training.save=2", "training.validate=4"),
    *("training.tracker=none", "training.threads=1"),
]
TINY = [part for setting in SETTINGS for part in ("-s", setting)]
FILMED = next(clip for clip in CLIPS if clip.movie)


def run(*arguments: str | Path) -> str:
    """The command as a user starts it; its output."""
    line = [sys.executable, "-m", "models", *map(str, arguments)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def model(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was never trained."""
    from models.data.dataset import Dataset
    from models.systems.csg405.configs import tiny
    from models.systems.csg405.system import SYSTEM
    from models.systems.run import prepare_families
    from models.training.settings import overridden

    root = tmp_path_factory.mktemp("untrained")
    config = overridden(tiny(), SETTINGS)
    opened = Dataset.open(dataset, features=root / "features")
    prepare_families(SYSTEM, config, opened, None, device="cpu")
    phase = SYSTEM.phase("motion", config, opened, {}, "cpu")
    networks = {name: network.eval() for name, network in phase.networks().items()}
    with torch.no_grad():
        phase.export(networks, root / "model", {})
    return root / "model"


@pytest.fixture
def talk(dataset: Path, model: Path, tmp_path: Path) -> dict[str, str]:
    """What generating needs, all of it right."""
    soundfile.write(tmp_path / "voice.wav", voice(0, 25), 16_000)
    np.save(tmp_path / "pose.npy", smooth_pose(0, 1)[0])
    return {
        "--model": str(model),
        "--audio": str(tmp_path / "voice.wav"),
        "--reference": str(tmp_path / "pose.npy"),
        "--out": str(tmp_path / "talk"),
        "--guides": "none",
    }


class Said:
    """Runs the command in this process: its exit code, and what it wrote to standard error, on one line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str | Path) -> tuple[int, str]:
        self.monkeypatch.setattr(sys, "argv", ["csg-model", *map(str, arguments)])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        words = self.capsys.readouterr().err.split()
        return int(caught.value.code or 0), " ".join(words)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(monkeypatch, capsys)


# ---- the story ----------------------------------------------------------------------------------------------


@pytest.mark.timeout(240)
def test_a_small_model_is_trained_and_moves_a_person(
    said: Said, dataset: Path, tmp_path: Path
) -> None:
    out, features = tmp_path / "run", tmp_path / "features"
    line = ["train", "csg405", "--data", dataset, "--out", out, "--features", features, *TINY]
    assert "model in" in run(*line)  # a process of its own, as a user starts it
    told = json.loads((out / "model" / "system.json").read_text())
    assert told["facts"]["steps"] == 4 and told["config"]["frames"] == 50
    assert told["facts"]["dataset"] == json.loads((dataset / "dataset.json").read_text())["root"]
    assert {file.name for file in (out / "motion" / "checkpoints").iterdir()} == {
        "step-00000002",
        "step-00000004",
    }
    assert [file.name for file in out.glob("motion/samples/*/*")] == [f"{FILMED.clip}.mp4"]
    assert not (dataset / "features").exists()

    sound = voice(3, 130)  # longer than two windows
    soundfile.write(tmp_path / "long.wav", sound, 16_000)
    talk = ["generate", "--model", out, "--audio", tmp_path / "long.wav", "-s", "steps=3"]
    person = [
        "--reference",
        FILMED.clip[:8],
        "--data",
        dataset,
        "--guides",
        "mimicmotion,echomimic_v2",
    ]
    assert said(*talk, *person, "--out", tmp_path / "a") == (0, "")
    made = tmp_path / "a"
    assert {file.name for file in made.iterdir()} == {
        "pose.npy", "reference.npy", "reference.png", "voice.wav", "skeleton.mp4", "guides", "facts.json",
    }  # fmt: skip
    pose = np.load(made / "pose.npy")
    assert pose.shape == (130, 133, 3) and np.isfinite(pose).all()
    assert np.array_equal(soundfile.read(made / "voice.wav", dtype="int16")[0], sound)
    assert np.array_equal(np.load(made / "reference.npy"), FILMED.poses()[0])
    facts = json.loads((made / "facts.json").read_text())
    assert facts["reference"].startswith(f"clip {FILMED.clip}") and facts["audio"].endswith(
        "long.wav"
    )
    assert facts["generation"]["steps"] == 3 and facts["model"]["steps"] == 4
    assert {place.name for place in (made / "guides").iterdir()} == {"mimicmotion", "echomimic_v2"}


@pytest.fixture
def release(tmp_path: Path) -> dict[str, str]:
    """What importing needs, all of it right: a small network, whose audio encoder is a tiny wav2vec 2.0."""
    mean = released_layout(smooth_pose(5, 1))[0]
    checkpoint = write_checkpoint(
        tmp_path / "checkpoint_3.pth", width=32, depth=2, hidden=64, audio=32
    )
    return {
        "checkpoint": str(checkpoint),
        "--statistics": str(write_statistics(tmp_path / "statistics", mean, 1e-6)),
        "--encoder": f"wav2vec2={save_network('wav2vec2', tmp_path / 'wav2vec2')}",
        "--out": str(tmp_path / "imported"),
    }


def importing(release: dict[str, str], *more: str) -> list[str]:
    rest = {name: value for name, value in release.items() if name != "checkpoint"}
    sizes = [part for size in SIZES for part in ("-s", size)]
    return ["import", "csg405", release["checkpoint"], *sum(rest.items(), ()), *sizes, *more]


def test_a_released_checkpoint_is_imported_and_moves_a_person(
    said: Said, release: dict[str, str], talk: dict[str, str]
) -> None:
    """Its statistics hardly spread, so whatever the network says, it is the mean person who stands at the reference's
    neck: units, order and roots of the joints are those of the release."""
    assert "model in" in run(*importing(release))  # a process of its own, as a user starts it
    talk |= {"--model": release["--out"], "--set": "sampler=ancestral"}
    assert said("generate", *sum(talk.items(), ()))[0] == 0
    made = np.load(Path(talk["--out"]) / "pose.npy")
    assert made.shape == (25, 133, 3)
    mean, reference = smooth_pose(5, 1)[0, :, :2], smooth_pose(0, 1)[0, :, :2]
    wanted = mean - mean[[5, 6]].mean(axis=0) + reference[[5, 6]].mean(axis=0)
    kept = [joint for joint in range(kp.JOINTS) if joint not in LEGS]
    assert np.abs(made[:, kept, :2] - wanted[kept]).max() < 0.05  # pixels
    assert (made[:, kept, 2] == 1.0).all() and not made[:, list(LEGS)].any()
    told = json.loads((Path(release["--out"]) / "system.json").read_text())
    assert (
        told["encoder"]["name"] == "wav2vec2" and told["config"]["skeleton"]["face_root"] == "nose"
    )


def examples() -> list[tuple[str, str]]:
    """Each KEY=VALUE that the help of a command names, with the command."""
    found: list[tuple[str, str]] = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        words = " ".join([command.help or "", *(option.help or "" for option in command.params)])
        found += [(name, text) for text in re.findall(r"\b[a-z_.]+=[a-z0-9.]+\b", words)]
    return found


def test_the_help_of_each_command_that_takes_settings_names_one() -> None:
    assert {name for name, _ in examples()} == {"train", "generate", "evaluate"}


@pytest.mark.parametrize(("command", "example"), examples())
def test_an_example_that_a_help_text_names_is_taken(
    said: Said, dataset: Path, model: Path, talk: dict[str, str], tmp_path: Path,
    command: str, example: str,
) -> None:  # fmt: skip
    features = ["--features", str(tmp_path / "features")]
    line = {
        "train": ["csg405", "--data", str(dataset), "--out", str(tmp_path / "run"), *features],
        "generate": list(sum(talk.items(), ())),
        "evaluate": ["--model", str(model), "--data", str(dataset), "--out", str(tmp_path / "table"),
                     "--epochs", "0", *features],
    }[command]  # fmt: skip
    fewer = TINY if command == "train" else ["-s", "steps=1"]
    assert said(command, *line, "--set", example, *fewer) == (0, "")


def test_one_short_clip_is_evaluated_and_no_encoder_is_trained_for_it(
    said: Said, dataset: Path, model: Path, tmp_path: Path
) -> None:
    """The test split holds one clip of 50 frames: no window of 64, no other voice, no other person."""
    line = ["evaluate", "--model", model, "--data", dataset, "--out", tmp_path / "table"]
    few = ["--features", tmp_path / "features", "-s", "steps=1"]
    assert said(*line, *few) == (0, "")
    assert not list((tmp_path / "features").glob("motion-encoder*"))
    text = (tmp_path / "table" / "metrics.md").read_text()
    assert "FGD encoder: none" in text and "interval: none" in text
    assert "| fgd | set | all | it takes 2 windows of 64 frames, there are none |" in text
    assert "[" not in text.split("\n\n")[1]


def test_an_evaluation_says_how_many_clips_for_training_only_are_left_out(
    said: Said, model: Path, tmp_path: Path
) -> None:
    clips = (*CLIPS, Made(7, 40, "test", "eve", use="train"))
    folder = write_dataset(tmp_path / "set", clips)
    line = ["evaluate", "--model", model, "--data", folder, "-s", "steps=1", "--epochs", "0"]
    assert said(*line, "--out", tmp_path / "table") == (0, "")
    text = (tmp_path / "table" / "metrics.md").read_text()
    assert "left out, for training only: 1 clips" in text and "clips: 1" in text
    assert said(*line, "--use", "any", "--out", tmp_path / "any") == (0, "")
    text = (tmp_path / "any" / "metrics.md").read_text()
    assert "left out" not in text and "clips: 2" in text
    code, words = said(*line, "--use", "none", "--out", tmp_path / "none")
    assert code == 2 and "--use" in words


def test_features_are_prepared_ahead_by_ranks_and_processes(
    said: Said, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ["prepare", "csg405", "--data", str(dataset), "--features"]
    assert said(*line, tmp_path / "alone", "--workers", "2") == (0, "")
    for rank in ("0", "1"):
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setenv("RANK", rank)
        assert said(*line, tmp_path / "ranks") == (0, "")
    monkeypatch.delenv("RANK")
    monkeypatch.delenv("WORLD_SIZE")
    assert said(*line, tmp_path / "ranks") == (0, "")  # nothing but the statistics is left to do
    alone, ranks = (
        {
            file.relative_to(tmp_path / name): file.read_bytes()
            for file in (tmp_path / name).rglob("*.*")
        }
        for name in ("alone", "ranks")
    )
    assert alone == ranks and len(alone) == 2 * 8 + 1


def test_a_run_goes_on_from_a_file_of_settings_and_an_imported_model(
    said: Said, dataset: Path, release: dict[str, str], tmp_path: Path
) -> None:
    """Fine-tuning of published weights, with the settings of training in a file."""
    assert said(*importing(release)) == (0, "")
    settings = tmp_path / "mine.yaml"
    settings.write_text(
        "base: released\nframes: 30\nsize: {width: 32, depth: 2, heads: 2, hidden: 64}\n"
        "training: {steps: 1, batch_size: 2, precision: 'no', compile: false, workers: 0, learning_rate: 1.0e-12,"
        " tracker: none, previews: 0}\n"
    )
    line = ["train", "csg405", "--data", dataset, "--out", tmp_path / "run", "--config", settings]
    more = ["--encoder", release["--encoder"], "--features", tmp_path / "features"]
    assert said(*line, *more, "--warm-start", release["--out"])[0] == 0
    name = "diffusion_pytorch_model.safetensors"
    theirs, ours = (
        load_file(Path(each) / name) for each in (release["--out"], tmp_path / "run/model")
    )
    assert theirs.keys() == ours.keys()
    assert all(torch.allclose(ours[key], theirs[key], atol=1e-9) for key in theirs)


# ---- mistakes ----------------------------------------------------------------------------------------------


def test_what_is_right_makes_a_folder_and_nothing_is_said(said: Said, talk: dict[str, str]) -> None:
    code, words = said("generate", *sum(talk.items(), ()))
    assert (code, words) == (0, "")
    assert np.load(Path(talk["--out"]) / "pose.npy").shape == (25, 133, 3)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"--guides": "drawn"}, "csg-model: --guides is one of stableanimator, mimicmotion, "),
        ({"--guides": ""}, "csg-model: --guides is one of "),
        ({"--guides": "all,none"}, "csg-model: --guides is one of "),
        ({"--model": "nowhere"}, "csg-model: nowhere holds no trained model: "),
        ({"--audio": "absent.wav"}, "csg-model: there is no file absent.wav, and it is no clip "),
        ({"--reference": "nobody"}, "csg-model: there is no file nobody, and it is no clip "),
        ({"--reference": "00ff"}, "csg-model: the clip 00ff needs --data"),
        ({"--reference": "0", "--data": "nowhere"}, "csg-model: nowhere is no dataset: "),
        ({"--set": "steps=0"}, "csg-model: steps is 1 or more, got 0"),
        ({"--set": "steps=5000"}, "csg-model: the model has 1000 steps of noise, asked for"),
        ({"--set": "overlap=50"}, "csg-model: the model has windows of 50 frames, asked for"),
        ({"--set": "stepz=3"}, "csg-model: there is no setting 'stepz'; did you mean steps?"),
        ({"--set": "device=toaster"}, "csg-model: device 'toaster' cannot be used: "),
        ({"--set": "encoder=wav2vec2"}, "csg-model: wav2vec2 needs its weights: "),
        ({"--set": "encoder=mel"}, "csg-model: an encoder is one of logmel, "),
    ],
)
def test_a_mistake_in_generating_is_one_sentence_and_nothing_is_made(
    said: Said, talk: dict[str, str], changed: dict[str, str], sentence: str
) -> None:
    code, words = said("generate", *sum((talk | changed).items(), ()))
    assert code == 2
    assert words.startswith(sentence) and "Traceback" not in words
    assert not Path(talk["--out"]).exists()


@pytest.mark.parametrize(
    ("changed", "more", "sentence"),
    [
        ({"checkpoint": "absent.pth"}, [], "csg-model: there is no checkpoint absent.pth"),
        ({"checkpoint": __file__}, [], f"csg-model: {__file__} cannot be read as a PyTorch checkpoint "),
        ({"--statistics": "absent"}, [], "csg-model: statistics are a folder with Mean_pose_rescaled_"),
        ({"--statistics": str(ROOT)}, [], f"csg-model: there are no statistics {ROOT}/Mean_pose_resc"),
        ({"--encoder": "wav2vec2"}, [], "csg-model: wav2vec2 needs its weights: "),
        (
            {"--encoder": "logmel"},
            [],
            "csg-model: checkpoint_3.pth: embed_audio.weight is (32, 32), this network has (32, 160); ",
        ),
        ({}, ["-s", "size.depth=3"], "csg-model: checkpoint_3.pth lacks 'seqTransEncoder.layers.2."),
        ({}, ["-s", "size.deep=3"], "csg-model: there is no setting 'size.deep'; did you mean size.de"),
        ({}, ["--config", "tiny"], "csg-model: a released checkpoint needs network=released, got paper"),
        ({}, ["--config", "huge"], "csg-model: --config is one of tiny, small, paper, released, or a file"),
    ],
)  # fmt: skip
def test_a_mistake_in_importing_is_one_sentence_and_nothing_is_made(
    said: Said, release: dict[str, str], changed: dict[str, str], more: list[str], sentence: str
) -> None:
    code, words = said(*importing(release | changed, *more))
    assert code == 2
    assert words.startswith(sentence) and "Traceback" not in words
    assert not Path(release["--out"]).exists()


def test_importing_replaces_a_model_and_nothing_else(said: Said, release: dict[str, str]) -> None:
    out = Path(release["--out"])
    for _ in range(2):
        assert said(*importing(release)) == (0, "")
    (out / "thesis.tex").write_text("years of work")
    code, words = said(*importing(release))
    assert code == 2 and words.endswith("holds something else (thesis.tex); name a new folder")
    assert (out / "thesis.tex").read_text() == "years of work"


def test_a_place_that_cannot_be_written_is_one_sentence(
    said: Said, release: dict[str, str]
) -> None:
    code, words = said(*importing(release | {"--out": "/proc/model"}))
    assert code == 2 and words.startswith("csg-model: /proc/model cannot be written: ")


def test_a_foreign_folder_is_refused_before_the_work(said: Said, talk: dict[str, str]) -> None:
    Path(talk["--out"]).mkdir()
    (Path(talk["--out"]) / "thesis.tex").write_text("years of work")
    code, words = said("generate", *sum((talk | {"--model": "nowhere"}).items(), ()))
    assert code == 2 and words.endswith("holds something else (thesis.tex); name a new folder")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            ["--config", "huge"],
            "csg-model: --config is one of tiny, small, paper, released, or a file",
        ),
        (["--data", "nowhere"], "csg-model: nowhere is no dataset: it has no clips.parquet"),
        (["--config", "paper"], "csg-model: wav2vec2 needs its weights: "),
        (["--encoder", "mel"], "csg-model: an encoder is one of logmel, wav2vec2, hubert, wavlm"),
        (["--without", "nobody"], "csg-model: "),
        (
            ["-s", "training.steps=none"],
            "csg-model: training.steps: Input should be a valid integer",
        ),
        (["-s", "size.heads=5"], "csg-model: size.width is even and a multiple of size.heads (5)"),
        (["-s", "training.seed=20240101"], "csg-model: training.seed is 0 to 16777215, got 20240"),
        (["-s", "training"], "csg-model: a setting is NAME=VALUE, got 'training'"),
    ],
)
def test_a_mistake_in_training_is_one_sentence_and_nothing_is_made(
    said: Said, dataset: Path, tmp_path: Path, changed: list[str], sentence: str
) -> None:
    line = ["train", "csg405", "--data", str(dataset), "--out", str(tmp_path / "run")]
    code, words = said(*line, "--features", str(tmp_path / "features"), *changed)
    assert code == 2
    assert words.startswith(sentence) and "Traceback" not in words
    assert not (tmp_path / "run").exists()


def test_a_system_that_is_not_known_is_one_sentence(said: Said, dataset: Path) -> None:
    code, words = said("train", "emo3", "--data", dataset, "--out", "x")
    assert code == 2 and words.startswith("csg-model: a system is one of csg405")
    assert words.endswith("got 'emo3'")
    code, words = said("train", "cgs405", "--data", dataset, "--out", "x")
    assert words.endswith("got 'cgs405'; did you mean csg405?")


@pytest.mark.parametrize("seed", ["-1", "three", str(2**63)])
def test_a_seed_that_no_generator_takes_is_refused(
    said: Said, talk: dict[str, str], seed: str
) -> None:
    code, words = said("generate", *sum((talk | {"--seed": seed}).items(), ()))
    assert code == 2 and "--seed" in words


def test_an_identity_that_nobody_has_is_named(said: Said, dataset: Path, tmp_path: Path) -> None:
    line = ["train", "csg405", "--data", dataset, "--out", tmp_path / "run"]
    code, words = said(*line, "--features", tmp_path, "--without", "speaker:zoe")
    assert code == 2 and words.endswith("has no identity 'speaker:zoe'")


def test_a_picture_that_shows_nobody_is_one_sentence(
    said: Said, talk: dict[str, str], tmp_path: Path
) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "wall.png"), np.full((64, 64, 3), 90, np.uint8))
    talk["--reference"] = str(tmp_path / "wall.png")
    code, words = said("generate", *sum(talk.items(), ()))
    assert code == 2 and words.endswith("csg-model: wall.png shows no face")


def test_a_reference_without_a_sure_joint_is_one_sentence(
    said: Said, talk: dict[str, str], tmp_path: Path
) -> None:
    unsure = smooth_pose(0, 1)[0] * np.array([1.0, 1.0, 0.3], np.float32)
    np.save(tmp_path / "pose.npy", unsure)
    code, words = said("generate", *sum(talk.items(), ()))
    assert (code, words) == (2, "csg-model: the reference shows no joint with enough confidence")
    assert len(unsure) == kp.JOINTS


def test_help_is_there_at_once_and_names_what_there_is() -> None:
    lazy = "import sys; sys.argv = ['csg-model', '--help']; from models.__main__ import main\n"
    check = "try:\n    main()\nexcept SystemExit:\n    assert 'torch' not in sys.modules\n"
    done = subprocess.run(
        [sys.executable, "-c", lazy + check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout and "generate" in done.stdout

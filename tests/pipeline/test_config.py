"""Settings from a file and from the command line; a mistake is one sentence."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipeline import flow
from pipeline.__main__ import app
from pipeline.config import ConfigError, Run, load
from pipeline.perception.people import PersonDetector
from pipeline.perception.pose.onnx import OnnxPose
from pipeline.stages.s070_pose import EstimatePose


def test_an_override_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("workers: 3\nspans: {shortest: 6}\n")
    run = load(file, ("spans.shortest=7", "rules.static=0.1"))
    assert (run.workers, run.spans.shortest, run.rules) == (3, 7.0, {"static": 0.1})


def test_the_work_folder_lies_beside_the_dataset(tmp_path: Path) -> None:
    run = load(None, (f"out={tmp_path}/set",))
    assert run.work_folder == tmp_path / "set.work"
    assert run.lock_file.parent == run.work_folder


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("wrkers=2", "wrkers"),
        ("workers=none", "workers: .*'none'"),
        ("workers=0", "workers: .*greater than or equal to 1, got 0"),
        ("spans.shortest", "key=value"),
        ("workers.many=2", "workers"),
        ("pose.backend=dwposs", "pose.backend: there are mediapipe, onnx, mmpose, got 'dwposs'"),
        ("sync.backend=light-as", "did you mean light-asd"),
        ("shots.backend=3", "shots.backend"),
        ("pose.detector=people.onnx", "mediapipe has its own"),
        ("pose.device=cuda", "mediapipe runs on the processor"),
    ],
)
def test_a_setting_that_cannot_be_is_one_sentence(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as fault:
        load(None, (override,))
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(("text", "words"), [("a: [", "not YAML"), ("[1]", "holds a list")])
def test_a_file_that_is_no_settings_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file .*none\.yaml"):
        load(tmp_path / "none.yaml")


def test_the_printed_settings_load_again(tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["settings", "--set", "workers=2"]).stdout
    file = tmp_path / "run.yaml"
    file.write_text(printed)
    assert yaml.safe_load(printed)["workers"] == 2
    assert isinstance(load(file), Run)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("ruls.static=1", "ruls: no such setting; did you mean rules?"),
        ("crop.sze=1", "crop.sze: no such setting; did you mean size?"),
        ("limit=-1", "limit: input should be greater than or equal to 1, got -1"),
        ("crop=[1", "crop: '[1' is not YAML: line 1, column 3"),
        ("rules.static=.nan", "rules.static: input should be a finite number"),
        ("spans.shortest=-3", "spans.shortest: input should be greater than or equal to 1, got -3"),
        ("spans.longest=6", "longest be twice shortest at least, got 5, 10, 6"),
        ("training_only=close_up", "training_only: input should be a valid tuple, got 'close_up'"),
        ("crop.size=0", "crop.size: input should be greater than or equal to 64, got 0"),
    ],
)
def test_a_slip_is_named_with_what_was_meant(override: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(None, (override,))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_settings_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bin.yaml").write_bytes(b"\xff\xfe\x00\x9c")
    for file, said in ((tmp_path / "bin.yaml", "not UTF-8"), (tmp_path, "cannot be read")):
        with pytest.raises(ConfigError, match=said):
            load(file)


def test_one_line_chooses_who_finds_people_and_poses_and_where(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "pose: {backend: onnx, weights: dwpose.onnx, detector: rtmdet.onnx, device: cuda}\n"
    )
    run = load(file)
    eyes = next(s for s in flow.build(run).on_clip if isinstance(s, EstimatePose)).backend
    people = PersonDetector(run.pose.detector or Path(), device="cuda")
    assert eyes == OnnxPose(run.pose.weights or Path(), people=people, device="cuda")
    assert [line for line in flow.lacking(run) if line.startswith("pose.backend: onnx cannot run")]


def test_a_run_knows_its_folders_by_absolute_paths_wherever_workers_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = load(None, ("out=set", "lock=pins.jsonl", "fetch.opt_outs=out.txt")).resolved()
    assert (run.out, run.work_folder) == (tmp_path / "set", tmp_path / "set.work")
    assert (run.lock_file, run.fetch.opt_outs) == (tmp_path / "pins.jsonl", tmp_path / "out.txt")
    assert run.resolved() == run


@pytest.mark.parametrize("key", ["out", "work", "lock"])
def test_an_object_store_is_no_folder(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: .*a folder on a disk is needed"):
        load(None, (f"{key}=s3://bucket/set",))

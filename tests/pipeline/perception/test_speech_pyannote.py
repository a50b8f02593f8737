import importlib.util
import os
import pickle
import sys
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import yaml

from pipeline.perception.speech import BACKENDS, Pyannote, SpeechBackend, SpeechError
from pipeline.perception.speech.pyannote import (
    CHECKPOINTS,
    PARTS,
    PIPELINE,
    check_pickle,
    configuration,
    heard,
)

CONFIG = {
    "version": "3.1.0",
    "pipeline": {
        "name": PIPELINE,
        "params": {
            "clustering": "AgglomerativeClustering",
            "segmentation": "pyannote/segmentation-3.0",
            "embedding": "pyannote/wespeaker-voxceleb-resnet34-LM",
            "embedding_exclude_overlap": True,
        },
    },
    "preprocessors": {"audio": "somewhere.else.Class"},
    "params": {
        "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7},
        "segmentation": {"min_duration_off": 0.0},
    },
}


def library() -> bool:
    return importlib.util.find_spec("torchaudio") is not None and (
        importlib.util.find_spec("pyannote") is not None
        and importlib.util.find_spec("pyannote.audio") is not None
    )


@pytest.fixture
def folder(tmp_path):
    for part in PARTS:
        (tmp_path / part).parent.mkdir(exist_ok=True)
        (tmp_path / part).write_bytes(b"")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    for checkpoint in CHECKPOINTS:
        torch.save({"state_dict": {"w": torch.zeros(2)}}, tmp_path / checkpoint)
    return tmp_path


class Harmful:
    def __reduce__(self):
        return os.system, ("true",)


def test_the_backend_fulfils_the_interface_and_can_be_sent_to_a_worker(folder):
    backend = BACKENDS["pyannote"](folder=folder)
    assert isinstance(backend, SpeechBackend)
    assert pickle.loads(pickle.dumps(backend)) == backend
    assert backend.measures == {"turns", "overlaps"}


def test_what_is_missing_is_said_and_stops_the_loading(folder):
    lack = Pyannote().missing()
    assert lack is not None
    assert ("installed" in lack) != library()
    with pytest.raises(SpeechError, match=r"speech backend pyannote"):
        Pyannote().load()


@pytest.mark.skipif(not library(), reason="pyannote.audio is not installed")
def test_a_library_whose_torchaudio_is_absent_is_not_called_ready(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    assert "torchaudio" in (Pyannote(folder=folder).missing() or "")


@pytest.mark.skipif(not library(), reason="pyannote.audio is not installed")
def test_a_library_that_cannot_be_imported_is_one_sentence(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyannote.audio", None)
    with pytest.raises(SpeechError, match="cannot be imported"):
        Pyannote(folder=folder).load()


@pytest.mark.skipif(not library(), reason="pyannote.audio is not installed")
@pytest.mark.parametrize("part", PARTS)
def test_an_absent_file_is_named(folder, part):
    (folder / part).unlink()
    assert part in (Pyannote(folder=folder).missing() or "")


def test_the_weights_hash_covers_every_file(folder):
    before = Pyannote(folder=folder).weights
    (folder / "plda" / "plda.npz").unlink()
    assert before is not None
    assert Pyannote(folder=folder).weights is None
    assert Pyannote().weights is None


def test_every_model_is_taken_from_the_folder_and_foreign_classes_are_left_out(folder):
    config = configuration(folder)
    assert set(config) == {"pipeline", "params"}
    settings = config["pipeline"]["params"]
    for part in ("segmentation", "embedding", "plda"):
        assert settings[part] == {"checkpoint": str(folder), "subfolder": part}
    assert settings["clustering"] == "AgglomerativeClustering"
    assert config["params"] == CONFIG["params"]


@pytest.mark.parametrize("text", ["pipeline: {name: os.system}", "[]", "pipeline: 3", ""])
def test_another_configuration_is_refused(folder, text):
    (folder / "config.yaml").write_text(text)
    with pytest.raises(SpeechError, match=r"config\.yaml"):
        configuration(folder)


def test_a_checkpoint_of_tensors_is_accepted(folder):
    for checkpoint in CHECKPOINTS:
        check_pickle(folder / checkpoint)


def test_a_checkpoint_that_would_run_something_is_refused_unread(folder):
    path = folder / CHECKPOINTS[0]
    torch.save({"state_dict": {}, "extra": Harmful()}, path)
    with pytest.raises(SpeechError, match=r"would run .*system"):
        check_pickle(path)


def test_a_file_that_is_no_checkpoint_is_refused(folder):
    path = folder / CHECKPOINTS[1]
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(SpeechError, match="is no PyTorch checkpoint"):
        check_pickle(path)


@dataclass
class Diarization:
    speaker_diarization: object
    exclusive_speaker_diarization: object
    speaker_embeddings: np.ndarray | None


def annotation(*rows):
    core = pytest.importorskip("pyannote.core")
    result = core.Annotation()
    for number, (start, stop, who) in enumerate(rows):
        result[core.Segment(start, stop), number] = who
    return result


def test_an_answer_becomes_turns_overlaps_and_voices():
    found = Diarization(
        annotation((0.2, 2.0, "B"), (2.4, 4.0, "B"), (3.5, 6.0, "A")),
        annotation((0.2, 2.0, "B"), (2.4, 3.5, "B"), (3.5, 6.0, "A")),
        np.array([[3.0, 4.0], [np.nan, np.nan]]),
    )
    result = heard(found, 5.5, 1.0)
    assert result.turns == ((0.2, 3.5, 0), (3.5, 5.5, 1))
    assert result.overlaps == ((3.5, 4.0),)
    assert result.voiced == ((0.2, 2.0), (2.4, 5.5))
    assert result.voices.tolist() == [[0.0, 0.0], [pytest.approx(0.6), pytest.approx(0.8)]]


def test_turns_without_voices_are_turns():
    """The pipeline gives no embeddings where its clustering needs none; asking for the speakers' rows was an error."""
    said = annotation((0.2, 2.0, "B"), (3.5, 6.0, "A"))
    result = heard(Diarization(said, said, None), 6.0, 1.0)
    assert result.turns == ((0.2, 2.0, 0), (3.5, 6.0, 1))
    assert result.voices.shape == (0, 0)


def random_folder(folder):
    """A folder laid out like community-1, whose networks have its architectures and random weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the library cannot decode here
        import pytorch_lightning
        from pyannote.audio.core.task import Problem, Resolution, Specifications
        from pyannote.audio.models.embedding import WeSpeakerResNet34
        from pyannote.audio.models.segmentation import PyanNet

    torch.manual_seed(0)
    segmentation, embedding = PyanNet(), WeSpeakerResNet34()
    segmentation.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION, resolution=Resolution.FRAME, duration=10.0,
        classes=["a", "b", "c"], powerset_max_classes=2, permutation_invariant=True,
    )  # fmt: skip
    embedding.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0
    )
    for model, part in ((segmentation, CHECKPOINTS[0]), (embedding, CHECKPOINTS[1])):
        model.build()
        trainer = pytorch_lightning.Trainer(logger=False, enable_checkpointing=False, max_steps=0)
        trainer.strategy.connect(model)
        (folder / part).parent.mkdir(exist_ok=True)
        trainer.save_checkpoint(folder / part)
    (folder / "plda").mkdir()
    draw = np.random.default_rng(0)
    lda, _ = np.linalg.qr(draw.normal(size=(256, 128)))
    np.savez(
        folder / "plda" / "xvec_transform.npz", mean1=np.zeros(256), mean2=np.zeros(128), lda=lda
    )
    np.savez(
        folder / "plda" / "plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=np.linspace(2, 1, 128)
    )
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not library(), reason="pyannote.audio is not installed")
def test_the_real_pipeline_runs_with_random_weights(tmp_path):
    backend = Pyannote(folder=random_folder(tmp_path))
    assert backend.missing() is None
    noise = (np.random.default_rng(0).normal(size=16_000 * 12) * 3_000).astype(np.int16)
    result = backend.load()(noise)
    assert all(0.0 <= start < stop <= 12.0 for start, stop, _ in result.turns)
    assert len(result.voices) == len({speaker for *_, speaker in result.turns})
    with pytest.raises(SpeechError, match="expected 00"):
        Pyannote(folder=backend.folder, sha256="00").load()

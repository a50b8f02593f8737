"""Settings of a training run, and the overriding of any nested setting by its dotted name."""

import dataclasses
import difflib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from manifests.errors import UserError

Config = TypeVar("Config")


class SettingsError(UserError):
    """A setting that does not exist, or a value it cannot have."""


SEEDS = 1 << 24
"""Seeds below leave 40 of the generator's 64 bits to rank and step."""


@dataclass(frozen=True, slots=True)
class Training:
    """How long, how fast and how exactly the networks of a phase are trained.

    batch_size: samples per step over all ranks, in `accumulate` parts whose gradients are summed. learning_rate: of
    AdamW, reached after `warmup` steps. max_grad_norm: what gradients are clipped to. ema_decay: of the averaged
    weights, those that are exported. save, validate, log: every so many steps; log holds means over its interval.
    keep: newest checkpoints that stay; milestones: every so many steps one stays for good, 0 for none.
    validation_clips: that validation looks at, at most. previews: of these, clips that motion is generated for.
    """

    steps: int = 2_000
    batch_size: int = 16
    accumulate: int = 1
    learning_rate: float = 3e-4
    schedule: Literal["constant_with_warmup", "cosine"] = "constant_with_warmup"
    warmup: int = 100
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    ema_decay: float = 0.999
    precision: Literal["no", "bf16", "fp16"] = "no"
    compile: bool = False
    seed: int = 0
    workers: int = 0
    threads: int | None = None
    save: int = 200
    keep: int = 2
    milestones: int = 0
    validate: int = 500
    validation_clips: int = 64
    previews: int = 2
    log: int = 20
    tracker: Literal["tensorboard", "wandb", "trackio", "none"] = "tensorboard"

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        for name in ("steps", "batch_size", "accumulate", "save", "keep", "validate", "log"):
            if getattr(self, name) < 1:
                raise SettingsError(f"training.{name} is 1 or more, got {getattr(self, name)}")
        counts = ("warmup", "workers", "milestones", "validation_clips", "previews")
        for name in (*counts, "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise SettingsError(f"training.{name} is 0 or more, got {getattr(self, name)}")
        if self.precision == "fp16":
            raise SettingsError(
                "training.precision is no or bf16, got fp16: what its loss scaler holds is not kept, so a resumed run "
                "would not be the same"
            )
        if not 0 <= self.seed < SEEDS:
            raise SettingsError(f"training.seed is 0 to {SEEDS - 1}, got {self.seed}")
        if self.threads is not None and self.threads < 1:
            raise SettingsError(f"training.threads is 1 or more, got {self.threads}")
        if not 0.0 <= self.ema_decay < 1.0:
            raise SettingsError(f"training.ema_decay is from 0 to below 1, got {self.ema_decay}")
        if not 0.0 < self.learning_rate < math.inf or not self.max_grad_norm > 0.0:
            raise SettingsError(
                "training.learning_rate and max_grad_norm are above 0, got "
                f"{self.learning_rate}, {self.max_grad_norm}"
            )


def configured(
    configs: Mapping[str, Callable[[], Any]], wanted: str, assignments: Sequence[str]
) -> Any:
    """A configuration by its name, or of a YAML file, with `a.b=value` applied.

    A file is a nested mapping of settings; `base` in it names the configuration that all else is of, without it the
    first. Raises SettingsError.
    """
    if wanted in configs:
        return overridden(configs[wanted](), assignments)
    if not wanted.endswith((".yaml", ".yml")):
        raise SettingsError(
            f"--config is one of {', '.join(configs)}, or a file that ends in .yaml, got {wanted!r}"
        )
    try:
        content = yaml.safe_load(Path(wanted).read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = str(error).partition("\n")[0]
        raise SettingsError(f"{wanted} cannot be read as YAML: {reason}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{wanted} holds a {type(content).__name__}, needed settings by name")
    base = content.pop("base", next(iter(configs)))
    if base not in configs:
        raise SettingsError(f"{wanted}: base is one of {', '.join(configs)}, got {base!r}")
    config = configs[base]()
    settings: dict[str, Any] = dataclasses.asdict(config)
    for path, value in flattened(content):
        place(settings, path, value)
    return overridden(parsed(type(config), settings), assignments)


def flattened(settings: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of every setting in a nested mapping."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def overridden(config: Config, assignments: Sequence[str]) -> Config:
    """A nested dataclass with `a.b=value` applied, the value read as YAML. Raises SettingsError."""
    settings: dict[str, Any] = dataclasses.asdict(config)  # type: ignore[call-overload]
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals:
            raise SettingsError(f"a setting is NAME=VALUE, got {assignment!r}")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise SettingsError(f"{path}: {value!r} cannot be read as YAML") from error
        place(settings, path, read, shown=value)
    return parsed(type(config), settings)


def place(settings: dict[str, Any], path: str, value: object, *, shown: object = None) -> None:
    """Set a setting by its dotted name. shown: the value as it was given. Raises SettingsError."""
    where, *names = settings, *path.split(".")
    for depth, name in enumerate(names):
        if not isinstance(where, dict) or name not in where:
            known = [str(key) for key in where] if isinstance(where, dict) else []
            near = difflib.get_close_matches(name, known, n=1)
            if near:
                hint = f"; did you mean {'.'.join([*names[:depth], near[0]])}?"
            else:
                hint = f"; there are {', '.join(known)}" if known else ""
            raise SettingsError(f"there is no setting {path!r}{hint}")
        if depth + 1 < len(names):
            where = where[name]
    before = where[names[-1]]
    if isinstance(before, dict):
        raise SettingsError(f"{path!r} is a group of settings; set one of {', '.join(before)}")
    if isinstance(value, bool) and isinstance(before, int | float) and not isinstance(before, bool):
        raise SettingsError(
            f"{path}: a number is needed, got {shown if shown is not None else value!r}"
        )
    where[names[-1]] = value


def parsed(kind: type[Config], plain: object) -> Config:
    """A nested dataclass from plain values, checked by its types. Raises SettingsError."""
    try:
        return TypeAdapter(kind).validate_python(plain)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if isinstance(refused := first.get("ctx", {}).get("error"), ValueError):
            raise SettingsError(str(refused)) from error
        raise SettingsError(
            f"{where}: {first['msg']}, got {first['input']!r}" if where else first["msg"]
        ) from error


def plain(config: object) -> dict[str, Any]:
    """A nested dataclass as what JSON holds."""
    return json.loads(json.dumps(dataclasses.asdict(config)))  # type: ignore[call-overload]


def differing(one: object, other: object) -> list[str]:
    """Dotted names of the settings in which two plain nested dictionaries differ."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return [] if one == other else [""]
    names: list[str] = []
    for key in sorted(one.keys() | other.keys()):
        names += [f"{key}.{rest}".rstrip(".") for rest in differing(one.get(key), other.get(key))]
    return names

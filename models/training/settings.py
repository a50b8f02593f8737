"""Settings of a training run, and the overriding of any nested setting by its dotted name."""

import dataclasses
import difflib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
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
    """How long, how fast and how exactly a network is trained.

    batch_size: samples per step over all ranks. learning_rate: of AdamW, reached after `warmup` steps.
    max_grad_norm: what gradients are clipped to. ema_decay: of the averaged weights, those that are exported. save,
    validate, log: every so many steps. keep: checkpoints that stay.
    previews: clips whose skeletons are drawn at each validation.
    """

    steps: int = 2_000
    batch_size: int = 16
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
    validate: int = 500
    previews: int = 2
    log: int = 20
    tracker: Literal["tensorboard", "wandb", "trackio", "none"] = "tensorboard"

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        for name in ("steps", "batch_size", "save", "keep", "validate", "log"):
            if getattr(self, name) < 1:
                raise SettingsError(f"training.{name} is 1 or more, got {getattr(self, name)}")
        for name in ("warmup", "workers", "previews", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise SettingsError(f"training.{name} is 0 or more, got {getattr(self, name)}")
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


def overridden(config: Config, assignments: Sequence[str]) -> Config:
    """A nested dataclass with `a.b=value` applied, the value read as YAML. Raises SettingsError."""
    plain: dict[str, Any] = dataclasses.asdict(config)  # type: ignore[call-overload]
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals:
            raise SettingsError(f"a setting is NAME=VALUE, got {assignment!r}")
        place, *names = plain, *path.split(".")
        for depth, name in enumerate(names):
            if not isinstance(place, dict) or name not in place:
                known = [str(key) for key in place] if isinstance(place, dict) else []
                near = difflib.get_close_matches(name, known, n=1)
                if near:
                    hint = f"; did you mean {'.'.join([*names[:depth], near[0]])}?"
                else:
                    hint = f"; there are {', '.join(known)}" if known else ""
                raise SettingsError(f"there is no setting {path!r}{hint}")
            if depth + 1 < len(names):
                place = place[name]
        if isinstance(place[names[-1]], dict):
            raise SettingsError(
                f"{path!r} is a group of settings; set one of {', '.join(place[names[-1]])}"
            )
        place[names[-1]] = read(path, value, place[names[-1]])
    return parsed(type(config), plain)


def read(path: str, value: str, before: object) -> object:
    """A value as YAML. before: what it replaces. Raises SettingsError."""
    try:
        held = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: {value!r} cannot be read as YAML") from error
    if isinstance(held, bool) and isinstance(before, int | float) and not isinstance(before, bool):
        raise SettingsError(f"{path}: a number is needed, got {value!r}")
    return held


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

"""The columns of each shard family for Hugging Face `datasets`: `Features.from_dict(features("motion"))`."""

import types
from collections.abc import Mapping
from enum import Enum
from fractions import Fraction
from typing import Literal, Union, get_args, get_origin

from pydantic import BaseModel

from manifests.record import Clip
from manifests.shards import FAMILIES, RUN_ONLY

Feature = dict[str, object]

LIST = "List"


def listed(inner: Feature, times: int = 1) -> Feature:
    """A list of a list of … of something."""
    return inner if times == 0 else {"feature": listed(inner, times - 1), "_type": LIST}


# The bytes as they are: `cast_column("flac", Audio())` makes sound of them, where torchcodec is installed.
FILE: Feature = {"dtype": "binary", "_type": "Value"}
BINARY: Mapping[str, Feature] = {
    "pose.npy": listed({"dtype": "float32", "_type": "Value"}, 3),
    "flac": FILE,
    "mp4": FILE,
}
PLAIN: Mapping[object, str] = {
    str: "string",
    int: "int64",
    float: "float64",
    bool: "bool",
    Fraction: "string",
}


def features(family: str) -> dict[str, Feature]:
    """The features of one family, `__key__` and `__url__` included. Raises KeyError for an unknown family."""
    text = value("string")
    return {
        "__key__": text,
        "__url__": text,
        **{
            ending: json_features() if ending == "json" else dict(BINARY[ending])
            for ending in FAMILIES[family]
        },
    }


def json_features() -> Feature:
    """Of the JSON member."""
    return of_model(Clip, RUN_ONLY)


def of_model(model: type[BaseModel], left_out: Mapping[str, set[str]] | None = None) -> Feature:
    """Of a record, field by field, in the order in which JSON members are written."""
    found: Feature = {}
    for name, field in sorted(model.model_fields.items()):
        hidden = (left_out or {}).get(name, set[str]())
        shown = of(field.annotation)
        found[name] = {key: item for key, item in shown.items() if key not in hidden}
    return found


def of(kind: object) -> Feature:
    """Of a type as the records use them."""
    kind = bare(kind)
    if get_origin(kind) is tuple:
        return listed(of(get_args(kind)[0]))
    if get_origin(kind) is Literal:
        return value(PLAIN[type(get_args(kind)[0])])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return of_model(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return value("string")
    return value(PLAIN[kind])


def bare(kind: object) -> object:
    """The `X` of `X | None`."""
    if get_origin(kind) in (Union, types.UnionType):
        return next(option for option in get_args(kind) if option is not type(None))
    return kind


def value(dtype: str) -> Feature:
    """Of one plain value."""
    return {"dtype": dtype, "_type": "Value"}

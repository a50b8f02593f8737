"""The records: frozen, strict, and readable after years."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from manifests.record import Clip, Source
from tests.examples import clip, source

EXAMPLES = Path(__file__).parent / "examples"


def test_records_write_and_read_back_equal() -> None:
    for record in (clip(), source(200, turns=((0, 200),))):
        assert type(record).model_validate_json(record.model_dump_json()) == record


def test_an_unknown_field_is_refused() -> None:
    held = json.loads(clip().model_dump_json())
    held["pose"]["sharpness"] = 1.0
    with pytest.raises(ValidationError, match="sharpness"):
        Clip.model_validate(held)


def test_a_number_that_is_none_is_refused() -> None:
    held = json.loads(clip().model_dump_json())
    held["person"]["face_height"] = float("nan")
    with pytest.raises(ValidationError):
        Clip.model_validate(held)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        clip().id = "other"


@pytest.mark.parametrize(("kind", "name"), [(Clip, "clip-1.json"), (Source, "source-1.json")])
def test_examples_of_earlier_schemas_still_load(kind: type[Clip] | type[Source], name: str) -> None:
    kind.model_validate_json((EXAMPLES / name).read_text())

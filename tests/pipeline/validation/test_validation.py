"""A fault edited into small made films, and what the filter that looks for it says of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from manifests.record import Why
from pipeline.rules import RULES
from pipeline.validation import faults
from pipeline.validation.faults import RGB
from pipeline.validation.picture_filters import CAMERA, case, look
from pipeline.validation.picture_stages import PictureStages
from pipeline.validation.scores import Case, judged
from pipeline.validation.table import table

FRAMES = 40
PEOPLE = ("a", "b", "c", "d")
RULE = next(rule for rule in RULES if rule.why is Why.FROZEN)


def moving(seed: int) -> list[RGB]:
    """A coarse pattern with a bright square that swings to and fro."""
    drawn = np.random.default_rng(seed)
    coarse = drawn.integers(40, 160, (9, 16, 3)).astype(np.uint8)
    back = cv2.resize(coarse, (320, 180), interpolation=cv2.INTER_CUBIC)
    made = [back.copy() for _ in range(FRAMES)]
    for number, picture in enumerate(made):
        left = round(130 + 90 * np.sin(number / 4.0 + seed))
        picture[50:130, left : left + 70] = 230
    return made


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Case]]:
    """Each film as it went through a file, and its first picture again and again."""
    folder = tmp_path_factory.mktemp("validation")
    stages, cases = PictureStages.open(folder / "work"), list[Case]()
    for seed, person in enumerate(PEOPLE):
        file = faults.write(moving(seed), folder / f"{person}.mp4")
        pictures = faults.pictures_of(file, stop=FRAMES / 25)
        still = faults.frozen(pictures[0], frames=FRAMES, grain=2.0, seed=seed)
        for fault, film in ((False, pictures), (True, still)):
            cases.append(case(person, fault, look(stages, film), Why.FROZEN))
    return {Why.FROZEN: cases}


def test_a_file_is_read_back_at_its_length_and_size(tmp_path: Path) -> None:
    file = faults.write(moving(0), tmp_path / "film.mp4")
    pictures = faults.pictures_of(file)
    assert len(pictures) == FRAMES and pictures[0].shape == (180, 320, 3)
    assert len(faults.pictures_of(file, start=0.4, stop=1.2)) == 20
    assert faults.pictures_of(file, long_side=160)[0].shape == (90, 160, 3)


def test_the_filter_tells_a_still_picture_from_a_film(found: dict[str, list[Case]]) -> None:
    cases = found[Why.FROZEN]
    assert all(each.asked and each.value is not None for each in cases)
    result = judged(cases, keeps=RULE.comparator, threshold=RULE.threshold, misses_drop=True)
    assert (result.cases, result.people) == ((4, 4), (4, 4))
    assert (result.own.precision, result.own.recall) == (1.0, 1.0)
    assert (result.fitted.precision, result.fitted.recall) == (1.0, 1.0)


def test_the_table_has_a_line_for_every_filter_and_a_histogram(
    found: dict[str, list[Case]],
) -> None:
    faulty = {Why.FROZEN: "one picture under grain", CAMERA: "a camera that turns"}
    shown = table(found, {str(k): v for k, v in faulty.items()}, absent={Why.BACK_VIEW: "no film"})
    lines = shown.splitlines()
    assert lines[2].startswith(
        "| `frozen_picture` | one picture under grain | 4, 4 | 4, 4 | 0, 0 |"
    )
    assert "1.000 [1.000, 1.000] | 1.000 [1.000, 1.000]" in lines[2]
    assert lines[3].startswith("| `camera_motion` | a camera that turns | 0 in all: no comparison")
    assert lines[4].startswith("| `back_view` | no film |")
    assert len({line.count("|") for line in lines[:5]}) == 1
    assert RULE.measurement in shown and f"^ {RULE.threshold:g}" in shown

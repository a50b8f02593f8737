"""A headline repeats the figures of its page's tables: rows by hand, and what they must become."""

import pytest

from research.truth.headlines import Headline, cascade, filters, identity, shots, speech
from research.truth.tables import TableError

FILTERS = """
| filter | the fault | cases with, without | people | threshold | precision | recall | fitted | precision | recall |
|---|---|---|---|---|---|---|---|---|---|
| `close_up` | cut to the head; as is | 20, 30 | 4, 5 | <= 0.4 | 0.9 [0.8, 1] | 0.7 [0.6, 1] | 0.3, 0.5 | 0.6 | 0.5 |
| `camera_motion` | a window slid | 20, 30 | 4, 5 | – | – | – | 0.3, 0.5 | 0.6 | 0.5 |
| `back_view` | no footage is at hand: never acts | | | | | | | | |
"""
TURNS = """Thresholds are fitted on 3 people and every figure is of 7 others.

## Turns, speech, overlap

| recording | who listens | diarization error |
|---|---|---|
| a | embedded | 0.5 |
| b | embedded | 0.1 |
| c | embedded | 0.3 |
| a | segmentation | 0.2 |

"""
SHOTS = """
- unseen: 12 clips, 13 films: 84 camera

## The unseen half

| detector | cuts, F1 ±1 | gradual, F1 by overlap |
|---|---|---|
| ours | **0.9** | **0.8** |
| Content | **0.5** | **0.6** |
| Hash | **0.7** | **0.4** |

## Cost

| CPU seconds | bare decode | ours | PySceneDetect Adaptive |
|---|---|---|---|
| 8 files, 26 frames | 4.6 | 5.7 | 11.4 |
| over the bare decode | 1 | **1.23** | 2.47 |
"""
CASCADE = """
| | candidates | kept |
|---|---|---|
| until a rule drops | 25 | 17 |

The clips kept are {same}. Saved: 20% of the frames decoded for candidates, 4% of the CPU time.
"""


def rule(name: str, measure: str) -> str:
    return f"""## `{name}`

| measure | dropped above | cases without + with the fault | precision | recall |
|---|---|---|---|---|
| {measure} | 0.3 (fitted) | 30 + 20 | 0.1 | 0.2 |
| {measure} | 0.5 (the rule's) | 30 + 20 | 0.8 | 0.4 |

"""


def test_a_filter_is_reported_at_its_own_number() -> None:
    assert filters(FILTERS)[0] == Headline(
        "`close_up`",
        "cut to the head",
        "20 cases with it, 30 without, 4 and 5 people",
        "precision 0.9 [0.8, 1], recall 0.7 [0.6, 1]",
    )


def test_a_measurement_without_a_number_is_reported_with_the_fitted_one() -> None:
    assert filters(FILTERS)[1].figure == "precision 0.6, recall 0.5, fitted on other people"


def test_a_filter_without_footage_is_said_not_to_be_measured() -> None:
    assert filters(FILTERS)[2] == Headline(
        "`back_view`", "not measured", "none", "no footage is at hand"
    )


def test_turns_are_reported_by_their_median_and_rules_at_their_own_number() -> None:
    overlap = "two voices, the second 0 to {} dB under"
    text = TURNS + "".join(
        (
            rule("no_speech", "share without speech; voice cut out"),
            rule("overlapped_speech", overlap.format(6)),
            rule("music_under_speech", "made-up music, 0 to 20 dB under"),
        )
    )
    with pytest.raises(TableError, match=r"overlapped_speech: no row of .*15 dB"):
        speech(text)
    wider = rule("overlapped_speech", overlap.format(15)).splitlines()[4:6]
    line = f"| {overlap.format(6)} | 0.5 (the rule's) | 30 + 20 | 0.8 | 0.4 |"
    rows = speech(text.replace(line, "\n".join((line, *wider))))
    assert rows[0].footage == "20 cases with it, 30 without, 7 people"
    assert {row.figure for row in rows[:4]} == {"precision 0.8, recall 0.4"}
    assert [row.figure for row in rows[4:]] == [
        "median 0.30 (0.10 to 0.50)",
        "median 0.20 (0.20 to 0.20)",
    ]
    assert rows[4].footage == "3 recordings"


def test_shots_stand_beside_the_best_of_the_other_detectors() -> None:
    assert [row.figure for row in shots(SHOTS)] == [
        "`embedded` 0.900; best of `pyscenedetect`'s detectors 0.700 (Hash)",
        "`embedded` 0.800; best of `pyscenedetect`'s detectors 0.600 (Content)",
        "`embedded` 1.23; `pyscenedetect` 2.47 (Adaptive)",
    ]


@pytest.mark.parametrize(
    ("same", "said"), [("the same", "the same clips kept"), ("NOT the same", "other clips kept")]
)
def test_other_clips_kept_are_said(same: str, said: str) -> None:
    (row,) = cascade(CASCADE.format(same=same))
    assert row.figure == f"{said}; 20% of frames and 4% of CPU time saved"


def test_a_page_without_its_sentence_is_an_error() -> None:
    with pytest.raises(TableError, match="no sentence like"):
        cascade(CASCADE.split("\n\n")[0])
    with pytest.raises(TableError, match="no table of 'what is found'"):
        identity(CASCADE)

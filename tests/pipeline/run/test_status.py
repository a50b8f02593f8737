"""What is on record, left and stale; and what nothing in a work folder refers to."""

import pytest

from pipeline.config import ConfigError
from pipeline.run.gc import collect
from pipeline.run.status import state
from tests.cases import Case
from tests.faults import cheap

pytestmark = [pytest.mark.xdist_group("known"), pytest.mark.timeout(240)]


def said(case: Case, *given: str) -> str:
    run = case.settings(*given)
    return "\n".join(state(run, flow=cheap.flow(run)))


def freed(case: Case, *given: str, stale: bool = False, dry: bool = False) -> dict[str, int]:
    run = case.settings(*given)
    found = collect(run, stale=stale, dry=dry, flow=cheap.flow(run))
    return {**found.files, "entries": found.entries}


def test_of_a_finished_set_nothing_is_left(case: Case) -> None:
    text = said(case)
    assert "0 to do" in text and "nothing is to do" in text
    assert f"has root {case.root}" in text
    assert "stale" not in text and "changed since" not in text


def test_what_another_setting_makes_stale_is_named_with_the_setting(case: Case) -> None:
    text = said(case, "crop.margin=0.3")
    assert "stale: " in text and "framing of " in text
    assert "changed since: framing.margin: 0.08 → 0.3" in text


def test_a_moved_threshold_makes_nothing_stale(case: Case) -> None:
    text = said(case, "rules.static=0.01")
    assert "0 to do" in text
    assert "rules.static.threshold: 0.035 → 0.01" in text


def test_other_bytes_under_the_same_name_are_found(case: Case) -> None:
    file = case.share / "ada.mp4"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert "fetch" in said(case)


def test_a_finished_set_has_nothing_to_free(case: Case) -> None:
    assert freed(case) == {"entries": 0}
    assert freed(case, stale=True) == {"entries": 0}


def test_blobs_that_no_record_refers_to_are_freed_and_the_set_stays_as_it_is(case: Case) -> None:
    before = case.root
    stray = case.work / "blobs" / "ab" / f"{'ab' * 32}.npy"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"stray")
    assert freed(case, dry=True) == {"blobs": 1, "entries": 0}
    assert stray.exists()
    assert freed(case) == {"blobs": 1, "entries": 0}
    assert not stray.exists()
    assert (case.build()[0], case.root) == (0, before)


def test_records_of_other_settings_are_freed_only_when_asked_for(case: Case) -> None:
    assert case.build("crop.margin=0.3")[0] == 0
    assert freed(case) == {"entries": 0}
    found = freed(case, "crop.margin=0.3", stale=True)
    assert found["entries"] > 0 and found["blobs"] > 0
    assert freed(case, "crop.margin=0.3", stale=True) == {"entries": 0}
    assert "nothing is to do" in said(case, "crop.margin=0.3")


def test_what_is_stale_of_a_source_that_is_not_here_cannot_be_told(case: Case) -> None:
    case.share.rename(case.folder / "away")
    with pytest.raises(ConfigError, match=r"gc: share/ada\.mp4 is not here"):
        collect(case.settings(), stale=True, dry=True, flow=cheap.flow(case.settings()))

"""The picture of the README: a row of frames with skeletons, made by its command of the built-in sample."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.audit.errors import LookError
from pipeline.audit.filmstrip import FRAMES, PEOPLE, TILE, middle, write_filmstrip
from pipeline.media.draw import COLOURS
from tests.conftest import ROOT
from tests.runs import Built

pytestmark = [pytest.mark.xdist_group("build"), pytest.mark.timeout(900)]

PICTURE = ROOT / "docs" / "pictures" / "strip.jpg"


def opened(file: Path) -> np.ndarray:
    """RGB."""
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_the_command_makes_the_picture_of_the_readme(built: Built, tmp_path: Path) -> None:
    file = tmp_path / "new" / "strip.jpg"
    done = CliRunner().invoke(app, ["look", str(built.run.out), "--strip", str(file)])
    assert done.exit_code == 0, done.output
    made, committed = (opened(each) for each in (file, PICTURE))
    assert made.shape == committed.shape == (TILE[1], PEOPLE * FRAMES * TILE[0], 3)
    assert np.abs(made - committed).mean() < 2.0  # the same but for another processor's decoder
    assert PICTURE.stat().st_size < 200_000
    assert "docs/pictures/strip.jpg" in (ROOT / "README.md").read_text()


def test_each_frame_of_the_strip_has_its_skeleton_and_is_made_twice_alike(
    built: Built, tmp_path: Path
) -> None:
    first, again = (write_filmstrip(built.run.out, tmp_path / name) for name in ("1.png", "2.png"))
    assert first.read_bytes() == again.read_bytes()
    strip = opened(first)
    for tile in np.split(strip, PEOPLE * FRAMES, axis=1):
        assert (np.abs(tile - COLOURS["right"]).sum(axis=2) < 60).sum() > 100


def test_a_strip_shows_the_clips_that_are_named(built: Built, tmp_path: Path) -> None:
    name = built.table("clips").id[0]
    strip = opened(write_filmstrip(built.run.out, tmp_path / "one.jpg", clips=[name]))
    assert strip.shape == (TILE[1], FRAMES * TILE[0], 3)
    with pytest.raises(LookError, match=r"0 clips of .* begin with 'zz'"):
        write_filmstrip(built.run.out, tmp_path / "none.jpg", clips=["zz"])


def test_a_strip_that_is_no_picture_or_of_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LookError, match=r"ends in \.jpg or \.png, got .*strip\.gif"):
        write_filmstrip(tmp_path, tmp_path / "strip.gif")
    with pytest.raises(LookError, match="is no dataset"):
        write_filmstrip(tmp_path, tmp_path / "strip.jpg")


def test_a_picture_is_cut_at_both_sides_alike() -> None:
    wide = np.tile(np.arange(512, dtype=np.uint8)[None, :, None], (512, 1, 3))
    assert (middle(wide)[0, [0, -1], 0] == [64, 447 % 256]).all()
    narrow = wide[:, :100]
    assert middle(narrow).shape == narrow.shape


def test_the_command_draws_a_sheet_of_each_clip_that_is_named_or_of_some(
    built: Built, tmp_path: Path
) -> None:
    ids = sorted(built.table("clips").id)
    for asked, wanted in (
        (["--clip", ids[1][:12]], ids[1:2]),
        (["--most", "2"], [ids[0], ids[-1]]),
    ):
        out = tmp_path / asked[0]
        done = CliRunner().invoke(app, ["look", str(built.run.out), "--out", str(out), *asked])
        assert done.exit_code == 0, done.output
        files = [out / f"{name}.png" for name in wanted]
        assert done.output.split() == [str(file) for file in files]
        assert sorted(out.iterdir()) == files

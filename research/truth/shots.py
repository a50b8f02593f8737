"""Shots: are cuts and gradual transitions found, what is mistaken for one, and what does looking for them cost.

    python -m research.truth.shots [--share 1.0] [--films FOLDER] [--list]

Our detector and PySceneDetect's on the same films (`shot_films`), on PySceneDetect's own videos and on real clips whose
cuts are known. One setting for everything. Thresholds were set on the tuning half; what counts is the unseen half.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import cv2
import scenedetect
from scenedetect import FrameTimecode, SceneManager, open_video
from scenedetect.detector import SceneDetector
from scenedetect.detectors import (
    AdaptiveDetector,
    ContentDetector,
    HashDetector,
    HistogramDetector,
    ThresholdDetector,
)
from scenedetect.scene_manager import compute_downscale_factor

from manifests.errors import run_command
from pipeline.media.decode import Count, survey
from pipeline.media.probe import probe
from pipeline.perception.shots import Kind, ShotDetector, Stretch
from pipeline.stages.s040_shots import small_size
from pipeline.validation.costs import bare_decode, seconds_of
from pipeline.validation.footage import media_folder
from research.cases import clips, table
from research.truth.shot_films import FAULTS, HOLDS, SHARES, Film, clips_of, events, make
from research.truth.shot_score import GRADUAL, Answer, Tally, detail_of

OURS = "ours"
MAKE: dict[str, Callable[[], SceneDetector]] = {
    "Adaptive": AdaptiveDetector,
    "Content": ContentDetector,
    "Threshold": ThresholdDetector,
    "Hash": HashDetector,
    "Histogram": HistogramDetector,
    "Adaptive, short": lambda: AdaptiveDetector(min_scene_len=2),
    "Content, short": lambda: ContentDetector(min_scene_len=2),
}
"""PySceneDetect's detectors as they come; `short` with scenes of two frames allowed in place of 15."""
UNIONS = {
    "Adaptive + Threshold": ("Adaptive", "Threshold"),
    "short + Threshold": ("Adaptive, short", "Threshold"),
}
ROUNDS = 2
HELD = "unseen, at a lower rate"
SLOW, SLOW_SEED = 0.4, 406  # of the unseen half's cases, drawn for films of their own
TUNED = 0.4  # of the tuning half's cases: enough to compare with, and half of the time


def published() -> Iterator[tuple[str, tuple[list[int], list[int]]]]:
    """Published boundaries by file: first frames of shots, and frames in the middle of gradual transitions."""
    for row in table("boundaries"):
        cuts, gradual = (
            [int(frame) for frame in row[kind].split()] for kind in ("cuts", "gradual")
        )
        yield row["file"], (cuts, gradual)


# ---- detectors -------------------------------------------------------------------------------------


def ours(path: Path) -> Answer:
    """What the survey of a source says."""
    return answer(stretches(path))


def stretches(path: Path) -> tuple[Stretch, ...]:
    """The survey's decode, scaling and shot watcher, as the stage runs them."""
    media = probe(path)
    detector = ShotDetector()
    watcher = detector.start(media.rate)
    size = small_size(media.upright_size, detector.long_side)
    for picture in survey(path, media, media.timeline, count=Count()):
        watcher.add(picture.index, picture.grey(size))
    return watcher.finish()


def answer(parts: Sequence[Stretch]) -> Answer:
    """Cuts are where one shot follows another at once."""
    pairs = pairwise(parts)
    cuts = tuple(b.first for a, b in pairs if a.kind is b.kind is Kind.SHOT)
    return Answer(cuts, tuple((p.first, p.stop) for p in parts if p.kind is Kind.TRANSITION))


def theirs(path: Path) -> dict[str, Answer]:
    """PySceneDetect's detectors on pictures of the size that its SceneManager gives them, in one decode."""
    detectors = {name: detector() for name, detector in MAKE.items()}
    found: dict[str, set[int]] = {name: set() for name in detectors}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate
        place, last = -1, FrameTimecode(0, fps=rate)
        for place, frame in enumerate(container.decode(stream)):
            last = FrameTimecode(place, fps=rate)
            pixels = shrunk(frame.to_ndarray(format="bgr24"))
            for name, detector in detectors.items():
                found[name] |= {cut.frame_num for cut in detector.process_frame(last, pixels)}
    for name, detector in detectors.items():
        found[name] |= {cut.frame_num for cut in detector.post_process(last)}
    for name, parts in UNIONS.items():
        found[name] = set().union(*(found[part] for part in parts))
    return {name: Answer(tuple(sorted(cuts)), (), typed=False) for name, cuts in found.items()}


def shrunk(pixels: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """As SceneManager does it."""
    factor = compute_downscale_factor(max(pixels.shape[:2]))
    if factor <= 1.0:
        return pixels
    size = max(1, round(pixels.shape[1] / factor)), max(1, round(pixels.shape[0] / factor))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)


# ---- the films -------------------------------------------------------------------------------------


def score(films: Sequence[tuple[Film, Path]], *, others: bool = True) -> dict[str, Tally]:
    """Tallies by detector."""
    tallies: dict[str, Tally] = {}
    for film, path in films:
        answers = {OURS: ours(path), **(theirs(path) if others else {})}
        for name, said in answers.items():
            tallies.setdefault(name, Tally()).add(film.name, said, events(film))
    return tallies


def totals(tallies: dict[str, Tally]) -> list[str]:
    """One line a detector."""
    lines = [
        "| detector | cuts, F1 frame-exact | cuts, F1 ±1 | precision | recall "
        "| gradual, F1 by overlap | precision | recall | F1, half or more in common |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, t in tallies.items():
        half = f"{t.half.f1:.3f}" if name == OURS else ""
        lines.append(
            f"| {name} | {t.exact.f1:.3f} | **{t.near.f1:.3f}** | {t.near.precision:.3f} | {t.near.recall:.3f} "
            f"| **{t.gradual.f1:.3f}** | {t.gradual.precision:.3f} | {t.gradual.recall:.3f} | {half} |"
        )
    return lines


def by_kind(tallies: dict[str, Tally]) -> list[str]:
    """Found of those that are there, a line each kind."""
    there = next(iter(tallies.values())).there
    rows = sorted(key for key in there if key[0] in ("cut", "jump", *GRADUAL))
    lines = [f"| kind | cases | {' | '.join(tallies)} |", "|---|---|" + "---|" * len(tallies)]
    for row in rows:
        cells = " | ".join(f"{t.found[row] / there[row]:.2f}" for t in tallies.values())
        lines.append(f"| {row[0]}, {row[1]} | {there[row]} | {cells} |")
    return lines


def by_fault(tallies: dict[str, Tally]) -> list[str]:
    """False alarms, a line for each thing that is no boundary."""
    there = next(iter(tallies.values())).there
    seen = {key for t in tallies.values() for key in t.alarms}
    rows = sorted({key for key in there if key[0] in FAULTS} | seen)
    lines = [
        f"| false alarms in | cases | {' | '.join(tallies)} |",
        "|---|---|" + "---|" * len(tallies),
    ]
    for row in rows:
        cells = " | ".join(str(t.alarms[row]) for t in tallies.values())
        lines.append(f"| {', '.join(filter(None, row))} | {there[row] or ''} | {cells} |")
    return lines


# ---- real videos -----------------------------------------------------------------------------------


def real(folder: Path) -> list[str]:
    """Known boundaries of published videos, and clips that have none."""
    lines = [
        "| video | published | ours | Adaptive | Content | Threshold |",
        "|---|---|---|---|---|---|",
    ]
    for name, (cuts, slow) in published():
        said, other = ours(folder / name), theirs(folder / name)
        known = f"cuts {cuts or 'none'}" + (f", gradual around {slow}" if slow else "")
        mine = f"cuts {list(said.cuts)}, gradual {[f'{a}-{b}' for a, b in said.gradual]}"
        cells = " | ".join(str(list(other[n].cuts)) for n in ("Adaptive", "Content", "Threshold"))
        lines.append(f"| {name} | {known} | {mine} | {cells} |")
    wrong: dict[str, int] = {}
    clips = [folder / name for name in clips_of("unseen")]
    for path in clips:
        for name, said in {OURS: ours(path), **theirs(path)}.items():
            wrong[name] = wrong.get(name, 0) + len(said.cuts) + len(said.gradual)
    text = ", ".join(f"{name} {count}" for name, count in wrong.items())
    return [
        *lines,
        "",
        f"In the {len(clips)} whole clips of the unseen half, of one shot each, boundaries found: {text}.",
    ]


# ---- cost ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of one file, the least of some rounds."""

    frames: int
    bare: float
    ours: float
    adaptive: float


def cost(path: Path) -> Cost:
    """Every variant decodes the file again, one after the other and round by round."""
    work: dict[str, Callable[[], object]] = {
        "bare": lambda: bare_decode(path),
        "ours": lambda: stretches(path),
        "adaptive": lambda: adaptive(path),
    }
    rounds = [{name: seconds_of(each) for name, each in work.items()} for _ in range(ROUNDS)]
    return Cost(probe(path).source_frames, **{name: min(r[name] for r in rounds) for name in work})


def adaptive(path: Path) -> None:
    """PySceneDetect as it is used: its manager, its own reading through PyAV on one thread."""
    manager = SceneManager()
    manager.add_detector(AdaptiveDetector())
    manager.detect_scenes(open_video(str(path), backend="pyav", threading_mode="NONE"))


def costs(folder: Path) -> list[str]:
    """The ratios over a handful of real videos."""
    each = [cost(folder / name) for name in clips("shots/costed")]
    total = sum(c.bare for c in each)
    lines = [
        "| CPU seconds | bare decode | ours | PySceneDetect Adaptive |",
        "|---|---|---|---|",
        f"| {len(each)} files, {sum(c.frames for c in each)} frames | {total:.1f} | {sum(c.ours for c in each):.1f} "
        f"| {sum(c.adaptive for c in each):.1f} |",
        f"| over the bare decode | 1 | **{sum(c.ours for c in each) / total:.2f}** "
        f"| {sum(c.adaptive for c in each) / total:.2f} |",
    ]
    ratios = [c.ours / c.bare for c in each], [c.adaptive / c.bare for c in each]
    for word, pick in (("median file", statistics.median), ("dearest file", max)):
        lines.append(f"| {word} | 1 | {pick(ratios[0]):.2f} | {pick(ratios[1]):.2f} |")
    return lines


# ---- the page --------------------------------------------------------------------------------------


def section(
    shared: Path, *, share: float = 1.0, films: Path | None = None, places: bool = False
) -> str:
    """The tables, in Markdown without a top heading."""
    cv2.setNumThreads(1)
    folder = shared / "media"
    with tempfile.TemporaryDirectory() as name:
        root = films or Path(name)
        made = {
            "tuning": make(folder, root / "tuning", "tuning", share=share * TUNED),
            "unseen": make(folder, root / "unseen", "unseen", share=share),
            HELD: make(
                folder, root / "held", "unseen", share=share * SLOW, seed=SLOW_SEED, holds=HOLDS
            ),
        }
        tuned = score(made["tuning"], others=False)
        tallies = score(made["unseen"])
        held = score(made[HELD])
    lines = [
        *about(made),
        "",
        "### The unseen half",
        "",
        *totals(tallies),
        "",
        *by_kind(tallies),
        "",
        *by_fault(tallies),
        "",
        "### The unseen half at a lower rate",
        "",
        f"Other films of the same clips; each picture stays for {', '.join(map(str, HOLDS))} frames, by film, as when "
        "10 pictures a second lie in a file of 30: every step of a camera stands alone.",
        "",
        *totals(held),
        "",
        *by_fault(held),
        "",
        "### The half on which thresholds were set",
        "",
        *totals(tuned),
        "",
        "### Real videos",
        "",
        *real(folder / "video"),
        "",
        "### Cost",
        "",
        *costs(folder / "video"),
    ]
    if places:
        found = (("", tallies), ("held ", held))
        lines += [
            f"    {word}{film} {at} {what}"
            for word, by_name in found
            for film, at, what in sorted(by_name[OURS].places)
        ]
    return "\n".join(lines) + "\n"


def again(shared: Path, seed: int) -> str:
    """Ours on other films of the clips that limits were set on, drawn from a seed that none was set on."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        films = make(shared / "media", Path(name), "tuning", seed=seed)
        tallies = score(films, others=False)
    return "\n".join([*totals(tallies), "", *by_kind(tallies), "", *by_fault(tallies)])


def about(made: dict[str, list[tuple[Film, Path]]]) -> list[str]:
    """What the films are."""
    lines = [
        f"Films drawn from real clips under one seed, through x264, with hard cuts ({', '.join(SHARES['cut'])}), "
        "dissolves of 0.25 to 2 s, fades and wipes; and, as what is no boundary, flashes, shaken cameras, pans and "
        "zooms, gestures at twice and three times their speed, and insets. Jumps (a cut within one framing, of one "
        "person) are counted apart. A cut counts as found on its frame, or one beside it; a gradual transition where "
        "a span overlaps it, each span and each transition used once. A detector that does not tell the kinds apart "
        f"gets the kind that suits it. PySceneDetect {scenedetect.__version__}.",
        "",
    ]
    for half, films in made.items():
        kinds: dict[str, int] = {}
        for film, _ in films:
            for event in events(film):
                kinds[detail_of(event)[0]] = kinds.get(detail_of(event)[0], 0) + 1
        text = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        clips = len(clips_of("unseen" if half == HELD else half))
        lines.append(f"- {half}: {clips} clips, {len(films)} films: {text}")
    return lines


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the cases, for a quick look")
    parser.add_argument("--films", type=Path, help="a folder to keep them in, one for each share")
    parser.add_argument("--list", action="store_true", help="every miss and false alarm of ours")
    parser.add_argument(
        "--seed", type=int, help="only ours, on films of the tuning clips drawn from another seed"
    )
    given = parser.parse_args()
    shared = media_folder().parent
    if given.seed is not None:
        print(again(shared, given.seed))
        return
    print(section(shared, share=given.share, films=given.films, places=given.list))


if __name__ == "__main__":
    run_command(main)

"""How the four signs of a hard cut are weighed against each other: the numbers of `Cuts`, fitted anew.

    python -m research.truth.shots_fit [--seeds 101 102 103 104 105 106]

Logistic regression over every sudden step in films of the tuning clips, drawn from seeds of its own; nobody of the
unseen half is in them. Scaled so that a whole picture of changed contours counts 1.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.special import expit

from manifests.errors import run_command
from pipeline.media.decode import Count, survey
from pipeline.media.probe import probe
from pipeline.perception.shots import ShotDetector
from pipeline.perception.shots.cuts import (
    Cuts,
    Grey,
    alike,
    contours_changed,
    left_when_shifted,
    steps,
)
from pipeline.perception.shots.detector import thumb
from pipeline.stages.s040_shots import small_size
from pipeline.validation.footage import media_folder
from research.truth.shot_films import Film, events, make
from research.truth.shot_score import CUTS, GRADUAL, NEITHER

SEEDS = (101, 102, 103, 104, 105, 106)
HOLDS = (1, 1, 1, 2, 1, 1, 1, 3, 1, 1, 1, 4)  # one film in four of a lower rate
PENALTY = 0.1  # on the squared weights of signs of deviation 1, against weights without end


def signs(film: Film, grey: Grey) -> Iterator[tuple[bool, tuple[float, float, float, float]]]:
    """Of each sudden step that is no flash and in no gradual transition: is it a cut, and the four signs."""
    found = Cuts()
    rate, truth = float(film.rate), events(film)
    cuts = {event.first for event in truth if event.kind in CUTS}
    neither = np.zeros(len(grey) + 4, dtype=bool)
    for event in truth:
        if event.kind in (*GRADUAL, *NEITHER):
            neither[max(0, event.first - 2) : event.stop + 3] = True
    for first, stop in found.find(grey, fps=rate)[1]:
        neither[first : stop + 1] = True
    for place, spike in found.sudden(steps(grey), fps=rate):
        if place in cuts or not neither[place]:
            before, after = grey[place - 1], grey[place]
            spread = contours_changed(before, after)[1]
            shifted = left_when_shifted(before, after, farthest=found.farthest)
            yield place in cuts, (spread, log(spike), shifted, alike(before, after))


def seen(films: Sequence[tuple[Film, Path]]) -> Iterator[tuple[Film, Grey]]:
    """The small pictures of films, as the survey makes them."""
    for film, path in films:
        media = probe(path)
        size = small_size(media.upright_size, ShotDetector().long_side)
        pictures = survey(path, media, media.timeline, count=Count())
        yield film, np.stack([thumb(picture.grey(size)) for picture in pictures])


def weighed(
    values: Float[np.ndarray, "step sign"], cut: Bool[np.ndarray, " step"]
) -> Float[np.ndarray, " weight"]:
    """A weight for each sign, then the constant, of logistic regression."""
    middle, scale = values.mean(axis=0), values.std(axis=0)
    scaled = np.column_stack(((values - middle) / scale, np.ones(len(values))))

    def cost(weights: Float[np.ndarray, " weight"]) -> tuple[float, Float[np.ndarray, " weight"]]:
        odds = scaled @ weights
        size = np.append(weights[:-1], 0.0)
        loss = np.logaddexp(0.0, np.where(cut, -odds, odds)).sum() + PENALTY / 2 * size @ size
        return float(loss), scaled.T @ (expit(odds) - cut) + PENALTY * size

    found = minimize(cost, np.zeros(scaled.shape[1]), jac=True).x
    weights = found[:-1] / scale
    return np.append(weights, found[-1] - weights @ middle)


def main() -> None:
    """Print the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    rows = list[tuple[bool, tuple[float, float, float, float]]]()
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as name:
            films = make(media_folder(), Path(name), "tuning", seed=seed, holds=HOLDS)
            for film, grey in seen(films):
                rows += signs(film, grey)
    cut = np.array([row[0] for row in rows])
    spread, by_spike, by_shifted, by_alike, constant = weighed(np.array([r[1] for r in rows]), cut)
    print(f"{len(rows)} sudden steps, {int(cut.sum())} of them cuts")
    print(
        f"by_spike {by_spike / spread:.2f}, by_shifted {by_shifted / spread:.2f}, "
        f"by_alike {by_alike / spread:.2f}, enough {-constant / spread:.2f}"
    )


if __name__ == "__main__":
    run_command(main)

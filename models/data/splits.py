"""Which clips are learned from and which are measured on: by split, or by person where people are left out.

Clips for training only are never measured on, unless that is asked for.
"""

from collections.abc import Sequence
from typing import Literal

from models.data.files import DatasetError
from models.data.index import Motions

UseFilter = Literal["all", "any"]
"""Of the clips that are measured on: `all`, without those that are for training only; `any`, with them."""


def divided(
    whole: Motions, without: Sequence[str] = (), use: UseFilter = "all"
) -> tuple[Motions, Motions]:
    """(clips to train on, clips to validate on): by split, or, where people are left out, by person.

    A dataset without clips in `val` is validated on those of `test`. Raises DatasetError for a person who is not there.
    """
    if unknown := set(without) - {entry.identity for entry in whole.entries}:
        raise DatasetError(f"{whole.folder} has no identity {min(unknown)!r}")
    measured = usable(whole, use)
    if without:
        return (
            whole.where(lambda entry: entry.identity not in without),
            measured.where(lambda entry: entry.identity in without),
        )
    validation = measured.where(lambda entry: entry.split == "val")
    if not len(validation):
        validation = measured.where(lambda entry: entry.split == "test")
    return whole.where(lambda entry: entry.split == "train"), validation


def usable(clips: Motions, use: UseFilter = "all") -> Motions:
    """The clips that may be measured on."""
    return clips if use == "any" else clips.where(lambda entry: entry.measured_on)


def evaluated(
    whole: Motions, without: Sequence[str], split: str | None, use: UseFilter = "all"
) -> tuple[Motions, Motions, int]:
    """(clips the model was trained on, clips to measure it on, how many of these are left out as for training only).

    split: `test`, `val`, `train`, `all`; None: the people that were left out of training, else the clips of `test`,
    else of `val`. Raises DatasetError where there are none.
    """
    known = [name for name in without if name in whole.identities]
    training, chosen = divided(whole, known, "any")
    if split == "all":
        chosen = whole
    elif split is not None:
        chosen = whole.where(lambda entry: entry.split == split)
    elif not without:
        test = whole.where(lambda entry: entry.split == "test")
        chosen = test if len(test) else chosen
    measured = usable(chosen, use)
    left_out = len(chosen) - len(measured)
    if not len(measured):
        only = f", but {left_out} for training only: --use any takes them" if left_out else ""
        raise DatasetError(
            f"{whole.folder} has no clip to evaluate on in {split or 'test or val'}{only}"
        )
    return training, measured, left_out

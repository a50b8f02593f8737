"""Which clips are learned from and which are measured on: by split, or by person where people are left out."""

from collections.abc import Sequence

from models.data.files import DatasetError
from models.data.index import Motions


def divided(whole: Motions, without: Sequence[str] = ()) -> tuple[Motions, Motions]:
    """(clips to train on, clips to validate on): by split, or, where people are left out, by person.

    A dataset without clips in `val` is validated on those of `test`. Raises DatasetError for a person who is not there.
    """
    if unknown := set(without) - {entry.identity for entry in whole.entries}:
        raise DatasetError(f"{whole.folder} has no identity {min(unknown)!r}")
    if without:
        return (
            whole.where(lambda entry: entry.identity not in without),
            whole.where(lambda entry: entry.identity in without),
        )
    validation = whole.where(lambda entry: entry.split == "val")
    if not len(validation):
        validation = whole.where(lambda entry: entry.split == "test")
    return whole.where(lambda entry: entry.split == "train"), validation


def evaluated(whole: Motions, without: Sequence[str], split: str | None) -> tuple[Motions, Motions]:
    """(clips the model was trained on, clips to measure it on). split: `test`, `val`, `all`; None: the people that were
    left out of training, else the clips of `test`, else of `val`. Raises DatasetError where there are none."""
    training, chosen = divided(whole, [name for name in without if name in whole.identities])
    if split == "all":
        chosen = whole
    elif split is not None:
        chosen = whole.where(lambda entry: entry.split == split)
    elif not without:
        test = whole.where(lambda entry: entry.split == "test")
        chosen = test if len(test) else chosen
    if not len(chosen):
        raise DatasetError(f"{whole.folder} has no clip to evaluate on in {split or 'test or val'}")
    return training, chosen

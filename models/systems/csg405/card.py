"""The model card that lies beside the weights."""

from collections.abc import Mapping
from typing import Any


def card(stated: Mapping[str, Any], parameters: int) -> str:
    """Markdown with the metadata that the Hugging Face hub reads. stated: what `system.json` holds."""
    config, facts = stated["config"], stated["facts"]
    size = config["size"]
    table, made, licence = imported(facts) if "imported" in facts else trained(config, facts)
    rows = "\n".join(f"| {what} | {value} |" for what, value in table.items())
    return f"""---
library_name: diffusers
tags: [co-speech-gesture, diffusion, skeleton]
license: other
---

# A voice and one skeleton to a moving skeleton

The skeleton diffusion transformer of *Democratizing High-Fidelity Co-Speech Gesture Video Generation* (ICCV 2025),
configuration: network `{config["network"]}`, {size["depth"]} layers of {size["width"]}, {parameters:,} parameters,
predicts `{config["noise"]["prediction_type"]}`, audio `{stated["encoder"]["name"]}`
(weights {stated["encoder"]["weights"] or "none"}).

| what | value |
|---|---|
{rows}

{made}; every setting is in `system.json`. Motion comes in pixels of a 512 crop at 25 FPS.

    csg-model generate --model . --audio voice.wav --reference person.png --out talk

## What it must not be used for

To make people appear to say what they did not say. {licence} Mark generated video as such.
"""


def trained(config: Mapping[str, Any], facts: Mapping[str, Any]) -> tuple[dict[str, str], str, str]:
    """(table, how it was made, where its licence comes from) of a model that was trained here."""
    training = config["training"]
    guidance = facts.get("guidance", {})
    table = {
        "dataset root": f"`{facts.get('dataset', '')}`",
        "clips, people": f"{facts.get('clips', '?')}, {facts.get('people', '?')}",
        "left out on purpose": ", ".join(facts.get("without", [])) or "nobody",
        "steps × batch": f"{facts.get('steps', training['steps'])} × {training['batch_size']}",
        "seed": str(training["seed"]),
        "guidance scale": f"{guidance.get('scale', 1.0):g}, measured on {guidance.get('clips', 0)} validation clips",
        **{name: f"{value:.4f}" for name, value in facts.get("validation", {}).items()},
    }
    licence = """The licence of the weights follows from the videos it was trained
on, which `sources.parquet` of the dataset lists with theirs; who asks to be taken out of the dataset is not taken out
of weights that exist: train anew with `--without`."""
    return table, "Made by `csg-model train`", licence


def imported(facts: Mapping[str, Any]) -> tuple[dict[str, str], str, str]:
    """The same of a published checkpoint."""
    table = {f"SHA-256 of the {what}": f"`{digest}`" for what, digest in facts["imported"].items()}
    table["guidance scale"] = f"{facts['guidance']['scale']:g}, the release's own"
    licence = "The licence of the weights is for those to say who published them."
    return table, "Made by `csg-model import` from a published checkpoint", licence

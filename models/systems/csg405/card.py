"""The model card that lies beside the weights."""

from collections.abc import Mapping
from typing import Any


def card(told: Mapping[str, Any], parameters: int) -> str:
    """Markdown with the metadata that the Hugging Face hub reads. told: what `system.json` holds."""
    config, facts = told["config"], told["facts"]
    training, size = config["training"], config["size"]
    figures = facts.get("validation", {})
    guidance = facts.get("guidance", {})
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in figures.items())
    return f"""---
library_name: diffusers
tags: [co-speech-gesture, diffusion, skeleton]
license: other
---

# A voice and one skeleton to a moving skeleton

The skeleton diffusion transformer of *Democratizing High-Fidelity Co-Speech Gesture Video Generation* (ICCV 2025),
configuration: network `{config["network"]}`, {size["depth"]} layers of {size["width"]}, {parameters:,} parameters,
predicts `{config["noise"]["predicts"]}`, audio `{told["encoder"]["name"]}`
(weights {told["encoder"]["weights"] or "none"}).

| what | value |
|---|---|
| dataset root | `{facts.get("dataset", "")}` |
| clips, people | {facts.get("clips", "?")}, {facts.get("people", "?")} |
| left out on purpose | {", ".join(facts.get("without", [])) or "nobody"} |
| steps × batch | {facts.get("steps", training["steps"])} × {training["batch"]} |
| seed | {training["seed"]} |
| guidance scale | {guidance.get("scale", 1.0):g}, measured on {guidance.get("clips", 0)} validation clips |
{rows}

Made by `csg-model train`; every setting is in `system.json`. Motion comes in pixels of a 512 crop at 25 FPS.

    csg-model generate --model . --audio voice.wav --reference person.png --out talk

## What it must not be used for

To make people appear to say what they did not say. The licence of the weights follows from the videos it was trained
on, which `sources.parquet` of the dataset lists with theirs; who asks to be taken out of the dataset is not taken out
of weights that exist: train anew with `--without`. Mark generated video as such.
"""

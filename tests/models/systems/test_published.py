"""The released network against its layout as it was read, and against its forward written out in plain arithmetic."""

import csv
import math
import re
from pathlib import Path

import torch
from torch import Tensor

from models.systems.csg405.checkpoints import NAMES, from_published, load_published
from models.systems.csg405.published import PublishedTransformer

POSE, AUDIO, WIDTH, HEADS, DEPTH = 246, 768, 64, 4, 2


def network() -> PublishedTransformer:
    made = PublishedTransformer(POSE, AUDIO, width=WIDTH, depth=DEPTH, heads=HEADS, hidden=128)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return made.eval()


def as_published(made: PublishedTransformer) -> dict[str, Tensor]:
    """Its tensors by the published names."""
    back = {ours: theirs for theirs, ours in NAMES.items()}
    return {
        next(back[o] + name[len(o) :] for o in back if name == o or name.startswith(o + ".")): value
        for name, value in made.state_dict().items()
    }


def test_every_published_name_and_shape_has_its_place(shared: Path) -> None:
    with (shared / "specs" / "checkpoint-layouts.tsv").open() as stream:
        rows = [row for row in csv.reader(stream, delimiter="\t") if row[0] == "csg405"]
    state = {
        name: torch.zeros([int(n) for n in re.findall(r"\d+", shape.split("]")[0])])
        for _, name, shape in rows
    }
    depth = 1 + max(int(found[1]) for name in state if (found := re.search(r"layers\.(\d+)", name)))
    made = PublishedTransformer(POSE, AUDIO, width=64, depth=depth, heads=4, hidden=128)
    ours = from_published(state)
    assert {name: each.shape for name, each in ours.items()} == {
        name: each.shape for name, each in made.state_dict().items()
    }


def linear(held: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ held[f"{name}.weight"].T + held[f"{name}.bias"]


def normed(held: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    spread = (centred**2).mean(-1, keepdim=True)
    return centred / (spread + 1e-5).sqrt() * held[f"{name}.weight"] + held[f"{name}.bias"]


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))


def places(count: int) -> Tensor:
    table = torch.zeros(count, WIDTH, dtype=torch.float64)
    for place in range(count):
        for pair in range(0, WIDTH, 2):
            angle = place / 10_000.0 ** (pair / WIDTH)
            table[place, pair], table[place, pair + 1] = math.sin(angle), math.cos(angle)
    return table


def layer(held: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    """Post-norm: attention, add, norm; feed-forward, add, norm. x: (tokens, width)."""
    qkv = x @ held[f"{name}.self_attn.in_proj_weight"].T + held[f"{name}.self_attn.in_proj_bias"]
    q, k, v = (part.reshape(len(x), HEADS, -1) for part in qkv.chunk(3, dim=-1))
    told = []
    for head in range(HEADS):
        likeness = q[:, head] @ k[:, head].T / math.sqrt(WIDTH / HEADS)
        told.append(torch.softmax(likeness, dim=-1) @ v[:, head])
    x = normed(
        held, f"{name}.norm1", x + linear(held, f"{name}.self_attn.out_proj", torch.cat(told, -1))
    )
    inner = linear(held, f"{name}.linear2", gelu(linear(held, f"{name}.linear1", x)))
    return normed(held, f"{name}.norm2", x + inner)


def written_out(
    held: dict[str, Tensor], x: Tensor, t: int, audio: Tensor | None, before: Tensor
) -> Tensor:
    """The forward of one sample as the layout and its description have it (specs, section 1.3), float64.

    The time token, the frames before, the frames; audio resized with its ends on ends, projected, zero at the frames
    before; without audio one learned vector everywhere; the table of places added to all tokens and asked for the time.
    """
    frames, table = len(x), places(200)
    if audio is None:
        heard = held["audio_learnable"].repeat(frames, 1)
    else:
        at = torch.arange(frames, dtype=torch.float64) * (len(audio) - 1) / (frames - 1)
        low = at.floor().long().clamp(max=len(audio) - 2)
        share = (at - low)[:, None]
        heard = linear(held, "embed_audio", audio[low] * (1.0 - share) + audio[low + 1] * share)
    pose = linear(held, "input_process.poseEmbedding", torch.cat([before, x]))
    quiet = torch.zeros(len(before), WIDTH, dtype=torch.float64)
    joined = torch.cat([pose, torch.cat([quiet, heard])], dim=1)
    tokens = linear(held, "concat_to_hidden.2", gelu(linear(held, "concat_to_hidden.0", joined)))
    when = linear(held, "embed_timestep.time_embed.0", table[t])
    when = linear(held, "embed_timestep.time_embed.2", when * torch.sigmoid(when))
    tokens = torch.cat([when[None], tokens])
    tokens = tokens + table[: len(tokens)]
    for number in range(DEPTH):
        tokens = layer(held, f"seqTransEncoder.layers.{number}", tokens)
    return linear(held, "output_process.poseFinal", tokens[1 + len(before) :])


def test_the_forward_is_that_of_the_published_network(tmp_path: Path) -> None:
    held = as_published(network())
    torch.save(held, tmp_path / "model.pt")
    empty = PublishedTransformer(POSE, AUDIO, width=WIDTH, depth=DEPTH, heads=HEADS, hidden=128)
    made = load_published(tmp_path / "model.pt", empty).eval()
    exact = {name: value.double() for name, value in held.items()}
    generator = torch.Generator().manual_seed(1)
    x, before = (
        torch.randn(20, POSE, generator=generator),
        torch.randn(25, POSE, generator=generator),
    )
    audio = torch.randn(39, AUDIO, generator=generator)  # 49.95 Hz of 0.8 s
    with torch.no_grad():
        for silent in (False, True):
            said = made(
                x[None],
                torch.tensor([37]),
                audio[None],
                before[None],
                drop_audio=torch.tensor([silent]),
            )[0]
            wanted = written_out(
                exact, x.double(), 37, None if silent else audio.double(), before.double()
            )
            assert torch.allclose(said.double(), wanted, atol=1e-4)

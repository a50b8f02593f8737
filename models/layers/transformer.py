"""Transformer blocks whose norms are steered by the diffusion step: adaptive layer norm, zero at the start."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor, nn


class Block(nn.Module):
    """Self-attention, cross-attention where there is something to look at, and a feed-forward, each scaled and gated by
    the condition (Peebles & Xie 2023, adaLN-Zero). At the start every block is the identity."""

    def __init__(self, width: int, heads: int, hidden: int, *, crossed: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(
            nn.LayerNorm(width, elementwise_affine=False, eps=1e-6) for _ in range(2 + crossed)
        )
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.rise, self.fall = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.steer = nn.Linear(width, 3 * (2 + crossed) * width)
        nn.init.zeros_(self.steer.weight)
        nn.init.zeros_(self.steer.bias)
        if crossed:
            self.ask, self.tell = nn.Linear(width, width), nn.Linear(width, 2 * width)
            self.heard = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "batch tokens width"],
        condition: Float[Tensor, "batch width"],
        seen: Bool[Tensor, "batch 1 1 tokens"] | None,
        other: Float[Tensor, "batch others width"] | None = None,
        other_seen: Bool[Tensor, "batch 1 1 others"] | None = None,
    ) -> Float[Tensor, "batch tokens width"]:
        """seen: which tokens may be looked at; None: all."""
        parts = self.steer(F.silu(condition))[:, None].chunk(3 * len(self.norms), dim=-1)
        shift, scale, gate = parts[:3]
        q, k, v = self.qkv(self.norms[0](x) * (1.0 + scale) + shift).chunk(3, dim=-1)
        x = x + gate * self.out(self._attend(q, k, v, seen))
        shift, scale, gate = parts[3:6]
        x = x + gate * self.fall(
            F.gelu(self.rise(self.norms[1](x) * (1.0 + scale) + shift), approximate="tanh")
        )
        if other is not None:
            shift, scale, gate = parts[6:]
            k, v = self.tell(other).chunk(2, dim=-1)
            q = self.ask(self.norms[2](x) * (1.0 + scale) + shift)
            x = x + gate * self.heard(self._attend(q, k, v, other_seen))
        return x

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(1, 2).flatten(2)


def sinusoids(at: Int[Tensor, "*places"] | Tensor, width: int) -> Float32[Tensor, "*places width"]:
    """Sines then cosines at wavelengths from 2 pi to 20,000 pi (Vaswani et al. 2017), float32 whatever the default
    dtype is. width: even.
    """
    half = torch.arange(width // 2, dtype=torch.float32, device=at.device)
    rates = torch.exp(half * (-math.log(10_000.0) / (width // 2)))
    angles = at[..., None].float() * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)

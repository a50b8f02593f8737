"""Transformer blocks conditioned on the diffusion step by adaptive layer norm, zero at the start."""

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
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.adaln = nn.Linear(width, 3 * (2 + crossed) * width)
        nn.init.zeros_(self.adaln.weight)
        nn.init.zeros_(self.adaln.bias)
        if crossed:
            self.to_q, self.to_kv = nn.Linear(width, width), nn.Linear(width, 2 * width)
            self.cross_out = nn.Linear(width, width)

    def forward(
        self,
        x: Float[Tensor, "batch tokens width"],
        condition: Float[Tensor, "batch width"],
        mask: Bool[Tensor, "batch 1 1 tokens"] | None,
        context: Float[Tensor, "batch context width"] | None = None,
        context_mask: Bool[Tensor, "batch 1 1 context"] | None = None,
    ) -> Float[Tensor, "batch tokens width"]:
        """mask: which tokens may be looked at; None: all."""
        parts = self.adaln(F.silu(condition))[:, None].chunk(3 * len(self.norms), dim=-1)
        shift, scale, gate = parts[:3]
        q, k, v = self.qkv(self.norms[0](x) * (1.0 + scale) + shift).chunk(3, dim=-1)
        x = x + gate * self.out(self._attend(q, k, v, mask))
        shift, scale, gate = parts[3:6]
        x = x + gate * self.fc2(
            F.gelu(self.fc1(self.norms[1](x) * (1.0 + scale) + shift), approximate="tanh")
        )
        if context is not None:
            shift, scale, gate = parts[6:]
            k, v = self.to_kv(context).chunk(2, dim=-1)
            q = self.to_q(self.norms[2](x) * (1.0 + scale) + shift)
            x = x + gate * self.cross_out(self._attend(q, k, v, context_mask))
        return x

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


def sinusoids(at: Int[Tensor, "*places"] | Tensor, width: int) -> Float32[Tensor, "*places width"]:
    """Sines then cosines at wavelengths from 2 pi to 20,000 pi (Vaswani et al. 2017), float32 whatever the default
    dtype is. width: even.
    """
    half = torch.arange(width // 2, dtype=torch.float32, device=at.device)
    rates = torch.exp(half * (-math.log(10_000.0) / (width // 2)))
    angles = at[..., None].float() * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)

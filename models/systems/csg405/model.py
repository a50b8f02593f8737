"""The skeleton diffusion transformer of Yang et al. 2025 (2507.06812), section 3.1.

x0 from a noised skeleton, a voice and one skeleton.
"""

from typing import Literal

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from models.layers.transformer import Block, sinusoids


class SkeletonTransformer(ModelMixin, ConfigMixin):
    """Reference frames joined by frames, audio joined by features, the diffusion step through adaptive norms.

    size: numbers per frame (`Skeleton.size`); audio: numbers per frame of the audio encoder; width, depth, heads,
    hidden: of the transformer, which the paper does not state. audio_conditioning: how audio enters, `features` as
    the paper's method, `cross` as its ablation. reference: False leaves the reference out, the other ablation.

    What a frame's audio is without a voice (guidance) is learned; the reference frames have audio zero (section 3.1).
    """

    @register_to_config
    def __init__(
        self,
        size: int,
        audio: int,
        width: int = 384,
        depth: int = 12,
        heads: int = 6,
        hidden: int = 1536,
        audio_conditioning: Literal["features", "cross"] = "features",
        reference: bool = True,
    ) -> None:
        super().__init__()
        joined = size + audio if audio_conditioning == "features" else size
        self.proj_in = nn.Linear(joined, width)
        self.is_reference = nn.Parameter(torch.zeros(width))
        self.null_audio = nn.Parameter(torch.zeros(audio))
        self.time_mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.audio_proj = nn.Linear(audio, width) if audio_conditioning == "cross" else None
        self.blocks = nn.ModuleList(
            Block(width, heads, hidden, crossed=audio_conditioning == "cross") for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.adaln = nn.Linear(width, 2 * width)
        self.proj_out = nn.Linear(width, size)
        for layer in (self.adaln, self.proj_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.audio_conditioning, self.uses_reference, self.width = (
            audio_conditioning,
            reference,
            width,
        )

    def forward(
        self,
        x: Float[Tensor, "batch time size"],
        t: Int[Tensor, " batch"],
        audio: Float[Tensor, "batch time audio"],
        reference: Float[Tensor, "batch before size"],
        *,
        drop_audio: Bool[Tensor, " batch"] | None = None,
        frame_mask: Bool[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch time size"]:
        """x0. drop_audio: whose voice is replaced by the learned null. frame_mask: False on padding."""
        audio = audio.to(self.null_audio.dtype)
        if drop_audio is not None:
            audio = torch.where(drop_audio[:, None, None], self.null_audio, audio)
        before = reference.shape[1] if self.uses_reference else 0
        tokens = self._tokens(x, audio, reference[:, :before])
        condition = self.time_mlp(sinusoids(t, self.width).to(tokens.dtype))
        mask, context_mask = None, None
        if frame_mask is not None:
            context_mask = frame_mask[:, None, None]
            first = torch.ones(len(x), before, dtype=torch.bool, device=x.device)
            mask = torch.cat([first, frame_mask], dim=1)[:, None, None]
        context = None
        if self.audio_proj is not None:
            at = torch.arange(x.shape[1], device=x.device)
            context = self.audio_proj(audio) + sinusoids(at, self.width).to(tokens.dtype)
        for block in self.blocks:
            tokens = block(
                tokens, condition, mask, context, context_mask if context is not None else None
            )
        shift, scale = self.adaln(nn.functional.silu(condition))[:, None].chunk(2, dim=-1)
        return self.proj_out(self.norm(tokens[:, before:]) * (1.0 + scale) + shift)

    def _tokens(self, x: Tensor, audio: Tensor, reference: Tensor) -> Tensor:
        """Frames of the reference at places below zero, then those of x from zero on."""
        before = reference.shape[1]
        frames = torch.cat([reference.to(x.dtype), x], dim=1)
        if self.audio_conditioning == "features":
            quiet = torch.zeros(len(x), before, audio.shape[2], dtype=x.dtype, device=x.device)
            frames = torch.cat([frames, torch.cat([quiet, audio.to(x.dtype)], dim=1)], dim=2)
        at = torch.arange(-before, x.shape[1], device=x.device)
        tokens = self.proj_in(frames) + sinusoids(at, self.width).to(x.dtype)
        tokens[:, :before] = tokens[:, :before] + self.is_reference
        return tokens

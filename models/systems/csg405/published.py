"""The network of the released code of Yang et al. 2025, which is not the paper's.

A post-norm transformer encoder without adaptive norms; the diffusion step is a token of its own, 25 initial frames are
joined by frames, audio by features after a projection, and one learned vector stands for no voice. Written from its
description and the names and shapes in its checkpoints; no line of it was copied.
"""

import math

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor, nn


class PublishedTransformer(ModelMixin, ConfigMixin):
    """217,520,374 parameters at the released size. Takes what `SkeletonTransformer` takes."""

    @register_to_config
    def __init__(
        self,
        size: int = 246,
        audio: int = 768,
        width: int = 1024,
        depth: int = 16,
        heads: int = 16,
        hidden: int = 4096,
        dropout: float = 0.1,
        longest: int = 5000,
    ) -> None:
        super().__init__()
        self.pose_proj = nn.Linear(size, width)
        self.audio_proj = nn.Linear(audio, width)
        self.join = nn.Sequential(
            nn.Linear(2 * width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.time_mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, hidden, dropout, "gelu", batch_first=True, norm_first=False
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.proj_out = nn.Linear(width, size)
        self.null_audio = nn.Parameter(torch.zeros(width))
        self.drop = nn.Dropout(dropout)
        places = interleaved(longest, width).to(self.null_audio.dtype)
        self.register_buffer("places", places, persistent=False)

    def forward(
        self,
        x: Float[Tensor, "batch time size"],
        t: Int[Tensor, " batch"],
        audio: Float[Tensor, "batch rows audio"],
        reference: Float[Tensor, "batch before size"],
        *,
        drop_audio: Bool[Tensor, " batch"] | None = None,
        frame_mask: Bool[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch time size"]:
        """x0. audio: at any rate, brought to one vector per frame linearly, ends on ends."""
        before = reference.shape[1]
        if audio.shape[1] != x.shape[1]:
            audio = nn.functional.interpolate(
                audio.transpose(1, 2), size=x.shape[1], mode="linear", align_corners=True
            ).transpose(1, 2)
        voice = self.audio_proj(audio.to(self.null_audio.dtype))  # features are kept in float16
        if drop_audio is not None:
            voice = torch.where(drop_audio[:, None, None], self.null_audio, voice)
        frames = self.pose_proj(torch.cat([reference, x], dim=1))
        quiet = torch.zeros_like(frames[:, :before])
        joined = self.join(torch.cat([frames, torch.cat([quiet, voice], dim=1)], dim=2))
        step = self.time_mlp(self.places[t])[:, None]
        tokens = torch.cat([step, joined], dim=1)
        tokens = self.drop(tokens + self.places[: tokens.shape[1]])
        hidden = None
        if frame_mask is not None:
            first = torch.ones(len(x), 1 + before, dtype=torch.bool, device=x.device)
            hidden = ~torch.cat([first, frame_mask], dim=1)
        return self.proj_out(self.encoder(tokens, src_key_padding_mask=hidden)[:, 1 + before :])


def interleaved(longest: int, width: int) -> Float64[Tensor, "longest width"]:
    """Sines at even and cosines at odd places, wavelengths from 2 pi to 20,000 pi (Vaswani et al. 2017).

    float64 whatever the default dtype is: loading a network in bfloat16 makes that the default, which has no odd
    number above 256.
    """
    pairs = torch.arange(0, width, 2, dtype=torch.float64)
    rates = torch.exp(pairs * (-math.log(10_000.0) / width))
    angles = torch.arange(longest, dtype=torch.float64)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)

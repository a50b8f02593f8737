"""The Light-ASD and LR-ASD networks: is this face speaking this sound, frame by frame.

Written from the published facts and the names and shapes of the published state dicts, which load
strictly. Light-ASD: Liao et al., CVPR 2023 (arXiv:2303.04439). LR-ASD: Liao et al., IJCV 2025.

Letters: B batch, T picture frames at 25 FPS, S sound features at 100 Hz, K cepstral coefficients, H
W pixels, D features.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

GREY_MEAN, GREY_STD = 0.4161, 0.1688  # of training faces scaled to 0..1, as published
FEATURES = 128
REACH = 10  # frames on each side that the picture encoder sees at most: 9 in LR-ASD, 6 in Light-ASD


def _norm2(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=0.001, momentum=0.01)


def _norm3(channels: int) -> nn.BatchNorm3d:
    return nn.BatchNorm3d(channels, eps=0.001, momentum=0.01)


def _in_space(inputs: int, outputs: int, *, kernel: int, stride: int = 1) -> nn.Conv3d:
    return nn.Conv3d(
        inputs,
        outputs,
        (1, kernel, kernel),
        stride=(1, stride, stride),
        padding=(0, kernel // 2, kernel // 2),
        bias=False,
    )


def _in_time(channels: int, *, kernel: int) -> nn.Conv3d:
    return nn.Conv3d(channels, channels, (kernel, 1, 1), padding=(kernel // 2, 0, 0), bias=False)


def _over_cepstrum(inputs: int, outputs: int, *, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, (kernel, 1), padding=(kernel // 2, 0), bias=False)


def _over_sound(channels: int, *, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, (1, kernel), padding=(0, kernel // 2), bias=False)


# ---- blocks --------------------------------------------------------------------------------------


class LightBlock(nn.Module):
    """Two branches of a spatial and a temporal convolution, kernels 3 and 5, summed and mixed
    (Light-ASD, section 3.2).
    """

    def __init__(self, first: str, layers: OrderedDict[str, nn.Module]) -> None:
        super().__init__()
        self.first = first
        for name, layer in layers.items():
            self.add_module(name, layer)

    def _step(self, name: str, x: Tensor) -> Tensor:
        return F.relu(self.get_submodule(f"bn_{name}")(self.get_submodule(name)(x)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, ...) to (B, outputs, ...); a stride halves height and width."""
        small = self._step("t_3", self._step(f"{self.first}_3", x))
        large = self._step("t_5", self._step(f"{self.first}_5", x))
        return self._step("last", small + large)


def light_picture_block(inputs: int, outputs: int, *, stride: int = 1) -> LightBlock:
    """A Light-ASD block over (B, channel, T, H, W)."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for kernel in (3, 5):
        layers[f"s_{kernel}"] = _in_space(inputs, outputs, kernel=kernel, stride=stride)
        layers[f"bn_s_{kernel}"] = _norm3(outputs)
        layers[f"t_{kernel}"] = _in_time(outputs, kernel=kernel)
        layers[f"bn_t_{kernel}"] = _norm3(outputs)
    layers["last"] = nn.Conv3d(outputs, outputs, 1, bias=False)
    layers["bn_last"] = _norm3(outputs)
    return LightBlock("s", layers)


def light_sound_block(inputs: int, outputs: int) -> LightBlock:
    """A Light-ASD block over (B, channel, K, S)."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for kernel in (3, 5):
        layers[f"m_{kernel}"] = _over_cepstrum(inputs, outputs, kernel=kernel)
        layers[f"bn_m_{kernel}"] = _norm2(outputs)
        layers[f"t_{kernel}"] = _over_sound(outputs, kernel=kernel)
        layers[f"bn_t_{kernel}"] = _norm2(outputs)
    layers["last"] = nn.Conv2d(outputs, outputs, 1, bias=False)
    layers["bn_last"] = _norm2(outputs)
    return LightBlock("m", layers)


class ReachBlock(nn.Module):
    """Two spatial, then two temporal convolutions in a row, kernels 5 and 3 (LR-ASD)."""

    def __init__(self, first: str, layers: OrderedDict[str, nn.Module]) -> None:
        super().__init__()
        self.first = first
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, ...) to (B, outputs, ...); a stride halves height and width."""
        for kind in (self.first, "t"):
            for number in (1, 2):
                convolved = self.get_submodule(f"{kind}_{number}")(x)
                x = F.relu(self.get_submodule(f"{kind}_norm_{number}")(convolved))
        return x


def reach_picture_block(inputs: int, outputs: int, *, stride: int = 1) -> ReachBlock:
    """An LR-ASD block over (B, channel, T, H, W)."""
    half = outputs // 2
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        s_1=_in_space(inputs, half, kernel=5, stride=stride),
        s_norm_1=_norm3(half),
        s_2=_in_space(half, outputs, kernel=3),
        s_norm_2=_norm3(outputs),
        t_1=_in_time(outputs, kernel=5),
        t_norm_1=_norm3(outputs),
        t_2=_in_time(outputs, kernel=3),
        t_norm_2=_norm3(outputs),
    )
    return ReachBlock("s", layers)


def reach_sound_block(inputs: int, outputs: int) -> ReachBlock:
    """An LR-ASD block over (B, channel, K, S)."""
    half = outputs // 2
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        m_1=_over_cepstrum(inputs, half, kernel=5),
        m_norm_1=_norm2(half),
        m_2=_over_cepstrum(half, outputs, kernel=3),
        m_norm_2=_norm2(outputs),
        t_1=_over_sound(outputs, kernel=5),
        t_norm_1=_norm2(outputs),
        t_2=_over_sound(outputs, kernel=3),
        t_norm_2=_norm2(outputs),
    )
    return ReachBlock("m", layers)


# ---- encoders ------------------------------------------------------------------------------------


class PictureEncoder(nn.Module):
    """Grey faces to 128 features per frame: three blocks, halved in between, the maximum over the
    picture.
    """

    def __init__(self, block1: nn.Module, block2: nn.Module, block3: nn.Module) -> None:
        super().__init__()
        self.block1, self.block2, self.block3 = block1, block2, block3

    def forward(self, x_BTHW: Float[Tensor, "B T H W"]) -> Float[Tensor, "B T D"]:
        """Features of grey faces, 0 to 255."""
        x = (x_BTHW[:, None] / 255.0 - GREY_MEAN) / GREY_STD
        for block in (self.block1, self.block2):
            x = F.max_pool3d(block(x), (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        return self.block3(x).amax(dim=(-2, -1)).mT


class SoundEncoder(nn.Module):
    """Cepstra at 100 Hz to 128 features at 25 Hz: three blocks, time halved in between, the mean
    over the cepstrum.
    """

    def __init__(self, block1: nn.Module, block2: nn.Module, block3: nn.Module) -> None:
        super().__init__()
        self.block1, self.block2, self.block3 = block1, block2, block3

    def forward(self, x_BSK: Float[Tensor, "B S K"]) -> Float[Tensor, "B T D"]:
        """Features of cepstra; T is S / 4."""
        x = x_BSK.mT[:, None]
        for block in (self.block1, self.block2):
            x = F.max_pool2d(block(x), (1, 3), stride=(1, 2), padding=(0, 1))
        return self.block3(x).mean(dim=2).mT


# ---- joining sound and picture -------------------------------------------------------------------


def _gru(inputs: int, outputs: int) -> nn.GRU:
    return nn.GRU(inputs, outputs, batch_first=True)


class StackedGru(nn.Module):
    """A forward GRU whose output a backward GRU reads (Light-ASD, section 3.3)."""

    def __init__(self) -> None:
        super().__init__()
        self.gru_forward = _gru(FEATURES, FEATURES)
        self.gru_backward = _gru(FEATURES, FEATURES)

    def forward(self, x_BTD: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Features that know the frames before and after."""
        ahead = F.gelu(self.gru_forward(x_BTD)[0])
        back = self.gru_backward(ahead.flip(1))[0].flip(1)
        return F.gelu(back)


class Gate(nn.Module):
    """Two feature sets side by side, each feature weighted by a sigmoid of all of them (LR-ASD)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.attention = nn.Conv1d(features, features, 1, bias=False)
        self.bn = nn.BatchNorm1d(features, eps=0.001, momentum=0.01)

    def forward(self, a_BTD: Tensor, b_BTD: Tensor) -> Tensor:
        """(B, T, D) twice to (B, T, 2 D)."""
        both = torch.cat((a_BTD, b_BTD), dim=2).mT
        return (both * torch.sigmoid(self.bn(self.attention(both)))).mT


class GatedGru(nn.Module):
    """A forward and a backward GRU side by side, joined by a gate (LR-ASD)."""

    def __init__(self) -> None:
        super().__init__()
        self.gru_forward = _gru(2 * FEATURES, FEATURES // 2)
        self.gru_backward = _gru(2 * FEATURES, FEATURES // 2)
        self.attention = Gate(FEATURES)

    def forward(self, x_BTD: Float[Tensor, "B T E"]) -> Float[Tensor, "B T D"]:
        """Features that know the frames before and after."""
        ahead = self.gru_forward(x_BTD)[0]
        back = self.gru_backward(x_BTD.flip(1))[0].flip(1)
        return self.attention(ahead, back)


class Head(nn.Module):
    """Two logits per frame: not speaking, speaking."""

    def __init__(self) -> None:
        super().__init__()
        self.FC = nn.Linear(FEATURES, 2)

    def forward(self, x_BTD: Float[Tensor, "B T D"]) -> Float[Tensor, "B T 2"]:
        """The logits."""
        return self.FC(x_BTD)


# ---- the two networks ----------------------------------------------------------------------------


class LightModel(nn.Module):
    """Light-ASD without its heads: the sum of sound and picture features, read by stacked GRUs."""

    def __init__(self) -> None:
        super().__init__()
        self.visualEncoder = PictureEncoder(
            light_picture_block(1, 32, stride=2),
            light_picture_block(32, 64),
            light_picture_block(64, FEATURES),
        )
        self.audioEncoder = SoundEncoder(
            light_sound_block(1, 32), light_sound_block(32, 64), light_sound_block(64, FEATURES)
        )
        self.GRU = StackedGru()

    def join(self, sound_BTD: Tensor, picture_BTD: Tensor) -> Tensor:
        """Features per frame that know both."""
        return self.GRU(sound_BTD + picture_BTD)


class ReachModel(nn.Module):
    """LR-ASD without its heads: sound and picture features side by side, gated, read by GRUs both
    ways.
    """

    def __init__(self) -> None:
        super().__init__()
        self.visualEncoder = PictureEncoder(
            reach_picture_block(1, 32, stride=2),
            reach_picture_block(32, 64),
            reach_picture_block(64, FEATURES),
        )
        self.audioEncoder = SoundEncoder(
            reach_sound_block(1, 32), reach_sound_block(32, 64), reach_sound_block(64, FEATURES)
        )
        self.fusion = Gate(2 * FEATURES)
        self.detector = GatedGru()

    def join(self, sound_BTD: Tensor, picture_BTD: Tensor) -> Tensor:
        """Features per frame that know both."""
        return self.detector(self.fusion(sound_BTD, picture_BTD))


class ActiveSpeakerNet(nn.Module):
    """One of the two models with the heads it was published with; names as in the published state
    dicts.
    """

    def __init__(self, model: LightModel | ReachModel) -> None:
        super().__init__()
        self.model = model
        self.lossAV = Head()
        self.lossV = Head()  # read from the picture alone; it helped training

    def forward(
        self, faces_BTHW: Float[Tensor, "B T H W"], cepstra_BSK: Float[Tensor, "B S K"]
    ) -> tuple[Float[Tensor, "B T 2"], Float[Tensor, "B T 2"]]:
        """Logits (not speaking, speaking) per frame, of sound and picture and of the picture alone."""
        picture = self.model.visualEncoder(faces_BTHW)
        heard = self.model.audioEncoder(cepstra_BSK)
        return self.lossAV(self.model.join(heard, picture)), self.lossV(picture)

    def picture(
        self, faces_THW: Float[Tensor, "T H W"], *, at_once: int = 64
    ) -> Float[Tensor, "T D"]:
        """Features per frame of one face track, grey 0 to 255; `at_once` frames at a time, the
        result does not depend on it.
        """
        pieces = []
        for start in range(0, len(faces_THW), at_once):
            before = min(REACH, start)
            piece = faces_THW[start - before : start + at_once + REACH]
            visual = self.model.visualEncoder(piece[None])[0]
            pieces.append(visual[before : before + at_once])
        return torch.cat(pieces)

    def sound(self, cepstra_SK: Float[Tensor, "S K"]) -> Float[Tensor, "T D"]:
        """Features at 25 Hz of cepstra at 100 Hz."""
        return self.model.audioEncoder(cepstra_SK[None])[0]

    def log_odds(self, sound_BTD: Tensor, picture_BTD: Tensor) -> Float[Tensor, "B T"]:
        """Log-odds per frame that this face speaks this sound."""
        quiet, speaks = self.lossAV(self.model.join(sound_BTD, picture_BTD)).unbind(dim=-1)
        return speaks - quiet


def light_asd() -> ActiveSpeakerNet:
    """Light-ASD with fresh weights: 192 tensors."""
    return ActiveSpeakerNet(LightModel())


def lr_asd() -> ActiveSpeakerNet:
    """LR-ASD with fresh weights: 168 tensors."""
    return ActiveSpeakerNet(ReachModel())

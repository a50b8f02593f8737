"""The two streams of SyncNet: five frames of lips and a fifth of a second of sound, each to 1024
numbers.

Chung & Zisserman 2016, section 3, with the sizes of the released syncnet_v2.model, whose state dict
loads strictly.
"""

from jaxtyping import Float
from torch import Tensor, nn

POINT = 1024


def _heard(inputs: int, outputs: int, kernel: tuple[int, int], *, padding: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU()]


def _seen(
    inputs: int, outputs: int, size: int, *, padding: int, stride: int = 1
) -> list[nn.Module]:
    convolution = nn.Conv3d(
        inputs, outputs, (1, size, size), stride=(1, stride, stride), padding=(0, padding, padding)
    )
    return [convolution, nn.BatchNorm3d(outputs), nn.ReLU()]


def _pool(*, padding: int = 0) -> nn.MaxPool3d:
    return nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, padding, padding))


def _to_point() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, POINT))


class SyncNetwork(nn.Module):
    """SyncNet's sound and picture streams: 13,631,616 parameters, names as in the published state
    dict.
    """

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_heard(1, 64, (3, 3), padding=1),
            nn.Identity(),
            *_heard(64, 192, (3, 3), padding=1),
            nn.MaxPool2d((3, 3), stride=(1, 2)),
            *_heard(192, 384, (3, 3), padding=1),
            *_heard(384, 256, (3, 3), padding=1),
            *_heard(256, 256, (3, 3), padding=1),
            nn.MaxPool2d((3, 3), stride=(2, 2)),
            *_heard(256, 512, (5, 4), padding=0),
        )
        self.netfcaud = _to_point()
        self.netfclip = _to_point()
        first = nn.Conv3d(3, 96, (5, 7, 7), stride=(1, 2, 2))
        self.netcnnlip = nn.Sequential(
            *(first, nn.BatchNorm3d(96), nn.ReLU()),
            _pool(),
            *_seen(96, 256, 5, padding=1, stride=2),
            _pool(padding=1),
            *_seen(256, 256, 3, padding=1),
            *_seen(256, 256, 3, padding=1),
            *_seen(256, 256, 3, padding=1),
            _pool(),
            *_seen(256, 512, 6, padding=0),
        )

    def forward(
        self, faces: Float[Tensor, "window 3 5 224 224"], cepstra: Float[Tensor, "heard 1 13 20"]
    ) -> tuple[Float[Tensor, "window 1024"], Float[Tensor, "heard 1024"]]:
        """Points of pictures and of sounds, each as below."""
        return self.picture(faces), self.sound(cepstra)

    def sound(self, cepstra: Float[Tensor, "window 1 13 20"]) -> Float[Tensor, "window 1024"]:
        """One point per window of 20 cepstra at 100 Hz."""
        return self.netfcaud(self.netcnnaud(cepstra).flatten(1))

    def picture(self, faces: Float[Tensor, "window 3 5 224 224"]) -> Float[Tensor, "window 1024"]:
        """One point per window of 5 faces, blue first, 0 to 255."""
        return self.netfclip(self.netcnnlip(faces).flatten(1))

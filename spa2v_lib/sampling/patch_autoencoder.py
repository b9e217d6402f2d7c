"""The tiny suite's autoencoder: principal components of patches, and a decoder that mends seams.

A convolutional autoencoder is the most expensive part of a latent diffusion model to train on a
CPU. On drawn pictures the best linear code of a patch, its leading principal components, already
beats what one learns there in a quarter of an hour; so the encoder is that code, one strided
convolution, and only the decoder is a network: the code's transpose, followed by residual
convolutions that see across the patches' borders.

The class has diffusers' interface and file format, so that its pipelines take it as their ``vae``.
"""

from __future__ import annotations

from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from diffusers.models.autoencoders.vae import DecoderOutput
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["PatchAutoencoder"]


class _Residual(nn.Module):
    """Two convolutions around a skip; the second starts at zero."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, hidden, 3, padding=1)
        self.second = nn.Conv2d(hidden, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(x)))


class PatchAutoencoder(ModelMixin, ConfigMixin):
    """Encode patches by their principal components; decode with a small network.

    Parameters
    ----------
    latent_channels : int
        Components kept of each patch.
    block_out_channels : tuple of int
        Only its length counts: one more than the halvings between picture and latents, from which
        diffusers' pipelines know the latents' size. Four make patches of 8x8 pixels.
    width : int
        Channels of the decoder's seam-mending convolutions.
    scaling_factor : float
        Multiplies latents before diffusion, as in diffusers.

    Examples
    --------
    >>> import torch
    >>> model = PatchAutoencoder(latent_channels=4)
    >>> latents = model.encode(torch.zeros(1, 3, 16, 16)).latents
    >>> latents.shape, model.decode(latents).sample.shape
    (torch.Size([1, 4, 2, 2]), torch.Size([1, 3, 16, 16]))
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 32,
        block_out_channels: tuple[int, ...] = (32, 32, 32, 32),
        width: int = 48,
        scaling_factor: float = 1.0,
    ) -> None:
        super().__init__()
        channels, patch = latent_channels, 2 ** (len(block_out_channels) - 1)
        self.analysis = nn.Conv2d(3, channels, patch, patch)
        self.synthesis = nn.ConvTranspose2d(channels, 3, patch, patch)
        self.detail = nn.Sequential(
            nn.Conv2d(channels, 3 * width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(3 * width, 3 * patch**2, 3, padding=1),
            nn.PixelShuffle(patch),
        )
        self.mend = nn.Sequential(
            nn.PixelUnshuffle(2),
            _Residual(12, width),
            _Residual(12, width),
            _Residual(12, width),
            nn.PixelShuffle(2),
        )
        nn.init.zeros_(self.detail[2].weight)
        nn.init.zeros_(self.detail[2].bias)

    def encode(self, pixels: Tensor) -> AutoencoderTinyOutput:
        """Encode pixels [n, 3, h, w] in [-1, 1] to latents [n, channels, h/patch, w/patch]."""
        return AutoencoderTinyOutput(latents=self.analysis(pixels))

    def decode(self, latents: Tensor, return_dict: bool = True) -> DecoderOutput | tuple[Tensor]:
        """Decode latents [n, channels, h, w] to pixels [n, 3, h*patch, w*patch]."""
        pixels = self.mend(self.synthesis(latents) + self.detail(latents))
        return DecoderOutput(sample=pixels) if return_dict else (pixels,)

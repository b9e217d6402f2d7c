"""Half precision changes a denoiser's answer little, and only where the processor has the unit."""

import pytest
import torch

from spa2v_lab.training.base import new_unet
from spa2v_lib.doctor import device
from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling import loading


def test_the_answer_is_nearly_the_same_and_in_single_precision():
    torch.manual_seed(0)
    unet = new_unet().eval().requires_grad_(False)
    noisy, words = torch.randn(2, 32, 16, 16, requires_grad=True), torch.randn(2, 32, 128)
    exact = unet(noisy, 500, words).sample
    loading.compute_in_bfloat16(unet)
    near = unet(noisy, 500, words).sample
    assert near.dtype == torch.float32
    difference = (near - exact).norm() / exact.norm()
    assert 1e-6 < difference < 0.02
    assert torch.equal(unet(noisy, 500, words, return_dict=False)[0], near)
    near.sum().backward()
    assert noisy.grad.abs().sum() > 0, "energy guidance needs gradients"


@pytest.mark.parametrize("native", [True, False])
def test_the_suite_uses_it_where_the_processor_has_it(monkeypatch, native):
    capabilities = {"avx512_bf16": native}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert loading.bfloat16_is_native() is native
    assert device().endswith("bfloat16") is native or torch.cuda.is_available()
    loading.unload()
    pipeline = loading.load("tiny", "cpu")
    loading.unload()
    assert ("forward" in vars(pipeline.unet)) is native
    assert pipeline.unet.dtype == torch.float32


def test_a_torch_that_cannot_tell_stays_in_single_precision(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert loading.bfloat16_is_native() is False


def test_it_can_be_switched_off(monkeypatch):
    capabilities = {"avx512_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setenv(loading.BFLOAT16_VARIABLE, "off")
    assert loading.bfloat16_is_native() is False
    monkeypatch.setenv(loading.BFLOAT16_VARIABLE, "no")
    with pytest.raises(SamplingError, match="SPA2V_BFLOAT16 is 'no'"):
        loading.bfloat16_is_native()

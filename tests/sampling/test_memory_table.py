"""The table of videos against GPUs says what the check before sampling decides."""

from types import SimpleNamespace

import pytest

from spa2v_lab.bench.memory_table import CARDS_GB, FREE_SHARE, memory_table
from spa2v_lib.errors import SamplingError
from spa2v_lib.sampling import loading
from spa2v_lib.sampling.grounding import chosen_grounding
from spa2v_lib.sampling.presets import get_preset

ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in memory_table().splitlines()]


def test_every_cell_is_what_the_check_decides(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: True)
    memory = SimpleNamespace(available=64e9)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    loading.unload()
    words = set()
    for name, methods, frames, _, _, *cells in ROWS[2:]:
        preset = get_preset(name)
        for method in methods.split(", "):
            gradients = getattr(chosen_grounding(method, preset), "takes_gradients", False)
            for card, cell in zip(CARDS_GB, cells, strict=True):
                free = card * FREE_SHARE * 1e9
                monkeypatch.setattr("torch.cuda.mem_get_info", lambda free=free: (free, free))
                words.add(cell)
                if cell == "no":
                    with pytest.raises(SamplingError, match=f"for {frames} frames"):
                        loading.check_device(preset, frames=int(frames), gradients=gradients)
                else:
                    where = loading.check_device(preset, frames=int(frames), gradients=gradients)
                    assert {"cuda": "yes", "offload": "offload"}[where] == cell
    assert words == {"yes", "offload", "no"}


def test_every_published_preset_and_method_has_its_rows():
    listed = {(row[0], method) for row in ROWS[2:] for method in row[1].split(", ")}
    wanted = ("sd15-migc", "sd15-gligen", "wan-vace")
    assert listed == {(n, m) for n in wanted for m in get_preset(n).groundings}

"""What a run loads: the libraries and weights that it needs, and no others."""

import gc
import json
import subprocess
import sys

import pytest

from spa2v_lib import sampling
from spa2v_lib.resources import resource

NEEDLESS = ("librosa", "numba", "pandas", "plotly", "sklearn", "IPython")
RUN = f"""
import json, sys
from spa2v_lib.cli import app
from spa2v_lib.runs import generate_run
from spa2v_lib.sampling import loading
from spa2v_lib.sampling.grounding import migc_weights

generate_run(sys.argv[1], sys.argv[2], steps=1)
(pipeline,) = loading._LOADED.values()
print(json.dumps({{
    "loaded": sorted({{*{NEEDLESS!r}}} & {{*sys.modules}}),
    "migc": sorted(migc_weights.attached(pipeline.unet)),
    "gligen": hasattr(pipeline.unet, "position_net"),
}}))
"""


def test_a_run_loads_what_it_needs_and_no_more(tmp_path):
    audio = resource("recordings") / "car_horn_01.flac"
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(audio), str(tmp_path / "run")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"loaded": [], "migc": [], "gligen": True}


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_afterwards_as_it_was(was_on):
    (gc.enable if was_on else gc.disable)()
    try:
        with pytest.raises(OSError), sampling._collector_paused():
            assert not gc.isenabled()
            raise OSError
        assert gc.isenabled() == was_on
    finally:
        gc.enable()

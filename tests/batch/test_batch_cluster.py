"""Batches on a Ray cluster of two nodes, one of which is lost while it works."""

from __future__ import annotations

import csv
import os
import threading
import time
from pathlib import Path

import pytest

from spa2v_lib.batch import Engine, run_batch
from spa2v_lib.errors import BatchError

ray = pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.slow

ITEMS = 8


@pytest.fixture
def cluster(monkeypatch):
    """Two real nodes on this machine, with one place for a worker each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    root = str(Path(__file__).resolve().parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
    small = {"num_cpus": 1, "object_store_memory": 80_000_000}
    made = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    made.add_node(**small)
    yield made
    ray.shutdown()
    made.shutdown()


def results(root: Path) -> list[dict[str, str]]:
    with (root / "results.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_node_that_is_lost_costs_nothing_and_nothing_is_there_twice(
    cluster, sound, notebook, manifest, tmp_path
):
    rows = [
        {"recording": str(sound(f"{number}.wav", number)), "seed": 993} for number in range(ITEMS)
    ]
    out = tmp_path / "out"
    lost = threading.Event()

    def lose_a_node() -> None:
        deadline = time.monotonic() + 900
        while time.monotonic() < deadline and len(list(out.glob("items/*/run.json"))) < 3:
            time.sleep(0.1)
        (second,) = [node for node in cluster.list_all_nodes() if node is not cluster.head_node]
        cluster.remove_node(second, allow_graceful=False)
        lost.set()

    thread = threading.Thread(target=lose_a_node)
    thread.start()
    engine = Engine("ray", workers=2, address=cluster.address, tries=3)
    summary = run_batch([manifest(rows)], out, notebook=notebook, engine=engine)
    thread.join()
    assert lost.is_set() and summary.worked == ITEMS and summary.failed == 0
    found = results(out)
    assert [row["status"] for row in found] == ["done"] * ITEMS
    assert (
        len({row["folder"] for row in found}) == len({row["recording"] for row in found}) == ITEMS
    )
    assert {path.name for path in (out / "items").iterdir()} == {
        Path(row["folder"]).name for row in found
    }
    again = run_batch([manifest(rows)], out, notebook=notebook, engine=engine, resume=True)
    assert again.kept == ITEMS


def test_more_than_the_cluster_has_is_refused(cluster, sound, notebook, tmp_path):
    sound("a.wav")
    engine = Engine("ray", address=cluster.address, gpus_per_item=1)
    with pytest.raises(BatchError, match="too few for one item"):
        run_batch([tmp_path / "sounds"], tmp_path / "out", notebook=notebook, engine=engine)


def test_a_cluster_that_is_not_there_is_named(sound, notebook, tmp_path):
    sound("a.wav")
    engine = Engine("ray", address="127.0.0.1:1")
    with pytest.raises(BatchError, match="no Ray cluster at '127.0.0.1:1'"):
        run_batch([tmp_path / "sounds"], tmp_path / "out", notebook=notebook, engine=engine)

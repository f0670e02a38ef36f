"""A sweep on Ray Data: every worker evaluates its own batches.

    python ray_sweep.py plan.mesa chat 1000000
"""

import sys

import numpy as np
import ray

import mesa


class Evaluate:
    """One for each worker: what it compiles for the first batch serves the others."""

    def __init__(self, scenario):
        self.scenario = scenario

    def __call__(self, batch):
        point = batch.pop("id")
        batch = {
            "serve.batch": 1.0 + point % 512,
            "plan.tp": np.array([1.0, 2.0, 4.0, 8.0])[point // 512 % 4],
        }
        results = self.scenario.evaluate(batch, results=["tpot", "throughput.device"])
        return {**batch, **results}


def best(path, name, points):
    """The rows that hold, fastest first."""
    scenario = mesa.load(path).scenario(name)
    rows = ray.data.range(points).map_batches(
        Evaluate, fn_constructor_args=(scenario,), batch_size=65536, concurrency=1
    )
    return rows.filter(lambda row: row["reason"] == "").sort("tpot").take(5)


if __name__ == "__main__":
    for row in best(sys.argv[1], sys.argv[2], int(sys.argv[3])):
        print(row)

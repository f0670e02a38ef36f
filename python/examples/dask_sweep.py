"""A sweep on Dask: every partition of a data frame is one table.

    python dask_sweep.py plan.mesa chat 1000000
"""

import sys

import dask.dataframe as dd
import numpy as np
import pandas as pd

import mesa


def best(path, name, points):
    """The rows that hold, fastest first."""
    scenario = mesa.load(path).scenario(name)
    asked = ["tpot", "throughput.device"]

    def evaluate(part):
        return part.join(scenario.evaluate(part, results=asked))

    point = np.arange(points)
    table = pd.DataFrame({
        "serve.batch": 1.0 + point % 512,
        "plan.tp": np.array([1.0, 2.0, 4.0, 8.0])[point // 512 % 4],
    })
    rows = dd.from_pandas(table, npartitions=4).map_partitions(
        evaluate, meta=evaluate(table.head(1))
    )
    return rows[rows["reason"] == ""].nsmallest(5, "tpot").compute()


if __name__ == "__main__":
    print(best(sys.argv[1], sys.argv[2], int(sys.argv[3])))

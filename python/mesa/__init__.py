"""Mesa: what large language models need, over columns of settings.

    import mesa
    chat = mesa.load("plan.mesa").scenario("chat")
    out = chat.evaluate({"serve.batch": batches, "precision.weights": formats})
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from . import _mesa, _tables
from ._mesa import MesaError, __version__

__all__ = ["MesaError", "Scenario", "Spec", "__version__", "load"]

Table = TypeVar("Table")


def load(path: str | os.PathLike[str] | None = None, *, text: str | None = None) -> Spec:
    """Reads a file, or takes its text. A file with errors raises `MesaError`."""
    if (path is None) == (text is None):
        raise TypeError("load takes a path, or text=...")
    if text is not None:
        return Spec(_mesa.Spec("<text>", text))
    return Spec(_mesa.Spec(os.fspath(path)))


class Spec:
    """A file with what it imports. It can be pickled: its texts go with it."""

    def __init__(self, spec: _mesa.Spec) -> None:
        self._spec = spec

    @property
    def scenarios(self) -> list[str]:
        """The names of its scenarios, in order."""
        return self._spec.scenarios()

    def scenario(self, name: str) -> Scenario:
        """One of its scenarios."""
        return Scenario(self, name)

    def check(self) -> list[dict[str, Any]]:
        """What `mesa check` finds in it, scenarios included."""
        return self._spec.check()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restored, self._spec.parts())

    def __repr__(self) -> str:
        return f"<mesa.Spec {self._spec.parts()[0]}: {', '.join(self.scenarios)}>"


def _restored(name: str, text: str, imports: list[tuple[str, str, str, str]]) -> Spec:
    return Spec(_mesa.Spec(name, text, imports))


class Scenario:
    """A scenario. What is compiled for one table serves the next: keep the object."""

    def __init__(self, spec: Spec, name: str) -> None:
        self.spec = spec
        self.name = name
        self._scenario = _mesa.Scenario(spec._spec, name)

    @property
    def headline(self) -> list[str]:
        """The results of `evaluate` when none are asked for."""
        return self._scenario.headline()

    def settable(self) -> list[dict[str, Any]]:
        """What a column may be: path, value, what it holds, unit, whether structural."""
        return self._scenario.settable()

    def result(self, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The scenario's report, as `mesa eval --format json` prints it, with some settings."""
        given = [(path, _tables.typed(value)) for path, value in (settings or {}).items()]
        return self._scenario.result(given)

    def evaluate(self, table: Table, results: Sequence[str] | None = None) -> Table:
        """Results for every row of a table.

        `table` is a dict of columns, a pandas DataFrame, or a pyarrow Table or RecordBatch; names
        of columns are paths as in `--override`. Numbers are in base units (B, s, FLOP, USD),
        texts are what the command line takes. What comes back is of the same kind: the results,
        and `reason`, which is empty where a row holds.
        """
        if isinstance(results, str):
            raise TypeError("results is a list of paths")
        names = list(dict.fromkeys(self.headline if results is None else results))
        if "reason" in names:
            raise ValueError("`reason` is the column that says why a row has no results")
        columns, rows, back = _tables.taken(table)
        filled = {name: np.empty(rows) for name in names}
        numbers = np.zeros(rows, dtype=np.int32)
        texts = self._scenario.evaluate(columns, rows, list(filled.items()), numbers)
        return back(filled, numbers, texts)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Scenario, (self.spec, self.name))

    def __repr__(self) -> str:
        return f"<mesa.Scenario {self.name}>"

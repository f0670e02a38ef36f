"""Tables of other libraries as columns, and back.

A column of doubles is taken as it is, without a copy; other numbers become doubles; everything
else becomes numbers of texts. No library is imported here unless its table was given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Column = tuple[str, Any, "list[str] | None"]
Back = Callable[[dict[str, np.ndarray], np.ndarray, list[str]], Any]


def typed(value: Any) -> str:
    """A value as the command line takes it."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        # Not 1e+16: long numbers are written out, to the last digit.
        return np.format_float_positional(value, trim="-")
    return str(value)


def taken(table: Any) -> tuple[list[Column], int, Back]:
    """The columns of a table, its rows, and how results become such a table."""
    arrow, pandas = sys.modules.get("pyarrow"), sys.modules.get("pandas")
    if arrow is not None and isinstance(table, (arrow.Table, arrow.RecordBatch)):
        columns = [_arrow(arrow, n, table.column(n)) for n in table.schema.names]
        return _even(columns, table.num_rows, lambda *a: _arrow_back(arrow, type(table), *a))
    if pandas is not None and isinstance(table, pandas.DataFrame):
        columns = [_array(str(n), table[n].to_numpy()) for n in table.columns]

        def frame(filled, numbers, texts):
            made = {**filled, "reason": _reasons(numbers, texts)}
            return pandas.DataFrame(made, index=table.index, copy=False)

        return _even(columns, len(table), frame)
    if isinstance(table, Mapping):
        columns = [_array(name, np.asarray(values)) for name, values in table.items()]
        rows = len(columns[0][1]) if columns else 0
        return _even(columns, rows, lambda f, n, t: {**f, "reason": _reasons(n, t)})
    kind = type(table).__name__
    raise TypeError(f"a table is a dict of columns, a DataFrame or an Arrow table, not {kind}")


def _even(columns: list[Column], rows: int, back: Back) -> tuple[list[Column], int, Back]:
    names = [name for name, _, _ in columns]
    for name, values, _ in columns:
        if names.count(name) > 1:
            raise ValueError(f"two columns are called `{name}`")
        if len(values) != rows:
            raise ValueError(f"`{name}` has {len(values)} rows, `{names[0]}` has {rows}")
    return columns, rows, back


def _array(name: str, values: np.ndarray) -> Column:
    if not isinstance(name, str):
        raise TypeError(f"names of columns are paths such as \"serve.batch\", not {name!r}")
    if values.ndim != 1:
        raise ValueError(f"`{name}` has {values.ndim} dimensions; a column has one")
    if values.dtype.kind in "iuf":
        return (name, np.ascontiguousarray(values, dtype=np.float64), None)
    if values.dtype.kind == "c" or values.dtype.kind in "mMV":
        raise TypeError(f"`{name}` holds {values.dtype}: a column holds numbers or texts")
    known: dict[str | None, int] = {}
    numbers = np.empty(len(values), dtype=np.int32)
    for at, value in enumerate(values.tolist()):
        missing = value is None or value != value
        if missing:
            numbers[at] = -1
        else:
            numbers[at] = known.setdefault(typed(value), len(known))
    return (name, numbers, list(known))


def _arrow(arrow: Any, name: str, values: Any) -> Column:
    if isinstance(values, arrow.ChunkedArray):
        values = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    if isinstance(values, arrow.ChunkedArray):  # older versions combine to one chunk
        values = arrow.concat_arrays(values.chunks)
    kinds = arrow.types
    if kinds.is_integer(values.type) or kinds.is_floating(values.type):
        # Arrow's own memory where there is nothing missing; missing numbers are NaN.
        return _array(name, values.to_numpy(zero_copy_only=False))
    if kinds.is_boolean(values.type):
        return _array(name, values.to_numpy(zero_copy_only=False))
    if not kinds.is_dictionary(values.type):
        values = values.dictionary_encode()
    texts = [typed(text) for text in values.dictionary.to_pylist()]
    numbers = values.indices.fill_null(-1) if values.indices.null_count else values.indices
    numbers = numbers.to_numpy(zero_copy_only=False)
    return (name, np.ascontiguousarray(numbers, dtype=np.int32), texts)


def _reasons(numbers: np.ndarray, texts: list[str]) -> np.ndarray:
    return np.array(["", *texts], dtype=object)[numbers]


def _arrow_back(
    arrow: Any, kind: Any, filled: dict[str, np.ndarray], numbers: np.ndarray, texts: list[str]
) -> Any:
    reasons = arrow.DictionaryArray.from_arrays(arrow.array(numbers), arrow.array(["", *texts]))
    columns = [arrow.array(values) for values in filled.values()]
    return kind.from_arrays([*columns, reasons.cast(arrow.string())], names=[*filled, "reason"])

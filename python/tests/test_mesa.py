"""The package against the command: the same figures, the same mistakes."""

import json
import os
import pathlib
import pickle
import random
import runpy
import subprocess
import threading

import numpy as np
import pytest

import mesa

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPEC = ROOT / "examples" / "sweep-70b.mesa"
COMMAND = pathlib.Path(os.environ.get("MESA_COMMAND", ROOT / "target" / "debug" / "mesa"))
BANDWIDTH = "system.gpu.memory.hbm.bandwidth"
ASKED = ["tpot", "ttft", "memory.total", "throughput.device"]


@pytest.fixture(scope="module")
def chat():
    return mesa.load(SPEC).scenario("chat")


def figure(results, path):
    for name in path.split("."):
        results = results[name]
    return results["value"] if isinstance(results, dict) else results


def drawn(count):
    dice = random.Random(7)
    return {
        "serve.batch": np.array([float(dice.randint(1, 700)) for _ in range(count)]),
        "plan.tp": np.array([dice.choice([1, 2, 3, 4, 8]) for _ in range(count)]),
        "precision.weights": np.array([dice.choice(["bf16", "fp8"]) for _ in range(count)]),
        BANDWIDTH: np.array([dice.uniform(1e12, 5e12) for _ in range(count)]),
    }


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
def test_random_points_equal_the_command_to_the_last_digit(chat):
    table = drawn(24)
    out = chat.evaluate(table, results=ASKED)
    held = broken = 0
    for row, reason in enumerate(out["reason"]):
        given = {path: column[row] for path, column in table.items()}
        given[BANDWIDTH] = f"{float(given[BANDWIDTH])!r} B/s"
        command = [COMMAND, "eval", SPEC, "chat", "--format", "json"]
        for path, value in given.items():
            command += ["--override", f"{path}={value}"]
        ran = subprocess.run(command, capture_output=True, text=True)
        if reason and reason != "does not fit into memory":
            broken += 1
            assert ran.returncode == 1
            assert reason.split(":")[0] in ran.stderr
            assert all(np.isnan(out[name][row]) for name in ASKED)
            continue
        held += 1
        assert ("E0507" in ran.stderr) == (reason != "")
        results = json.loads(ran.stdout)["scenarios"]["chat"]["results"]
        for name in ASKED:
            assert figure(results, name) == out[name][row], (name, given)
    assert held > 5 and broken > 0


def test_one_row_is_the_report(chat):
    out = chat.evaluate({"serve.batch": np.array([48.0])}, results=["tpot"])
    report = chat.result({"serve.batch": 48.0})
    assert figure(report["results"], "tpot") == out["tpot"][0]
    assert out["reason"].tolist() == [""]


def test_doubles_are_read_where_they_are_and_rows_keep_their_order(chat):
    batch = np.arange(1.0, 40_001.0)
    out = chat.evaluate({"serve.batch": batch}, results=["tpot"])
    assert (np.diff(out["tpot"]) >= 0).all()
    back = chat.evaluate({"serve.batch": batch[::-1]}, results=["tpot"])
    assert (back["tpot"][::-1] == out["tpot"]).all()


def test_rows_that_differ_in_words_only_are_evaluated_once_each(chat):
    formats = np.array(["fp8", "bf16"] * 500)
    out = chat.evaluate({"precision.weights": formats}, results=["tpot"])
    assert len(set(out["tpot"])) == 2
    assert out["tpot"][0] == out["tpot"][998] < out["tpot"][1] == out["tpot"][999]


def test_what_is_no_number_is_a_reason_of_its_row(chat):
    table = {"serve.batch": [1.0, float("nan"), -4.0, float("inf"), 2.5]}
    out = chat.evaluate(table, results=["tpot"])
    assert out["reason"][0] == "" and np.isfinite(out["tpot"][0])
    assert out["reason"][1] == out["reason"][3] == "no number at `serve.batch`"
    assert all(out["reason"][1:]) and np.isnan(out["tpot"][1:]).all()


def test_headline_metrics_come_when_none_are_asked_for(chat):
    out = chat.evaluate({"serve.batch": [8]})
    assert list(out) == [*chat.headline, "reason"]
    assert {"tpot", "ttft"} <= set(out)


def test_mistakes_raise_with_place_and_code(chat):
    with pytest.raises(mesa.MesaError, match="serve.bach") as caught:
        chat.evaluate({"serve.bach": [8.0]})
    assert caught.value.diagnostics[0]["code"].startswith("E")
    with pytest.raises(mesa.MesaError, match="tpott"):
        chat.evaluate({"serve.batch": [8.0]}, results=["tpott"])
    with pytest.raises(mesa.MesaError, match="there is no scenario `chad`"):
        mesa.load(SPEC).scenario("chad")
    with pytest.raises(mesa.MesaError) as caught:
        mesa.load(text="scenario x {")
    assert caught.value.diagnostics[0]["labels"][0]["file"] == "<text>"
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.diagnostics == caught.value.diagnostics
    with pytest.raises(FileNotFoundError):
        mesa.load("nowhere.mesa")


def test_tables_that_are_none_are_refused(chat):
    for table in [[1.0], "serve.batch", {"serve.batch": [[1.0]]}, {3: [1.0]},
                  {"serve.batch": [1.0], "plan.tp": [1, 2]}, {"serve.batch": np.array([1j])}]:
        with pytest.raises((TypeError, ValueError)):
            chat.evaluate(table)
    with pytest.raises(TypeError):
        chat.evaluate({"serve.batch": [1.0]}, results="tpot")


def test_a_table_without_rows_gives_none(chat):
    out = chat.evaluate({"serve.batch": np.array([])}, results=["tpot"])
    assert len(out["tpot"]) == len(out["reason"]) == 0


def test_what_can_be_set_has_units(chat):
    rows = {row["path"]: row for row in chat.settable()}
    assert rows["serve.batch"]["value"] == "32" and rows["serve.batch"]["unit"] == ""
    assert rows["plan"]["structural"]


def test_a_scenario_travels_without_its_files(tmp_path):
    (tmp_path / "part.mesa").write_text(SPEC.read_text().split("plan Tp")[0] + "const eight = 8\n")
    text = SPEC.read_text().replace("use std.models", 'use "part.mesa".eight\nuse std.models', 1)
    main = tmp_path / "main.mesa"
    main.write_text(text.replace("tp: 8", "tp: eight"))
    scenario = mesa.load(main).scenario("chat")
    table = {"serve.batch": np.array([1.0, 64.0])}
    here = scenario.evaluate(table, results=["tpot"])
    packed = pickle.dumps(scenario)
    for file in tmp_path.iterdir():
        file.unlink()
    there = pickle.loads(packed).evaluate(table, results=["tpot"])
    assert (here["tpot"] == there["tpot"]).all()


def test_python_goes_on_while_a_table_is_evaluated(chat):
    table = {"serve.batch": np.random.default_rng(1).integers(1, 64, 400_000).astype(float)}
    chat.evaluate({"serve.batch": table["serve.batch"][:10]}, results=["tpot"])
    done = threading.Event()
    outs = []

    def work():
        outs.append(chat.evaluate(table, results=["tpot"])["tpot"])

    threads = [threading.Thread(target=work) for _ in range(2)]
    count = 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        count += 1
        done.wait(0.0005)
    for thread in threads:
        thread.join()
    # With the lock held throughout, this loop would get no turn at all.
    assert count >= 3
    assert (outs[0] == outs[1]).all()


def test_arrow_tables_give_arrow_tables(chat):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({
        "serve.batch": pa.array([1.0, None, 8.0]),
        "precision.weights": pa.array(["fp8", "fp8", None]),
    })
    out = chat.evaluate(table, results=["tpot"])
    assert isinstance(out, pa.Table) and out.schema.names == ["tpot", "reason"]
    said = out["reason"].to_pylist()
    assert said == ["", "no number at `serve.batch`", "nothing at `precision.weights`"]
    batch = table.slice(0, 1).to_batches()[0]
    assert isinstance(chat.evaluate(batch, results=["tpot"]), pa.RecordBatch)


def test_data_frames_give_data_frames(chat):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"serve.batch": [1, 8], "precision.weights": ["fp8", "bf16"]}, index=[5, 9])
    out = chat.evaluate(frame, results=["tpot"])
    assert list(out.index) == [5, 9] and list(out.columns) == ["tpot", "reason"]


@pytest.mark.parametrize("library, example", [("ray", "ray_sweep"), ("dask.dataframe", "dask_sweep")])
def test_examples_find_the_fastest_rows(library, example):
    pytest.importorskip(library)
    best = runpy.run_path(str(ROOT / "python" / "examples" / f"{example}.py"))["best"]
    rows = best(str(SPEC), "chat", 2048)
    times = [row["tpot"] for row in rows] if library == "ray" else list(rows["tpot"])
    assert len(times) == 5 and times == sorted(times) and times[0] > 0


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
def test_a_parquet_file_of_the_command_holds_what_its_csv_holds(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    csv = pytest.importorskip("pyarrow.csv")
    spec = tmp_path / "a.mesa"
    small = "\nsweep small of chat {\n  vary precision.weights in [bf16, fp8]\n"
    small += "  vary plan.tp in [1, 3, 8]\n  vary serve.batch in pow2(1 .. 512)\n  minimize tpot\n}\n"
    spec.write_text(SPEC.read_text() + small)
    for kind in ["csv", "parquet"]:
        out = tmp_path / f"out.{kind}"
        command = [COMMAND, "sweep", spec, "small", "--all", "--format", kind, "-o", out]
        subprocess.run(command, check=True)
    read = parquet.read_table(tmp_path / "out.parquet").to_pydict()
    rows = csv.read_csv(tmp_path / "out.csv").to_pydict()
    assert list(read) == list(rows) and len(read["point"]) == 2 * 3 * 10

    def plain(value):
        nothing = value is None or value == "" or value != value
        return None if nothing else value

    for name, column in read.items():
        assert [plain(v) for v in column] == [plain(v) for v in rows[name]], name

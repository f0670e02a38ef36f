//! `mesa sweep`, `plan` and `size` as commands: what they print, write and merge.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers are tests

#[path = "common/sweeps.rs"]
mod sweeps;

use sweeps::{SMALL, example};

/// A folder of its own for the command.
struct Dir(std::path::PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mesa-sweep-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mesa"));
        command.args(args).current_dir(&self.0).stdin(std::process::Stdio::null());
        command
    }
    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_point_is_written_with_the_reason_why_it_is_left_out() {
    let dir = Dir::new("all");
    std::fs::write(dir.0.join("a.mesa"), example("chat-70b") + SMALL).unwrap();
    let (code, out, err) = dir.run(&["sweep", "a.mesa", "small", "--all", "--format", "csv"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.lines().count(), 1 + 2 * 5 * 4 * 2);
    let columns = out.lines().next().unwrap().split(',').count();
    assert!(out.lines().all(|l| l.split(',').count() == columns), "{out}");
    assert!(out.contains("cannot be split evenly") && out.contains("does not fit into memory"));
    let (_, lines, _) = dir.run(&["sweep", "a.mesa", "small", "--all", "--format", "jsonl"]);
    assert_eq!(lines.lines().count(), 2 * 5 * 4 * 2);
    for line in lines.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(row["point"].is_u64() && row["serve.batch"].is_u64(), "{line}");
        assert_eq!(row["left_out"].is_null(), row["tpot"].is_f64() && fits(&row), "{line}");
    }
    let args = ["sweep", "a.mesa", "small", "--all", "--format", "parquet", "-o", "a.parquet"];
    assert_eq!(dir.run(&args).0, Some(0));
    let bytes = std::fs::read(dir.0.join("a.parquet")).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    for (format, starts) in [("svg", "<svg"), ("html", "<!doctype html>")] {
        let (code, out, _) = dir.run(&["sweep", "a.mesa", "small", "--format", format]);
        assert!(code == Some(0) && out.starts_with(starts), "{format}");
    }
}

fn fits(row: &serde_json::Value) -> bool {
    row["left_out"] != "does not fit into memory"
}

#[test]
fn parts_of_the_command_are_merged_to_what_one_run_gives() {
    let dir = Dir::new("merge");
    std::fs::write(dir.0.join("a.mesa"), example("chat-70b") + SMALL).unwrap();
    for part in ["1/2", "2/2"] {
        let file = format!("{}.json", &part[..1]);
        let args = ["sweep", "a.mesa", "small", "--shard", part, "--format", "json", "-o", &file];
        assert_eq!(dir.run(&args).0, Some(0));
    }
    let (_, merged, _) = dir.run(&["sweep", "--merge", "1.json", "2.json"]);
    let (_, whole, _) = dir.run(&["sweep", "a.mesa", "small"]);
    assert_eq!(merged, whole);
    let (code, _, err) = dir.run(&["sweep", "--merge", "a.mesa"]);
    assert!(code == Some(2) && err.contains("is no part of a sweep"), "{err}");
}

#[cfg(unix)]
#[test]
fn a_run_that_is_stopped_leaves_whole_rows_and_says_how_to_go_on() {
    let dir = Dir::new("stop");
    let endless = "
sweep endless of chat {
  vary serve.batch  in random(1 .. 512, 100000000)
  vary serve.prompt in random(1 .. 512, 100000000)
  minimize tpot
}
";
    std::fs::write(dir.0.join("a.mesa"), example("chat-70b") + endless).unwrap();
    let args = ["sweep", "a.mesa", "endless", "--all", "--format", "csv", "-o", "out.csv"];
    let mut command = dir.command(&args);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let out = dir.0.join("out.csv");
    while std::fs::metadata(&out).map_or(0, |m| m.len()) < 100_000 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let kill = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(kill.success());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    let text = std::fs::read_to_string(&out).unwrap();
    let rows = text.lines().count() - 1;
    assert!(text.ends_with('\n') && said.contains(&format!("--skip {rows}")), "{said}");
    // A reader that goes away is no error.
    let mut command = dir.command(&["sweep", "a.mesa", "endless", "--all", "--format", "csv"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn plans_are_ranked_with_what_they_lost_on_and_sizes_say_what_is_in_the_way() {
    let dir = Dir::new("plan");
    std::fs::write(dir.0.join("a.mesa"), example("chat-70b")).unwrap();
    let (code, out, err) = dir.run(&["plan", "a.mesa", "chat", "--format", "json"]);
    assert_eq!(code, Some(0), "{err}");
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    let plans = found["plans"].as_array().unwrap();
    let latency = |p: &serde_json::Value| p["results"]["latency"].as_f64().unwrap();
    assert!(
        plans.len() > 3
            && plans.windows(2).all(|w| {
                let missed = |p: &serde_json::Value| p["missed"].as_array().unwrap().len();
                missed(&w[0]) < missed(&w[1]) || latency(&w[0]) <= latency(&w[1])
            })
    );
    assert!(plans.iter().skip(1).all(|p| !p["lost_on"].as_str().unwrap().is_empty()));
    // The winner is what evaluation says of it.
    let value = |p: &serde_json::Value| p["settings"]["tp"].as_str().unwrap().to_owned();
    let set = format!("plan.tp={}", value(&plans[0]));
    let (_, eval, _) = dir.run(&["eval", "a.mesa", "--get", "chat.latency", "--set", &set]);
    assert_eq!(eval.trim().parse::<f64>().unwrap(), latency(&plans[0]));
    let (code, out, _) = dir.run(&["size", "a.mesa", "chat"]);
    assert!(code == Some(0) && out.contains("will do"), "{out}");
    let hard = example("chat-70b").replace("ttft < 4 s", "ttft < 1 us");
    std::fs::write(dir.0.join("b.mesa"), hard).unwrap();
    let (code, out, _) = dir.run(&["size", "b.mesa", "chat", "--most", "2"]);
    assert!(code == Some(1) && out.contains("misses ttft < 1 us"), "{out}");
}

#[test]
fn lines_for_people_have_room_for_the_first_results_and_name_the_others() {
    let dir = Dir::new("wide");
    let small = "\nsweep small of chat {\n  vary serve.batch in [1, 16]\n  minimize tpot\n}\n";
    std::fs::write(dir.0.join("a.mesa"), example("chat-70b") + small).unwrap();
    let (code, out, err) = dir.run(&["sweep", "a.mesa", "small"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.lines().all(|l| l.chars().count() <= 100), "{out}");
    assert!(out.lines().nth(1).unwrap().contains("serve.batch      tpot"), "{out}");
    let (_, csv, _) = dir.run(&["sweep", "a.mesa", "small", "--format", "csv"]);
    let columns = csv.lines().next().unwrap().split(',').skip(1);
    for column in columns.filter(|c| *c != "equal") {
        assert!(out.contains(column), "{column} is neither shown nor named: {out}");
    }
    // What was asked for is shown, however wide.
    let asked = "cost.per_million_input,cost.per_million_output,cost.per_million_tokens";
    let (_, out, _) = dir.run(&["sweep", "a.mesa", "small", "--columns", asked]);
    let heads = out.lines().nth(1).unwrap();
    assert!(asked.split(',').all(|column| heads.contains(column)), "{heads}");
}

#[test]
fn a_figure_that_only_some_points_have_leaves_the_others_out_or_is_empty_there() {
    let dir = Dir::new("some");
    let text = "use std.models.{Llama3_8B, ModernBert_Base}
use std.systems.{H100_SXM_1, RTX_4090_1}
scenario chat {
  model  = Llama3_8B
  system = H100_SXM_1
  serve { batch = 2, prompt = 512, output = 64 }
}
sweep cheapest of chat {
  vary system in [RTX_4090_1, H100_SXM_1]
  vary serve.batch in [1, 2]
  minimize cost.per_million_tokens
}
sweep plain of chat {
  vary system in [RTX_4090_1, H100_SXM_1]
}
sweep models of chat {
  vary model in [ModernBert_Base, Llama3_8B]
  where throughput.user > 10 tok/s
}
sweep priceless of chat {
  vary system in [RTX_4090_1]
  where cost.per_hour < 1 USD/h
}
";
    std::fs::write(dir.0.join("a.mesa"), text).unwrap();
    let mut shown = String::new();
    for sweep in ["cheapest", "models", "priceless"] {
        let (code, out, err) = dir.run(&["sweep", "a.mesa", sweep]);
        assert_eq!(code, Some(0), "{err}");
        shown += &(out + "\n");
    }
    for more in [&["--columns", "cost.per_hour"][..], &["--columns", "tpot", "--format", "jsonl"]] {
        shown += &(dir.run(&[&["sweep", "a.mesa", "plain"], more].concat()).1 + "\n");
    }
    insta::assert_snapshot!(shown);
}

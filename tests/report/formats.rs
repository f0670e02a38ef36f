//! Reports in each format.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{CHAT, mesa, mesa_with, spec, without_lines_of_the_library};

#[test]
fn the_text_report() {
    let run = mesa(&["eval", CHAT]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    for line in run.out.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert_eq!(line, line.trim_end());
    }
    insta::assert_snapshot!(without_lines_of_the_library(&run.out));
}

#[test]
fn the_markdown_report() {
    let out = mesa(&["eval", CHAT, "chat", "--format", "markdown"]).out;
    insta::assert_snapshot!(without_lines_of_the_library(&out));
}

#[test]
fn a_terminal_without_graphics_gets_ascii_and_no_colours() {
    let plain = mesa_with(&["eval", CHAT], &[("TERM", "dumb")]).out;
    assert!(plain.is_ascii(), "{plain}");
    assert!(!plain.contains('\x1b'));
    let tree = mesa_with(&["explain", CHAT, "chat.tpot"], &[("TERM", "dumb")]).out;
    assert!(tree.is_ascii(), "{tree}");
    assert!(mesa(&["--color", "always", "eval", CHAT]).out.contains("\x1b[1m"));
}

const MEASURED: &str = "\
use std.models.Llama3_8B
use std.systems.H100_SXM_1

/// One stream.
scenario one {
  model  = Llama3_8B
  system = H100_SXM_1
  serve { batch = 1, prompt = 512, output = 128 }
}

/// Somebody's run of it.
measured run \"a script of ours, {8 * 16} tokens\" = one with { serve.prompt = 500 } {
  source           = \"our log of 2025-10\"
  throughput.user  = 150 tok/s
  prefill.mfu      = 0.5 source \"a profile, of it alone\"
  memory.weights   = 16.06 GB
}
";

#[test]
fn measurements_stand_beside_their_predictions_in_every_format() {
    let file = spec("measured", MEASURED);
    let mut all = String::new();
    let text = mesa(&["eval", &file, "run"]);
    assert_eq!((text.code, text.err.as_str()), (Some(0), ""));
    all += &text.out[text.out.find("\nMeasured").unwrap()..];
    let markdown = mesa(&["eval", &file, "run", "--format", "markdown"]).out;
    all += &markdown[markdown.find("**Measured").or(markdown.find("Measured")).unwrap()..];
    let csv = mesa(&["eval", &file, "--format", "csv"]).out;
    all += &csv.lines().filter(|l| l.contains("measured.")).collect::<Vec<_>>().join("\n");
    let json: Value =
        serde_json::from_str(&mesa(&["eval", &file, "--format", "json"]).out).unwrap();
    super::schema::check(&json);
    assert!(json["scenarios"]["one"].get("measurements").is_none());
    let row = &json["scenarios"]["run"]["measurements"][0];
    let value = |name: &str| row[name]["value"].as_f64().unwrap();
    assert_eq!(value("error"), value("predicted") / value("measured") - 1.0);
    let predicted = mesa(&["eval", &file, "run", "--get", "throughput.user"]).number();
    assert_eq!(value("predicted"), predicted);
    assert_eq!(json["scenarios"]["run"]["method"], "a script of ours, 128 tokens");
    all += "\n\n";
    all += &serde_json::to_string_pretty(row).unwrap().replace(&file, "spec.mesa");
    insta::assert_snapshot!(all);
}

#[test]
fn the_formats_in_force_are_said_and_not_only_those_that_are_set() {
    let head = |args: &[&str]| {
        let run = mesa(&[&["eval", CHAT, "chat"], args].concat());
        run.out.lines().nth(2).unwrap().trim().to_owned()
    };
    // Narrow weights alone are widened before they are multiplied.
    let narrow = head(&["--set", "precision.weights=fp8"]);
    assert_eq!(narrow, "weights fp8, activations bf16, cache bf16, computed in bf16");
    let all = head(&["--set", "precision.weights=fp8", "--set", "precision.compute=fp8"]);
    // The core of attention has no weights: it stays in the format of its operands.
    assert_eq!(all, "weights fp8, activations bf16, cache bf16, computed in fp8 and bf16");
}

/// The figures of a JSON report by scenario and path.
fn leaves(value: &Value, path: &str, out: &mut BTreeMap<String, String>) {
    let Value::Object(map) = value else { return };
    if let (Some(value), Some(unit)) = (map.get("value"), map.get("unit")) {
        let shown = match value {
            Value::Number(n) => n.as_f64().unwrap().to_string(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        out.insert(path.to_owned(), format!("{shown},{}", unit.as_str().unwrap()));
    }
    for (name, inner) in map {
        leaves(inner, &format!("{path}{}{name}", if path.is_empty() { "" } else { "." }), out);
    }
}

#[test]
fn csv_and_json_say_the_same() {
    let json: Value = serde_json::from_str(&mesa(&["eval", CHAT, "--format", "json"]).out).unwrap();
    let mut wanted = Vec::new();
    for (name, scenario) in json["scenarios"].as_object().unwrap() {
        let mut figures = BTreeMap::new();
        leaves(&scenario["inputs"], "", &mut figures);
        leaves(&scenario["results"], "", &mut figures);
        wanted.extend(figures.into_iter().map(|(path, rest)| format!("{name},{path},{rest}")));
    }
    let csv = mesa(&["eval", CHAT, "--format", "csv"]).out;
    let mut lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.remove(0), "scenario,path,value,unit");
    assert!(lines.len() > 500, "{} figures", lines.len());
    lines.sort_unstable();
    wanted.sort_unstable();
    for (line, wanted) in lines.iter().zip(&wanted) {
        assert_eq!(line, wanted);
    }
    assert_eq!(lines.len(), wanted.len());
}

#[test]
fn json_is_stable_and_has_a_head_that_programs_can_read() {
    let json = mesa(&["eval", CHAT, "chat", "--format", "json"]).out;
    assert_eq!(json, mesa(&["eval", CHAT, "chat", "--format", "json"]).out);
    let mut document: Value = serde_json::from_str(&json).unwrap();
    let scenario = &mut document["scenarios"]["chat"];
    let results = scenario["results"].as_object_mut().unwrap();
    let names: Vec<String> = results.keys().cloned().collect();
    results
        .retain(|name, _| ["ttft", "memory", "throughput", "collectives"].contains(&name.as_str()));
    results["collectives"].as_array_mut().unwrap().truncate(1);
    insta::assert_snapshot!(names.join(" "));
    let document = serde_json::to_string_pretty(&document).unwrap();
    insta::assert_snapshot!(without_lines_of_the_library(&document));
}

#[test]
fn one_figure_is_printed_in_base_units_and_nothing_else() {
    let json: Value =
        serde_json::from_str(&mesa(&["eval", CHAT, "chat", "--format", "json"]).out).unwrap();
    let tpot = json["scenarios"]["chat"]["results"]["tpot"]["value"].as_f64().unwrap();
    let run = mesa(&["eval", CHAT, "--get", "chat.tpot"]);
    assert_eq!((run.number(), run.err.as_str()), (tpot, ""));
    assert_eq!(mesa(&["eval", CHAT, "chat", "--get", "tpot"]).number(), tpot);
    assert_eq!(mesa(&["eval", CHAT, "--get", "chat.parameters.total"]).out, "70553706496\n");
    assert_eq!(mesa(&["eval", CHAT, "--get", "chat.memory.fits"]).out, "true\n");
    assert_eq!(mesa(&["eval", CHAT, "--get", "chat.prefill.bound"]).out, "compute\n");
    assert_eq!(mesa(&["eval", CHAT, "--get", "chat.serve.batch"]).out, "32\n");
}

#[test]
fn a_figure_that_is_not_there_is_a_finding() {
    let mut all = String::new();
    for path in ["tpot", "chat.tpott", "chta.tpot", "chat.memory", "chat.memory.wieghts", "chat"] {
        let args = ["eval", CHAT, "--get", path];
        let run = mesa(&args);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{path}");
        all += &run.log(&args);
    }
    let args = ["eval", CHAT, "chta"];
    all += &mesa(&args).log(&args);
    insta::assert_snapshot!(all);
}

#[test]
fn a_file_without_scenarios_has_nothing_to_evaluate() {
    let file = spec("none", "const a = 1\n");
    let run = mesa(&["eval", &file]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.err.contains("declares no scenario"), "{}", run.err);
    assert_eq!(mesa(&["eval", &file, "-e", "a + 1"]).out, "2\n");
}

#[test]
fn expressions_have_units_and_see_results() {
    let mut all = String::new();
    for args in [
        &["eval", "-e", "80 GB / (3.35 TB/s)"][..],
        &["eval", "-e", "-1 + 2"],
        &["eval", "-e", "2 GiB == 2048 MiB"],
        &["eval", "-e", "80 GB + 3 ms"],
        &["eval", "-e", "1 +"],
        &["eval", "-e", "chat.tpot"],
        &["eval", CHAT, "-e", "chat.parameters.total / 1000"],
        &["eval", CHAT, "-e", "chat.tpot == chat.tpot and chat.serve.batch == 32"],
        &["eval", CHAT, "chat", "-e", "memory.capacity - memory.total - 1 GB > 0 B"],
        &["eval", CHAT, "-e", "chat.tpott"],
        &["eval", CHAT, "-e", "Llama3_70B"],
    ] {
        all += &mesa(args).log(args);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_scenario_with_errors_leaves_the_others_their_reports() {
    let text = std::fs::read_to_string(CHAT).unwrap();
    let file = spec("others", &(text + "\nscenario broken = chat with { serve.batch = 0 }\n"));
    let run = mesa(&["eval", &file, "--format", "json"]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("serve.batch"), "{}", run.err);
    let json: Value = serde_json::from_str(&run.out).unwrap();
    let names: Vec<&String> = json["scenarios"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["chat", "chat_fp8"]);
}

#[test]
fn an_expectation_that_fails_is_shown_with_its_figure_and_is_an_error() {
    let text = std::fs::read_to_string(CHAT).unwrap();
    let file = spec("expect", &text.replace("expect ttft < 4 s", "expect ttft < 1 ms"));
    let run = mesa(&["eval", &file, "chat"]);
    assert_eq!(run.code, Some(1));
    let line = run.out.lines().find(|l| l.contains("✗")).unwrap();
    assert!(line.contains("ttft < 1 ms") && line.contains("is 2."), "{line}");
    assert!(run.err.contains("error[E0602]"), "{}", run.err);
}

#[test]
fn a_metric_named_like_a_group_shares_its_place() {
    let text = std::fs::read_to_string(CHAT).unwrap();
    let file = spec("shared", &(text + "\nmetric decode for serve = decode.mid.time\n"));
    let run = mesa(&["eval", &file, "chat", "--format", "json"]);
    let json: Value = serde_json::from_str(&run.out).unwrap();
    let decode = &json["scenarios"]["chat"]["results"]["decode"];
    assert_eq!(decode["value"], decode["mid"]["time"]["value"]);
    super::schema::check(&json);
}

/// Stages work at the same time: shares are of their work, and what runs for each group says so.
#[test]
fn shares_of_a_pipeline_are_of_the_work_of_all_stages() {
    let text = "use std.models.Llama3_70B
use std.systems.DGX_H100
plan Stages(pp: Count) {
  mesh pp
  shard layers over pp
}
scenario s {
  model  = Llama3_70B
  system = DGX_H100
  plan   = Stages(pp: 4)
  precision.weights = fp8
  serve { batch = 16, prompt = 512, output = 64 }
}
";
    let file = spec("pipeline", text);
    let out = mesa(&["eval", &file, "s"]).out;
    let table = out.split("Layers").nth(1).unwrap().split("\n\n").next().unwrap();
    let percents = |at: usize| -> f64 {
        let shares = table.lines().skip(2).map(|line| {
            let shares: Vec<&str> = line.split_whitespace().filter(|w| w.ends_with('%')).collect();
            shares[at].trim_start_matches('<').trim_end_matches('%').parse::<f64>().unwrap()
        });
        shares.sum()
    };
    for at in [0, 1] {
        assert!((percents(at) - 100.0).abs() < 0.2, "{}: {out}", percents(at));
    }
    assert!(out.contains("for each of 4 groups of requests"), "{out}");
    assert!(out.contains("sums over all stages, which work at the same time"), "{out}");
}

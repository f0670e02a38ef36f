//! `--set`, `--override` and `--settable`.

use serde_json::Value;

use super::{CHAT, mesa, spec, without_lines_of_the_library};

fn results(args: &[&str]) -> Value {
    let run = mesa(&[&["eval"], args, &["--format", "json"]].concat());
    let mut json: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err));
    let scenario = &mut json["scenarios"]["chat"];
    assert!(scenario.is_object(), "{}", run.err);
    let results = scenario["results"].as_object_mut().unwrap();
    results.remove("collectives"); // they name places
    scenario["results"].take()
}

/// Setting an input gives what editing the file gives.
#[track_caller]
fn same_as_edited(test: &str, option: &str, change: &str, from: &str, to: &str) {
    let text = std::fs::read_to_string(CHAT).unwrap();
    assert!(text.contains(from), "{from}");
    let runtime = "\nruntime Mine {\n  attention_efficiency = 0.4\n}\n";
    let file = spec(test, &(text.replacen(from, to, 1) + runtime));
    let set = results(&[CHAT, "chat", option, change]);
    assert_eq!(set, results(&[&file, "chat"]));
    assert_ne!(set, results(&[CHAT, "chat"]), "{change} changes something");
}

#[test]
fn a_change_gives_what_an_edit_of_the_file_gives() {
    same_as_edited("batch", "--set", "serve.batch=48", "batch  = 32", "batch  = 48");
    same_as_edited("prefix", "--set", "chat.serve.batch=48", "batch  = 32", "batch  = 48");
    same_as_edited("plan", "--set", "plan.tp=4", "plan   = Tp(tp: 8)", "plan   = Tp(tp: 4)");
    same_as_edited("whole", "--set", "plan=Tp(tp: 4)", "plan   = Tp(tp: 8)", "plan   = Tp(tp: 4)");
    same_as_edited("dtype", "--set", "precision.weights=fp8", "weights = bf16", "weights = fp8");
    same_as_edited(
        "layers",
        "--set",
        "model.layers=40",
        "model  = Llama3_70B",
        "model  = Llama3_70B with { layers = 40 }",
    );
    same_as_edited(
        "nodes",
        "--set",
        "system.nodes=2",
        "system = DGX_H100",
        "system = DGX_H100(nodes: 2)",
    );
    same_as_edited(
        "chip",
        "--override",
        "system.gpu.memory.hbm.bandwidth=4TB/s",
        "system = DGX_H100",
        "system = DGX_H100 with { gpu.memory.hbm.bandwidth = 4 TB/s }",
    );
    same_as_edited(
        "assumed",
        "--override",
        "attention_efficiency=0.4",
        "  serve {",
        "  runtime = Mine\n  serve {",
    );
}

#[test]
fn a_change_without_a_prefix_is_for_every_scenario_and_with_one_for_that() {
    let tpot = |args: &[&str], scenario: &str| {
        let path = format!("{scenario}.tpot");
        mesa(&[&["eval", CHAT, "--get", &path], args].concat()).number()
    };
    let plain = [tpot(&[], "chat"), tpot(&[], "chat_fp8")];
    let both = ["--set", "serve.batch=16"];
    assert!(tpot(&both, "chat") < plain[0] && tpot(&both, "chat_fp8") < plain[1]);
    let one = ["--set", "chat.serve.batch=16"];
    assert_eq!(tpot(&one, "chat"), tpot(&both, "chat"));
    assert_eq!(tpot(&one, "chat_fp8"), plain[1]);
}

#[test]
fn links_can_be_overridden_through_their_level() {
    let exposed = |args: &[&str]| {
        mesa(&[&["eval", CHAT, "--get", "chat.decode.mid.communication.exposed"], args].concat())
            .number()
    };
    assert!(exposed(&["--override", "system.node.bandwidth=45GB/s"]) > exposed(&[]));
    assert_eq!(exposed(&["--override", "system.node.bandwidth=450GB/s"]), exposed(&[]));
}

#[test]
fn changes_are_recorded() {
    let args = ["--set", "serve.batch=8", "--override", "system.gpu.memory.hbm.bandwidth=4TB/s"];
    let run = mesa(&[&["eval", CHAT, "chat", "--format", "json"][..], &args].concat());
    let json: Value = serde_json::from_str(&run.out).unwrap();
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&json["scenarios"]["chat"]["overrides"]).unwrap()
    );
    let text = mesa(&[&["eval", CHAT, "chat"][..], &args].concat()).out;
    let recorded = text.lines().filter(|l| l.trim_start().starts_with("--"));
    assert_eq!(recorded.count(), 2, "{text}");
    let tree = mesa(&[&["explain", CHAT, "chat.serve.batch"][..], &args].concat()).out;
    assert!(tree.contains("override") && tree.contains("<--set>"), "{tree}");
}

#[test]
fn what_cannot_be_changed_is_said_with_what_can() {
    let mut all = String::new();
    for (option, change) in [
        ("--set", "gemm_efficiency=0.8"),
        ("--set", "system.gpu.memory.hbm.bandwidth=4TB/s"),
        ("--set", "system.gpu.memory.hbm.capacity=40 GB * 2"),
        ("--set", "serve.btach=64"),
        ("--set", "batch=64"),
        ("--set", "plan.dp=2"),
        ("--override", "gemm_eficiency=0.8"),
        ("--override", "system.gpu.memory.hbm.bandwith=4TB/s"),
        ("--set", "serve.batch=-1"),
        ("--set", "serve.batch=3 GB"),
        ("--set", "serve.batch=many"),
        ("--set", "precision.weights=fp9"),
        ("--set", "plan=3"),
        ("--set", "serve.batch=1 +"),
        ("--set", "a b=1"),
        ("--override", "gemm_efficiency=2 GB"),
    ] {
        let args = ["eval", CHAT, "chat", option, change];
        let run = mesa(&args);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{change}");
        all += &run.log(&args);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn an_override_outside_of_the_range_of_an_assumption_is_said() {
    let args = ["eval", CHAT, "chat", "--override", "gemm_efficiency=1.4", "--get", "ttft"];
    let run = mesa(&args);
    assert_eq!(run.code, Some(0));
    assert!(run.out.trim().parse::<f64>().is_ok_and(|v| v > 0.0), "{}", run.out);
    insta::assert_snapshot!(without_lines_of_the_library(&run.err));
    let inside = mesa(&["eval", CHAT, "chat", "--override", "gemm_efficiency=0.9"]);
    assert_eq!((inside.code, inside.err.as_str()), (Some(0), ""));
}

#[test]
fn a_wrong_degree_labels_the_command_line_and_the_model() {
    let run = mesa(&["eval", CHAT, "chat", "--set", "plan.tp=7"]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("error[E0501]"), "{}", run.err);
}

#[test]
fn everything_that_can_be_set_is_listed_and_can_be_set() {
    let run = mesa(&["eval", CHAT, "chat", "--settable"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    insta::assert_snapshot!(without_lines_of_the_library(&run.out));
    let mut tried = 0;
    for line in run.out.lines().skip(2) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [path, value, ..] = words.as_slice() else { panic!("{line}") };
        if ["—", "Tp"].contains(value) {
            continue; // not set; and `Tp` is only the name of a call
        }
        let same =
            mesa(&["eval", CHAT, "chat", "--get", "tpot", "--set", &format!("{path}={value}")]);
        assert_eq!((same.code, same.err.as_str()), (Some(0), ""), "{path}={value}");
        tried += 1;
    }
    assert!(tried > 15, "{tried}");
}

#[test]
fn evaluating_finds_what_checking_finds() {
    let text = std::fs::read_to_string(CHAT).unwrap();
    let edits = [
        ("", ""),
        ("Tp(tp: 8)", "Tp(tp: 7)"),
        ("Tp(tp: 8)", "Tp(tp: 128)"),
        ("Tp(tp: 8)", "Tp(tpp: 8)"),
        ("batch  = 32", "batch  = 3 GB"),
        ("batch  = 32", "batch  = 100_000"),
        ("ttft < 4 s", "tttft < 4 s"),
        ("ttft < 4 s", "ttft < 4 GB"),
        ("weights = bf16", "weights = bf17"),
        ("Llama3_70B\n  system", "Llama3_7B\n  system"),
        ("shard heads", "shard hedas"),
        ("  mesh tp\n", ""),
    ];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/check");
    let paths = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let corpus = paths.filter(|p| p.extension().is_some_and(|e| e == "mesa"));
    let corpus = corpus.map(|p| (p.display().to_string(), std::fs::read_to_string(p).unwrap()));
    let edited = edits.into_iter().map(|(a, b)| (format!("{a} -> {b}"), text.replace(a, b)));
    for (what, text) in edited.chain(corpus) {
        let program = mesa::Program::of_text("spec.mesa", &text);
        let module = program.roots[0];
        let changes = mesa::evaluation::Changes::default();
        let seen = |list: &[mesa::Diagnostic]| -> Vec<String> {
            list.iter().map(|d| format!("{} {}", d.code.id(), d.title)).collect()
        };
        let evaluation = mesa::evaluation::evaluate(&program, module, &[], &changes);
        let checked = seen(&mesa::check(&program));
        assert_eq!(seen(&evaluation.findings), checked, "{what}");
        assert_eq!(checked.is_empty(), what == " -> ", "{what}: {checked:?}");
    }
}

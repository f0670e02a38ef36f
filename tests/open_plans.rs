//! Plans that are left open, and the plans that `mesa plan` finds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers are tests

use mesa::Program;
use mesa::sweep::{Planned, Searched, Wanted, layouts, search};

const CHAT: &str = "
use std.models.{Llama3_70B, Mixtral_8x7B, DeepSeek_V3}
use std.systems.DGX_H100

plan Replicas(dp: Count = 1, tp: Count) {
  mesh dp, tp
  shard batch             over dp
  shard heads, ffn, vocab over tp
}

scenario chat {
  model  = Llama3_70B
  system = DGX_H100
  plan   = Replicas(tp: 8)
  serve { batch = 64, prompt = 2048, output = 512 }
}
scenario open       = chat with { plan = auto }
scenario open_tp    = chat with { plan = Replicas(dp: 2, tp: auto) }
scenario mixtral    = chat with { model = Mixtral_8x7B, plan = auto }
scenario large      = chat with { model = DeepSeek_V3, precision.weights = fp8, plan = auto }
";

/// What `mesa` says and prints with this file.
fn mesa(name: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let dir = std::env::temp_dir().join(format!("mesa-open-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("chat.mesa"), CHAT).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mesa"));
    let output = command.args(args).current_dir(&dir).output().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn searched(scenario: &str, system: Option<&str>, goal: Option<(&str, bool)>) -> Searched {
    let program = Program::of_text("chat.mesa", CHAT);
    let wanted = Wanted { system, goal, ..Wanted::default() };
    search(&program, &layouts(&program, scenario, wanted).unwrap())
}

fn degree(plan: &Planned, name: &str) -> u64 {
    let found = plan.settings.iter().find(|(n, _)| n == name);
    found.map_or(1, |(_, v)| v.parse().unwrap())
}

#[test]
fn an_open_plan_is_checked_and_evaluated_with_the_best_there_is() {
    let (code, _, err) = mesa("check", &["check", "chat.mesa"]);
    assert!(code == Some(0), "{err}");
    let (code, out, err) = mesa("eval", &["eval", "chat.mesa", "open"]);
    assert_eq!(code, Some(0), "{err}");
    let head: Vec<&str> = out.lines().take(4).collect();
    insta::assert_snapshot!("an_open_plan", format!("{err}{}", head.join("\n")));
    let best = searched("open", None, None).plans[0].result("latency").unwrap();
    let args = ["eval", "chat.mesa", "--get", "open.latency"];
    assert_eq!(mesa("get", &args).1.trim().parse::<f64>().unwrap(), best);
}

#[test]
fn an_open_degree_is_filled_in_and_the_others_stay() {
    let found = searched("open_tp", None, None);
    assert!(found.points < 10 && found.plans.iter().all(|p| p.settings.len() == 1));
    assert_eq!(degree(&found.plans[0], "tp"), 4);
    let (code, out, _) = mesa("degree", &["eval", "chat.mesa", "open_tp", "--format", "json"]);
    assert!(code == Some(0) && out.contains("Replicas(dp: 2, tp: 4)"), "{out}");
    // A change from outside counts before the plan is chosen.
    let args = ["eval", "chat.mesa", "open_tp", "--set", "system=DGX_H100(nodes: 2)"];
    let (code, out, err) = mesa("system", &args);
    assert!(code == Some(0) && out.contains("Replicas(dp: 2, tp: 8)"), "{err}");
}

#[test]
fn where_no_plan_can_be_the_nearest_is_named() {
    let (code, out, _) = mesa("none", &["plan", "chat.mesa", "large"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!("no_plan", out);
    let (code, _, err) = mesa("none_eval", &["eval", "chat.mesa", "large"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!("no_plan_to_evaluate", err);
}

#[test]
fn auto_stands_for_plans_and_degrees_and_nothing_else() {
    for (wrong, code) in
        [("serve.batch = auto", "E0201"), ("plan = Replicas(tp: 2 * auto)", "E0305")]
    {
        let text = format!("{CHAT}scenario wrong = chat with {{ {wrong} }}\n");
        let found = mesa::check(&Program::of_text("chat.mesa", &text));
        assert!(found.iter().any(|d| d.code.id() == code), "{wrong}: {found:#?}");
    }
}

#[test]
fn what_wins_is_what_an_engineer_would_take() {
    // Latency: all eight share each layer. Throughput: fewer, larger shares and replicas.
    assert_eq!(degree(&searched("open", None, None).plans[0], "tp"), 8);
    let most = searched("open", None, Some(("throughput.device", true)));
    assert!(degree(&most.plans[0], "tp") <= 4, "{:?}", most.plans[0]);
    // What does not fit eight devices does fit sixteen: whole experts, attention in replicas.
    let two = searched("large", Some("DGX_H100(nodes: 2)"), None);
    assert!(two.nearest.is_some() && !two.plans.is_empty());
    let experts = degree(&two.plans[0], "dp") * degree(&two.plans[0], "tp");
    assert_eq!(experts, 16, "whole experts over both nodes: {:?}", two.plans[0]);
}

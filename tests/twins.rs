//! Scenarios that differ in numbers alone are checked against the first sound one of their shape.
//! Whatever is found that way must be what checking each by itself finds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers are tests

use mesa::Program;

const HEAD: &str = "\
use std.models.Llama3_70B
use std.systems.DGX_H100

plan Grid(dp: Count, pp: Count, tp: Count) {
  mesh dp, pp, tp
  shard batch over dp
  shard layers over pp
  shard heads, ffn, vocab over tp
}
";

fn scenario(name: &str, n: [u64; 7]) -> String {
    let [nodes, dp, pp, tp, batch, prompt, output] = n;
    format!(
        "
scenario {name} {{
  model  = Llama3_70B
  system = DGX_H100(nodes: {nodes})
  plan   = Grid(dp: {dp}, pp: {pp}, tp: {tp})
  serve {{
    batch  = {batch}
    prompt = {prompt}
    output = {output}
  }}
  expect ttft < 30 s
}}
"
    )
}

/// Codes and titles of what is found about the scenario called `name`.
fn findings(text: &str, name: &str) -> Vec<String> {
    let program = Program::of_text("twins.mesa", text);
    let start = text.find(&format!("scenario {name} ")).unwrap() as u32;
    let end = text[start as usize + 1..].find("\nscenario").map_or(u32::MAX, |e| start + e as u32);
    let inside = |d: &mesa::Diagnostic| {
        d.labels.iter().any(|l| l.place.file.0 == 0 && (start..end).contains(&l.place.span.start))
    };
    let found = mesa::check(&program).into_iter().filter(inside);
    found.map(|d| format!("{} {}", d.code.id(), d.title)).collect()
}

struct Rng(u64);

impl Rng {
    fn pick(&mut self, from: &[u64]) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from[(self.0 % from.len() as u64) as usize]
    }
}

#[test]
fn scenarios_of_one_shape_are_found_as_sound_as_each_is_alone() {
    let sound = [1, 1, 1, 8, 32, 2048, 256];
    assert!(findings(&format!("{HEAD}{}", scenario("base", sound)), "base").is_empty());
    let mut rng = Rng(0x2545_F491_4F6C_DD1D);
    let (mut clean, mut faulty) = (0, 0);
    for _ in 0..60 {
        let numbers = [
            rng.pick(&[1, 1, 1, 2]),
            rng.pick(&[1, 1, 1, 2]),
            rng.pick(&[1, 1, 1, 2, 3]),
            rng.pick(&[8, 8, 8, 4, 16, 3, 0]),
            rng.pick(&[1, 8, 32, 64, 4096, 0]),
            rng.pick(&[1, 512, 2048, 8192]),
            rng.pick(&[1, 2, 256]),
        ];
        let other = scenario("other", numbers);
        let alone = findings(&format!("{HEAD}{other}"), "other");
        let beside = findings(&format!("{HEAD}{}{other}", scenario("base", sound)), "other");
        assert_eq!(alone, beside, "{numbers:?}");
        if alone.is_empty() { clean += 1 } else { faulty += 1 }
    }
    assert!(clean > 3 && faulty > 3, "{clean} clean, {faulty} faulty");
}

#[test]
fn models_of_one_shape_are_checked_each_for_their_own_numbers() {
    let text = "\
use std.layers.Llama

model A = Llama(layers: 2, hidden: 64, heads: 8, ffn: 128, vocab: 100)
model B = Llama(layers: 2, hidden: 65, heads: 8, ffn: 128, vocab: 100)
model C = Llama(layers: 2, hidden: 64, heads: 8, kv_heads: 3, ffn: 128, vocab: 100)
model D = Llama(layers: 2, hidden: 64, heads: 8, kv_heads: 3, ffn: 128, vocab: 100)
model E = Llama(layers: 4, hidden: 128, heads: 8, ffn: 0, vocab: 100)
";
    let program = Program::of_text("models.mesa", text);
    let codes: Vec<_> = mesa::check(&program).iter().map(|d| d.code.id()).collect();
    assert!(codes.contains(&"E0303"), "{codes:?}");
    assert!(codes.contains(&"E0601"), "{codes:?}");
    assert!(codes.contains(&"E0412"), "{codes:?}");
}

/// A machine, a plan and a workload, with numbers in all of them.
fn whole(name: &str, n: [&str; 10]) -> String {
    let [rate, capacity, bandwidth, devices, dp, tp, batch, prompt, layers, heads] = n;
    format!(
        "
const Most{name} = {prompt}

chip Chip{name} {{
  source = \"made up\"
  compute matrix {{ bf16 = {rate} TFLOP/s }}
  compute vector {{ fp32 = 60 TFLOP/s }}
  memory hbm {{ capacity = {capacity} GB, bandwidth = {bandwidth} TB/s }}
}}

link Link{name} {{
  source = \"made up\"
  bandwidth = 450 GB/s
  latency = 1 us
  topology = switch
}}

system System{name} {{
  source = \"made up\"
  chip gpu = Chip{name}
  level node = {devices} of gpu via Link{name}
}}

model Small{name} = Llama(layers: {layers}, hidden: 1024, heads: {heads}, ffn: 4096, vocab: 32000)

plan Grid{name}(dp: Count = {dp}, tp: Count = {tp}) {{
  mesh dp, tp
  shard batch over dp
  shard heads, ffn, vocab over tp
}}

scenario {name} {{
  model  = Small{name}
  system = System{name}
  plan   = Grid{name}
  serve {{
    batch  = {batch}
    prompt = Most{name}
    output = 16
  }}
  expect memory.headroom > 1%
}}

scenario {name}_more = {name} with {{ serve.batch = {batch} * 2 }}
"
    )
}

#[test]
fn what_scenarios_use_may_differ_in_numbers_too() {
    let head = "use std.layers.Llama\n";
    let sound = ["900", "80", "3", "8", "1", "8", "32", "512", "4", "16"];
    let base = whole("base", sound);
    assert_eq!(findings(&format!("{head}{base}"), "base"), Vec::<String>::new());
    let mut rng = Rng(0x9E37_79B9_7F4A_7C15);
    let (mut clean, mut faulty) = (0, 0);
    let choices: [&[&str]; 10] = [
        &["900", "900", "0", "1e9"],
        &["80", "80", "1", "0.1", "500"],
        &["3", "3", "0.001", "0"],
        &["8", "8", "16", "6", "0", "2.5"],
        &["1", "1", "2"],
        &["8", "8", "4", "3", "0"],
        &["32", "32", "1", "0", "7"],
        &["512", "512", "1", "0", "1e6", "0.5"],
        &["4", "4", "0", "2.5", "8"],
        &["16", "16", "12", "0"],
    ];
    for _ in 0..80 {
        let numbers = choices.map(|from| {
            let all: Vec<u64> = (0..from.len() as u64).collect();
            from[rng.pick(&all) as usize]
        });
        let other = whole("other", numbers);
        for name in ["other", "other_more"] {
            let alone = findings(&format!("{head}{other}"), name);
            let beside = findings(&format!("{head}{base}{other}"), name);
            assert_eq!(alone, beside, "{numbers:?}");
            if alone.is_empty() { clean += 1 } else { faulty += 1 }
        }
    }
    assert!(clean > 3 && faulty > 3, "{clean} clean, {faulty} faulty");
}

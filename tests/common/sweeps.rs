//! Examples, and a sweep that takes no time, for tests of sweeps.

/// The text of an example.
pub fn example(name: &str) -> String {
    let path = format!("{}/examples/{name}.mesa", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// A sweep of few points, to stand behind an example with a scenario `chat`.
pub const SMALL: &str = "
sweep small of chat {
  vary precision.weights in [bf16, fp8]
  vary plan.tp           in [1, 2, 3, 4, 8]
  vary serve.batch       in [1, 16, 64, 256]
  vary serve.prompt      in [128, 4096]
  minimize tpot, ttft, memory.total
  maximize throughput.device
}
";

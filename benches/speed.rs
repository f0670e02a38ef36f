//! Whole-process times of the commands against the machine's own floor, and how they grow.
//!
//! The floor is a trivial clap program: this one, started again with `--floor`. Figures are
//! medians; what is printed are differences and ratios, never a verdict.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;

#[derive(Parser)]
struct Floor {
    #[arg(long)]
    floor: bool,
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> std::io::Result<()> {
    if Floor::parse().floor {
        println!("floor");
        return Ok(());
    }
    let mesa = Path::new(env!("CARGO_BIN_EXE_mesa"));
    let this = std::env::current_exe()?;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chat-70b.mesa");
    let training = example.with_file_name("gpt3-175b-training.mesa");
    let (example, training) = (example.to_string_lossy(), training.to_string_lossy());
    let times = alternating(
        31,
        &[
            (&this, &["--floor"]),
            (mesa, &["check", &example]),
            (mesa, &["eval", &example]),
            (mesa, &["eval", &training]),
        ],
    )?;
    let names = ["mesa check of the example", "mesa eval of the example", "mesa eval of training"];
    if let Some((&floor, times)) = times.split_first() {
        println!("floor (a trivial clap program)   {}", show(floor));
        for (name, &time) in names.into_iter().zip(times) {
            let above = time.saturating_sub(floor);
            println!("{name:<32} {}  floor + {}", show(time), show(above));
        }
    }
    let folder = std::env::temp_dir().join(format!("mesa-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let small = write(&folder, "small.mesa", 100_000)?;
    let large = write(&folder, "large.mesa", 1_000_000)?;
    for (command, flag) in [("check", None), ("fmt", Some("--check"))] {
        let args = |file: &Path| {
            let mut args = vec![command.to_owned()];
            args.extend(flag.map(str::to_owned));
            args.push(file.to_string_lossy().into_owned());
            args
        };
        let (a, b) = (args(&small), args(&large));
        let strs = |v: &[String]| v.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        let (a, b) = (strs(&a), strs(&b));
        let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
        let t_small = median(7, || run(mesa, &a))?;
        let t_large = median(7, || run(mesa, &b))?;
        println!(
            "mesa {command:5} of 1 MB               {}  {:.1} times that of 100 KB",
            show(t_large),
            t_large.as_secs_f64() / t_small.as_secs_f64()
        );
    }
    std::fs::remove_dir_all(&folder)
}

fn run(program: &Path, args: &[&str]) -> std::io::Result<Duration> {
    let start = Instant::now();
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    Ok(start.elapsed())
}

/// The median of each command. They take turns, so that a slow spell of the machine meets all.
fn alternating(runs: usize, commands: &[(&Path, &[&str])]) -> std::io::Result<Vec<Duration>> {
    let mut times = vec![Vec::with_capacity(runs); commands.len()];
    for _ in 0..=runs {
        for ((program, args), times) in commands.iter().zip(&mut times) {
            times.push(run(program, args)?);
        }
    }
    // The first run of each warms up.
    let middle = |times: &mut Vec<Duration>| {
        times.remove(0);
        times.sort();
        times.get(runs / 2).copied().unwrap_or_default()
    };
    Ok(times.iter_mut().map(middle).collect())
}

fn median(
    runs: usize,
    mut run: impl FnMut() -> std::io::Result<Duration>,
) -> std::io::Result<Duration> {
    run()?;
    let mut times = (0..runs).map(|_| run()).collect::<std::io::Result<Vec<_>>>()?;
    times.sort();
    Ok(times.get(runs / 2).copied().unwrap_or_default())
}

fn show(time: Duration) -> String {
    format!("{:7.2} ms", time.as_secs_f64() * 1e3)
}

/// A valid file of about `size` bytes: every kind of item, over and over, with other numbers.
fn write(folder: &Path, name: &str, size: usize) -> std::io::Result<PathBuf> {
    let mut text = String::from(
        "use std.layers.{Llama, RmsNorm, GatedMlp}\n\
         use std.models.Llama3_70B\n\
         use std.systems.DGX_H100\n",
    );
    let mut i = 0;
    while text.len() < size {
        let (a, b, c) = (8 * (1 + i % 9), 1024 * (1 + i % 11), 1 + i % 7);
        let (batch, prompt) = (1 + i % 32, 1024 + i % 1000);
        text.push_str(&format!(
            "
/// Number {i}.
const width_{i}: Count = {w}

/// Time for a transfer.
fn transfer_{i}(bytes: Bytes, bandwidth: Bandwidth) -> Time = bytes / bandwidth + {w} us

chip Chip_{i} {{
  source = \"invented\"
  compute matrix {{ bf16 = {w} TFLOP/s, fp8 = {w} TFLOP/s }}
  compute vector {{ fp32 = 60 TFLOP/s }}
  memory hbm {{ capacity = 80 GB, bandwidth = {c} TB/s }}
}}

block Layer_{i}(ffn: Count) {{
  input x[batch, seq, hidden]
  norm = RmsNorm(x) from \"norm\"
  mlp  = GatedMlp(norm, ffn:) from \"mlp\"
  y    = x + mlp
  output y
}}

model Model_{i} = Llama(layers: {a}, hidden: 4096, heads: 32, ffn: {b}, vocab: 128256)

plan Tp_{i}(tp: Count = 8) {{
  mesh tp
  shard heads, ffn, vocab over tp
}}

scenario chat_{i} {{
  model  = Llama3_70B
  system = DGX_H100
  plan   = Tp_{i}(tp: 8)
  serve {{
    batch  = {batch}
    prompt = {prompt}
    output = 256
  }}
  expect memory.headroom > 10%
}}
",
            w = 128 + i,
        ));
        i += 1;
    }
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}

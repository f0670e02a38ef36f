//! Numbers of whole models computed from their configs alone, by formulas that stand here and nowhere
//! in Mesa: work, bytes, states, collectives, energy and price.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::{Outcome, Run};

const MACHINE: &str = "use std.systems.{DGX_H100, H100_SXM_1}
system Large = H100_SXM_1 with { device.memory.hbm.capacity = 10 TB } {
  source = \"a test\"
}
";

/// A scenario of a library model on one device with room for everything.
fn served(model: &str, batch: u64, prompt: u64) -> Outcome {
    with(model, "Large", batch, prompt, "")
}

fn with(model: &str, system: &str, batch: u64, prompt: u64, line: &str) -> Outcome {
    Run::one(&format!(
        "use std.models.{model}\nuse std.layers.Lora\n{MACHINE}
scenario s {{
  model  = {model}
  system = {system}
  serve {{ batch = {batch}, prompt = {prompt}, output = 2 }}
  {line}
}}
"
    ))
}

#[track_caller]
fn close(have: f64, want: f64) {
    assert!((have - want).abs() <= 1e-9 * want.abs(), "{have}, and by hand {want}");
}

#[test]
fn latent_attention_decodes_in_the_space_of_its_latents() {
    // DeepSeek V2: every matrix once for each token, and for each of 128 heads and each position a
    // product with a latent of 512 and a key of 64, and the latent again.
    let (layers, heads, batch, ctx) = (60.0, 128.0, 2.0, 1001.0);
    let queries = 5120.0 * 1536.0 + 1536.0 * heads * 192.0;
    let keys_and_values = 5120.0 * (512.0 + 64.0) + 512.0 * heads * (128.0 + 128.0);
    let attention = queries + keys_and_values + heads * 128.0 * 5120.0;
    let dense = 3.0 * 5120.0 * 12_288.0;
    let sparse = (6.0 + 2.0) * 3.0 * 5120.0 * 1536.0 + 5120.0 * 160.0;
    let head = 5120.0 * 102_400.0;
    let matrices = layers * attention + dense + (layers - 1.0) * sparse + head;
    let looks = layers * heads * (512.0 + 64.0 + 512.0) * ctx;
    let out = served("DeepSeek_V2", 2, 1000);
    close(out.get("decode.mid.flops.matrix"), 2.0 * batch * (matrices + looks));
}

#[test]
fn a_window_leaves_out_the_keys_behind_it() {
    // Mistral 7B on twice its window of 4096: query i sees min(i + 1, 4096) keys.
    let pairs: u64 = (0..8192_u64).map(|i| (i + 1).min(4096)).sum();
    let attention = (32 * 2 * 2 * 32 * 128 * pairs) as f64;
    let table = 32_000 * 4096_u64;
    let matrices = 7_241_732_096 - 2 * table - 65 * 4096;
    let work = (2 * 8192 * matrices + 2 * table) as f64;
    close(served("Mistral_7B", 1, 8192).get("prefill.flops.matrix"), work + attention);
}

#[test]
fn a_decoder_reads_neither_its_encoder_nor_what_made_the_keys_of_the_source() {
    // Flan-T5 XL: in 24 layers four matrices of attention, queries and output of the one over the
    // source, a gated MLP, three norms; once a norm, 32 buckets of positions, and the head.
    let layer = 4 * 2048 * 2048 + 2 * 2048 * 2048 + 3 * 2048 * 5120 + 3 * 2048;
    let decoder = 24 * layer + 2048 + 32 * 32 + 32_128 * 2048_u64;
    for batch in [1, 4] {
        let rows = batch * 2048;
        let out = served("Flan_T5_XL", batch, 100);
        close(out.get("decode.mid.weights_read"), (2 * (decoder + rows)) as f64);
    }
}

#[test]
fn experts_with_biases_are_read_as_often_as_some_token_picks_them() {
    // gpt-oss-120b: 4 of 128 experts for each of 8 tokens, each with biases, in 36 layers.
    let touched = 128.0 * (1.0 - (1.0 - 4.0 / 128.0_f64).powi(8));
    let expert = f64::from(3 * 2880 * 2880 + 2 * 2880 + 2880);
    let table = 201_088.0 * 2880.0;
    let others = 5_711_982_912.0 - 36.0 * 4.0 * expert - table;
    let read = others + 8.0 * 2880.0 + 36.0 * touched * expert;
    close(served("GptOss_120B", 8, 1000).get("decode.mid.weights_read"), 2.0 * read);
}

#[test]
fn layers_that_look_at_the_keys_of_others_leave_their_own_unread() {
    // Gemma 3n E4B: of 35 layers the last 15 have matrices for keys and values (2 heads of 256), and a
    // norm of keys, that nobody reads; of the table of vectors of each word its rows.
    let (tokens, words) = (8.0, 262_144.0 * 35.0 * 256.0);
    let spare = 15.0 * (2.0 * 2048.0 * 512.0 + 256.0);
    // The router of the streams is read before and behind each layer.
    let again = 35.0 * (2048.0 + 2048.0 * 4.0);
    let rows = tokens * (35.0 * 256.0 + 2048.0);
    let read = 6_866_696_688.0 - words - spare + again + rows;
    close(served("Gemma3n_E4B", 8, 1000).get("decode.mid.weights_read"), 2.0 * read);
}

#[test]
fn adapters_that_nobody_uses_are_not_read() {
    // Eight adapters of rank 16 beside queries and values of 32 layers; of eight requests each uses
    // any of them.
    let plain = with("Llama3_8B", "H100_SXM_1", 8, 1000, "");
    let line = "adapter within wq, wv = Lora(rank: 16, count: 8)";
    let tuned = with("Llama3_8B", "H100_SXM_1", 8, 1000, line);
    let used = 8.0 * (1.0 - (7.0 / 8.0_f64).powi(8));
    let each = f64::from(32 * 16 * (4096 + 4096 + 4096 + 1024));
    let more = |path: &str| tuned.get(path) - plain.get(path);
    close(more("decode.mid.weights_read"), 2.0 * used * each);
    close(more("memory.weights"), 2.0 * 8.0 * each);
    close(more("decode.mid.flops.matrix"), 2.0 * 8.0 * each);
    close(more("parameters.total"), 8.0 * each);
}

#[test]
fn a_step_of_a_state_space_reads_and_writes_the_state_of_each_request() {
    // What one request more moves is its state there and back, the positions of the convolution there
    // and back, and what goes from kernel to kernel, which is less than a tenth of a state.
    let more = |model: &str| {
        let of = |batch| served(model, batch, 1000).get("decode.mid.bytes");
        (of(9) - of(1)) / 8.0
    };
    // Mamba 2: 64 layers, 128 heads of 64 channels by 128, three positions of 10240 channels.
    let (state, convolved) = (64.0 * 128.0 * 64.0 * 128.0 * 2.0, 64.0 * 3.0 * 10_240.0 * 2.0);
    let least = 2.0 * (state + convolved);
    let have = more("Codestral_Mamba_7B");
    assert!(least < have && have < least + 0.2 * state, "{have} {least}");
    // Mamba: 64 layers, 5120 channels by 16, three positions; its state is small beside the rest.
    let (state, convolved) = (64.0 * 5120.0 * 16.0 * 2.0, 64.0 * 3.0 * 5120.0 * 2.0);
    let least = 2.0 * (state + convolved);
    let between = 64.0 * 16.0 * 5120.0 * 2.0; // a vector of all channels in and out of eight kernels
    let have = more("Mamba_2_8B");
    assert!(least < have && have < least + between, "{have} {least}");
}

#[test]
fn a_state_of_keys_by_values_and_the_position_before_are_all_that_rwkv_keeps() {
    // 24 layers of 32 heads of 64 by 64, and what both mixings saw last.
    let text = |batch: u64, prompt: u64| {
        format!(
            "use std.layers.Rwkv5\n{MACHINE}
model Eagle = Rwkv5(
  layers: 24, hidden: 2048, heads: 32, head_dim: 64, ffn: 7168, vocab: 65536,
) {{
  source = \"a test\"
}}
scenario s {{
  model  = Eagle
  system = Large
  serve {{ batch = {batch}, prompt = {prompt}, output = 2 }}
}}
"
        )
    };
    let state = f64::from(24 * (32 * 64 * 64 + 2 * 2048) * 2);
    for (batch, prompt) in [(1, 10), (1, 10_000), (7, 100)] {
        let out = Run::one(&text(batch, prompt));
        close(out.get("memory.cache"), state * batch as f64);
    }
    // A token takes each matrix once, whatever came before it.
    let (short, long) = (Run::one(&text(1, 10)), Run::one(&text(1, 10_000)));
    let work = |out: &Outcome| out.get("decode.mid.flops.matrix");
    close(work(&short), work(&long));
    let matrices = 24.0 * (5.0 * 2048.0 * 2048.0 + 2.0 * 2048.0 * 7168.0 + 2048.0 * 2048.0);
    let head = 65_536.0 * 2048.0;
    close(work(&short), 2.0 * (matrices + head));
}

#[test]
fn arms_inside_of_arms_run_in_the_layers_that_both_name() {
    let text = |body: &str| {
        format!(
            "use std.layers.GatedMlp\n{MACHINE}
block Net(layers: Count, hidden: Count, first: Count, odd: Counts, vocab: Count) {{
  input tokens[batch, seq]
  weight table[vocab, hidden]
  x[batch, seq, hidden] = lookup(table, tokens)
  repeat i in layers carry x {{
{body}
    x = x + mlp
  }}
  weight head[hidden, vocab]
  last = pick(x, rename: seq -> positions)
  logits[batch, positions, vocab] = last * head
  output logits
}}
model M = Net(layers: 10, hidden: 64, first: 4, odd: [1, 3, 5, 7, 9], vocab: 100) {{
  source = \"a test\"
}}
scenario s {{
  model  = M
  system = Large
  serve {{ batch = 1, prompt = 10, output = 2 }}
}}
scenario more = s with {{ model.first = 8 }}
"
        )
    };
    let nested = "    if i < first {
      if among(i, odd) {
        mlp = GatedMlp(x, ffn: 100)
      } else {
        mlp = GatedMlp(x, ffn: 1000)
      }
    } else {
      if i % 3 == 0 {
        mlp = GatedMlp(x, ffn: 10000)
      } else if i == 8 {
        mlp = GatedMlp(x, ffn: 20000)
      } else {
        mlp = GatedMlp(x, ffn: 40000)
      }
    }";
    let run = Run::of(&text(nested));
    // Layers 0 to 3, then 6 and 9, then 8, then 4, 5 and 7; with eight at first 9, then 8.
    let ffn = |wide: [f64; 5]| {
        let sizes = [100.0, 1000.0, 10_000.0, 20_000.0, 40_000.0];
        wide.iter().zip(sizes).map(|(n, size)| n * size).sum::<f64>()
    };
    for (name, wide) in [("s", [2.0, 2.0, 2.0, 1.0, 3.0]), ("more", [4.0, 4.0, 1.0, 1.0, 0.0])] {
        let out = &run.scenarios[name];
        let matrices = 3.0 * 64.0 * ffn(wide);
        close(out.get("parameters.total"), matrices + 2.0 * 6400.0);
        close(out.get("decode.mid.flops.matrix"), 2.0 * (matrices + 6400.0));
        close(out.get("prefill.flops.matrix"), 2.0 * (10.0 * matrices + 6400.0));
    }
}

#[test]
fn energy_and_price_of_a_token_are_those_of_the_machine_for_its_time() {
    let line = "plan = Tp(tp: 8)\n}\nplan Tp(tp: Count) {\n  mesh tp\n  \
                shard heads, ffn, vocab over tp";
    let out = with("Llama3_70B", "DGX_H100", 16, 1000, line);
    let (tpot, batch) = (out.get("tpot"), 16.0);
    close(out.get("throughput.system"), batch / tpot);
    close(out.get("energy.per_token"), out.get("power.total") * tpot / batch);
    // Eight chips at 2.5 USD an hour.
    close(out.get("cost.per_hour") * 3600.0, 20.0);
    close(out.get("cost.per_million_output"), 20.0 / 3600.0 * tpot / batch * 1e6);
}

#[test]
fn a_state_that_a_fused_kernel_keeps_is_read_and_written_by_it() {
    // Falcon Mamba, 8 requests of 8192 channels: what comes in and what leaves, three positions of
    // the step before and three for the next, four taps and a bias; two bytes each, in 64 layers.
    let out = served("Falcon_Mamba_7B", 8, 64);
    let by_hand = 64.0 * 2.0 * 8192.0 * (8.0 * (1.0 + 3.0 + 3.0 + 1.0) + 4.0 + 1.0);
    close(out.get("layers.linear.convolution.decode.mid.bytes"), by_hand);
}

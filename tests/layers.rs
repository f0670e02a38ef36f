//! What layers keep of a request, and what pictures cost, against hand formulas.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::Run;

/// Bytes kept for one request, at the end of a prompt and one token of output.
fn kept(model: &str, prompt: u64, rest: &str) -> f64 {
    let text = format!(
        "use std.models.{model}\nuse std.chips.MI355X\nuse std.links.InfinityFabric_MI355X\n\n\
         chip Large = MI355X with {{ memory.hbm.capacity = 10 TB }} {{ source = \"a test\" }}\n\
         system One {{\n  chip device = Large\n  level alone = 1 of device via \
         InfinityFabric_MI355X\n}}\n\
         scenario s {{\n  model = {model}\n  system = One\n  serve {{ batch = \
         1, prompt = {prompt}, output = 1{rest} }}\n}}\n"
    );
    Run::one(&text).get("memory.cache")
}

fn bytes(parts: &[u64]) -> f64 {
    parts.iter().product::<u64>() as f64
}

#[test]
fn a_cache_grows_with_heads_and_context() {
    let per_token = |model: &str| kept(model, 3000, "") - kept(model, 2999, "");
    // Keys and values, layers, heads of keys, width of a head, two bytes.
    assert_eq!(per_token("Llama3_8B"), bytes(&[2, 32, 8, 128, 2]));
    assert_eq!(per_token("Falcon_7B"), bytes(&[2, 32, 1, 64, 2]));
    assert_eq!(per_token("Qwen3_8B"), bytes(&[2, 36, 8, 128, 2]));
    // Attention in 6 of 16 layers; in 4 of 32; in 12 of 48.
    assert_eq!(per_token("LFM2_1_2B"), bytes(&[2, 6, 8, 64, 2]));
    assert_eq!(per_token("Jamba_1_5_Mini"), bytes(&[2, 4, 8, 128, 2]));
    assert_eq!(per_token("Qwen3_Next_80B_A3B"), bytes(&[2, 12, 2, 256, 2]));
    // Latent attention: a vector and a key for positions, which all heads share.
    assert_eq!(per_token("DeepSeek_V3"), bytes(&[61, 512 + 64, 2]));
    assert_eq!(per_token("LongCat_Flash"), bytes(&[2 * 28, 512 + 64, 2]));
    assert_eq!(per_token("Kimi_Linear_48B_A3B"), bytes(&[7, 512 + 64, 2]));
    // One layer in eight attends; the others keep a sum that fades.
    assert_eq!(per_token("MiniMax_M1"), bytes(&[2, 10, 8, 128, 2]));
    // 5 of 30 layers of Gemma 4 see everything, with two heads of 512 channels; of E2B's seven, the
    // three that are not among the last twenty layers keep keys and values.
    assert_eq!(per_token("Gemma4_26B_A4B"), bytes(&[2, 5, 2, 512, 2]));
    assert_eq!(per_token("Gemma4_E2B"), bytes(&[2, 3, 1, 512, 2]));
    // Of Gemma 3n E4B's seven the four that are not among the last fifteen layers.
    assert_eq!(per_token("Gemma3n_E4B"), bytes(&[2, 4, 2, 256, 2]));
    // 5 of 6 layers of Gemma 3 keep a window of 1024: 29 of 34 do not grow.
    assert_eq!(per_token("Gemma3_4B_Vision"), bytes(&[2, 5, 4, 256, 2]));
}

#[test]
fn condensed_positions_keep_an_entry_for_each_group() {
    // Whole groups of 128 positions, long behind the window: 21 layers keep an entry for each four
    // of them, and one of the indexer; 20 layers an entry for all.
    let grows = kept("DeepSeek_V4_Flash", 12_800, "") - kept("DeepSeek_V4_Flash", 12_672, "");
    let sparse = bytes(&[21, 32, 512 + 128, 2]);
    assert_eq!(grows, sparse + bytes(&[20, 512, 2]));
    // All of it: entries for 12,801 positions, begun groups too, and a window in each of 43 layers.
    let all = bytes(&[21, 3201, 512 + 128, 2]) + bytes(&[20, 101, 512, 2]);
    assert_eq!(kept("DeepSeek_V4_Flash", 12_800, ""), all + bytes(&[43, 128, 512, 2]));
}

#[test]
fn a_window_keeps_no_more_than_it_sees() {
    // 5 layers keep all 4001 positions, 29 the last 1024.
    let all = bytes(&[2, 5, 4, 256, 2, 4000]) + bytes(&[2, 29, 4, 256, 2, 1024]);
    let have = kept("Gemma3_4B_Vision", 4000, "");
    // One position more or less: where the last token is kept is the library's to say.
    assert!((have - all).abs() <= bytes(&[2, 34, 4, 256, 2]), "{have} {all}");
}

#[test]
fn a_state_does_not_grow() {
    for model in ["Codestral_Mamba_7B", "Mamba_2_8B", "Falcon_Mamba_7B"] {
        assert_eq!(kept(model, 100, ""), kept(model, 100_000, ""), "{model}");
    }
    // Mamba 2: 128 heads of 64 channels with 128 numbers each, and three positions of the
    // convolution over the channels and two couplings of 8 groups.
    let layer = bytes(&[128, 64, 128]) + 3.0 * (bytes(&[128, 64]) + bytes(&[2, 8, 128]));
    assert_eq!(kept("Codestral_Mamba_7B", 100, ""), 64.0 * layer * 2.0);
    // Mamba: 5120 channels with 16 numbers each, and three positions.
    assert_eq!(kept("Mamba_2_8B", 100, ""), bytes(&[64, 5120, 16 + 3, 2]));
    // Delta attention: 32 heads of 128 by 128 in 20 layers, three positions of each convolution.
    let grows = bytes(&[7, 512 + 64, 2]);
    let state = bytes(&[20, 32, 128, 128 + 3 * 3, 2]);
    assert_eq!(kept("Kimi_Linear_48B_A3B", 1000, "") - state, grows * 1001.0);
    // The delta rule: 32 heads of 128 by 128, three positions of queries, keys and values.
    let grows = bytes(&[2, 12, 2, 256, 2]);
    let state = 36.0 * 2.0 * (bytes(&[32, 128, 128]) + 3.0 * bytes(&[16 + 16 + 32, 128]));
    let have = kept("Qwen3_Next_80B_A3B", 1000, "");
    assert_eq!((have - state) % grows, 0.0, "{have} {state}");
}

#[test]
fn a_sum_that_fades_keeps_keys_by_values_for_each_head() {
    // 70 layers of lightning attention, 64 heads of 128 by 128; 10 layers with a cache.
    let state = bytes(&[70, 64, 128, 128, 2]);
    let cached = bytes(&[2, 10, 8, 128, 2]);
    let have = kept("MiniMax_M1", 1000, "");
    assert_eq!((have - state) % cached, 0.0, "{have} {state}");
    assert!((have - state) / cached - 1001.0 <= 1.0, "{have} {state}");
    // Two positions of 2048 channels in 10 layers of LFM 2.
    let (state, cached) = (bytes(&[10, 2048, 2, 2]), bytes(&[2, 6, 8, 64, 2]));
    assert_eq!((kept("LFM2_1_2B", 1000, "") - state) % cached, 0.0);
    // Jamba: 28 layers of 8192 channels with 16 numbers each, and three positions.
    let (state, cached) = (bytes(&[28, 8192, 16 + 3, 2]), bytes(&[2, 4, 8, 128, 2]));
    assert_eq!((kept("Jamba_1_5_Mini", 1000, "") - state) % cached, 0.0);
    // Nemotron 3 Nano: 23 layers of 64 heads of 64 channels with 128 numbers each.
    let layer = bytes(&[64, 64, 128]) + 3.0 * bytes(&[64 * 64 + 2 * 8 * 128]);
    let have = kept("Nemotron_3_Nano_30B", 1000, "");
    assert_eq!((have - 46.0 * layer) % bytes(&[2, 6, 2, 128, 2]), 0.0);
}

#[test]
fn a_step_of_a_scan_takes_as_long_as_its_state() {
    // One position is no product of matrices: what counts is that the state comes and goes.
    for (model, kernel) in [
        ("Codestral_Mamba_7B", "linear.chunk_scan"),
        ("Nemotron_3_Nano_30B", "linear.chunk_scan"),
        ("Kimi_Linear_48B_A3B", "linear.delta_rule"),
        ("Qwen3_Next_80B_A3B", "linear.delta_rule"),
        ("MiniMax_M1", "linear.read"),
        ("Falcon_Mamba_7B", "linear.selective_scan"),
    ] {
        for batch in [1, 64] {
            let text = format!(
                "use std.models.{model}\nuse std.chips.H200_SXM\nuse std.links.NVLink4\n\nchip \
                 Large = H200_SXM with {{ memory.hbm.capacity = 10 TB }} {{ source = \"a test\" }}\n\
                 system One {{\n  chip device = Large\n  level alone = 1 of device via \
                 NVLink4\n}}\nscenario s {{\n  model = {model}\n  system = One\n  serve {{ batch \
                 = {batch}, prompt = 1000, output = 2 }}\n}}\n"
            );
            let out = Run::one(&text);
            let of = |what: &str| out.get(&format!("layers.{kernel}.decode.mid.{what}"));
            let (compute, memory) = (of("compute_time"), of("memory_time"));
            assert!(compute < memory, "{model}: {compute} s of arithmetic, {memory} s of traffic");
            assert!(out.get("decode.mid.time") < 0.5, "{model}");
        }
    }
}

/// The results of a model with pictures.
fn seen(model: &str, images: u64) -> common::Outcome {
    heard(model, &format!("images = {images}"))
}

/// The results of a model with pictures or sounds.
fn heard(model: &str, rest: &str) -> common::Outcome {
    let text = format!(
        "use std.models.{model}\nuse std.systems.H100_SXM_1\n\nscenario s {{\n  model = {model}\n  \
         system = H100_SXM_1\n  serve {{ batch = 2, prompt = 2048, output = 8, {rest} }}\n}}\n"
    );
    Run::one(&text)
}

#[test]
fn pictures_cost_prefill_alone() {
    let (none, one, three) =
        (seen("Llava_1_5_7B", 0), seen("Llava_1_5_7B", 1), seen("Llava_1_5_7B", 3));
    assert_eq!(none.get("decode.mid.time"), three.get("decode.mid.time"));
    assert_eq!(none.get("memory.cache"), three.get("memory.cache"));
    // Matrix work of two pictures, by hand: patches, 24 layers, the projector.
    let (patches, width, ffn) = (577.0, 1024.0, 4096.0);
    let layer = 4.0 * 2.0 * patches * width * width
        + 2.0 * 2.0 * patches * width * ffn
        + 2.0 * 2.0 * patches * patches * width;
    let tower = 2.0 * patches * 588.0 * width + 24.0 * layer;
    let projector = 2.0 * 576.0 * (1024.0 * 4096.0 + 4096.0 * 4096.0);
    let work = |out: &common::Outcome| out.get("prefill.flops.matrix");
    let each = (work(&three) - work(&none)) / 6.0;
    assert!((each / (tower + projector) - 1.0).abs() < 1e-9, "{each} {}", tower + projector);
    let first = (work(&one) - work(&none)) / 2.0;
    assert!((first / each - 1.0).abs() < 1e-9, "{first} {each}");
}

#[test]
fn convolutions_count_as_the_reference_implementation_counts_them() {
    let model = "Gemma3n_E2B";
    let (none, one) = (seen(model, 0), seen(model, 1));
    // MobileNetV5-300M of timm does 435.7 GMAC for a picture of 768 by 768, counted op by op.
    // Convolutions of each channel by itself are no work for matrix units: over a map of 192 by 192
    // places of 128 channels and nine taps, and so on, and of keys and values in 14 layers.
    let each = |side: f64, channels: f64, taps: f64| 2.0 * side * side * channels * taps;
    let near = each(192.0, 128.0, 9.0)
        + 2.0 * (each(96.0, 256.0, 9.0) + each(96.0, 256.0, 25.0))
        + each(96.0, 256.0, 25.0)
        + 7.0 * each(48.0, 640.0, 25.0)
        + each(48.0, 640.0, 25.0)
        + each(96.0, 768.0, 25.0)
        + each(48.0, 1536.0, 25.0)
        + each(24.0, 3840.0, 25.0)
        + 14.0 * 2.0 * each(24.0, 640.0, 9.0);
    // 256 tokens and the word behind them are projected.
    let joined = 2.0 * 257.0 * 2048.0 * 2048.0;
    let more = one.get("prefill.flops.matrix") - none.get("prefill.flops.matrix");
    assert_eq!(more, 2.0 * (871_482_949_632.0 - near + joined));
    assert_eq!(one.get("decode.mid.time"), none.get("decode.mid.time"));
    let half_minute = heard(model, "clips = 1");
    // Transformers' encoder: 983,672,856,576 for half a minute. It fills the last chunk of 12 of 750
    // steps up with 6 more, which see 24 keys and 13 distances in 12 layers.
    let filled = 12.0 * 6.0 * 2.0 * 1536.0 * (24.0 + 24.0 + 13.0);
    let near = 12.0 * 2.0 * 750.0 * 1536.0 * 5.0;
    let joined = 2.0 * 189.0 * 1536.0 * 2048.0;
    let more = half_minute.get("prefill.flops.matrix") - none.get("prefill.flops.matrix");
    // What 13 distances are is worked out once for all clips.
    let distances = 12.0 * 2.0 * 13.0 * 1536.0 * 1536.0;
    assert_eq!(more, 2.0 * (983_672_856_576.0 - filled - near + joined) - distances);
    assert_eq!(half_minute.get("memory.cache"), none.get("memory.cache"));
    // The tower of Gemma 4 keeps all steps: 441,585,942,528. Qwen2-Audio has Whisper's encoder.
    let more = |model: &str| {
        let work = |clips: &str| heard(model, clips).get("prefill.flops.matrix");
        work("clips = 1") - work("clips = 0")
    };
    let filled = 12.0 * 6.0 * 2.0 * 1024.0 * (24.0 + 24.0 + 13.0);
    let near = 12.0 * 2.0 * 750.0 * 1024.0 * 5.0;
    let joined = 2.0 * 750.0 * 1536.0 * 1536.0;
    let distances = 12.0 * 2.0 * 13.0 * 1024.0 * 1024.0;
    let all = 2.0 * (441_585_942_528.0 - filled - near + joined) - distances;
    assert_eq!(more("Gemma4_E2B"), all);
    let joined = 2.0 * 750.0 * 1280.0 * 4096.0;
    assert_eq!(more("Qwen2_Audio_7B"), 2.0 * (2_273_771_520_000.0 + joined));
}

#[test]
fn a_convolution_reads_its_map_once_however_many_places_see_a_value() {
    let model = "Gemma3n_E2B";
    let bytes_of = |side: f64, channels: f64| 2.0 * 2.0 * side * side * channels;
    let out = seen(model, 1);
    // Pictures of 768 by 768 in three colors become 384 by 384 places of 64 channels; two requests.
    let stem = bytes_of(768.0, 3.0) + bytes_of(384.0, 64.0) + 2.0 * 27.0 * 64.0;
    let moved = out.get("layers.vision.begun.prefill.memory_time") * 3.35e12
        / out.get("layers.vision.begun.prefill.flops");
    let per_flop = stem / (2.0 * 2.0 * 384.0 * 384.0 * 27.0 * 64.0);
    // Less than all of the bandwidth is reached, and more than half of it.
    assert!((1.0..2.0).contains(&(moved / per_flop)), "{moved} {per_flop}");
}

#[test]
fn layers_that_look_at_pictures_keep_what_they_saw() {
    let model = "Llama3_2_11B_Vision";
    let (none, one) = (seen(model, 0), seen(model, 1));
    // Two requests, 8 layers, keys and values of 8 heads over four tiles of 1601 patches.
    let each = bytes(&[2, 8, 2, 8, 128, 4 * 1601, 2]);
    assert_eq!(one.get("memory.cache") - none.get("memory.cache"), each);
    assert!(one.get("decode.mid.time") > none.get("decode.mid.time"));
}

#[test]
fn what_an_encoder_says_is_kept_once_for_each_source() {
    // Keys and values of 32 layers with 20 heads over 1500 positions of each of two requests, beside
    // those of the decoder's own 2048 + 8 positions.
    let model = "Whisper_Large_v3";
    let told = |model: &str, sources: u64| heard(model, &format!("sources = {sources}"));
    let (none, one) = (told(model, 0), told(model, 1));
    // Nobody has to say that a request has one.
    assert_eq!(heard(model, "images = 0").numbers, one.numbers);
    assert_eq!(
        one.get("memory.cache") - none.get("memory.cache"),
        bytes(&[2, 32, 2, 20, 64, 1500, 2])
    );
    // The encoder runs before the first token alone; matrix work of two sources, by hand.
    let (positions, width, ffn) = (1500.0, 1280.0, 5120.0);
    let layer = 4.0 * 2.0 * positions * width * width
        + 2.0 * 2.0 * positions * width * ffn
        + 2.0 * 2.0 * positions * positions * width;
    let front = 2.0 * 3000.0 * 3.0 * 128.0 * width + 2.0 * positions * 3.0 * width * width;
    let keys = 32.0 * 2.0 * 2.0 * positions * width * width;
    let looks = 32.0 * 2.0 * 2.0 * 2048.0 * positions * width;
    let all = 2.0 * (32.0 * layer + front + keys + looks);
    let flops = |out: &common::Outcome, phase: &str| out.get(&format!("{phase}.flops.matrix"));
    let more = flops(&one, "prefill") - flops(&none, "prefill");
    assert!((more / all - 1.0).abs() < 1e-9, "{more} {all}");
    // A token of the decoder looks at what the encoder said.
    let more = flops(&one, "decode.mid") - flops(&none, "decode.mid");
    assert!((more / (looks / 1024.0) - 1.0).abs() < 1e-9, "{more} {looks}");
    // T5's encoder reads with the table of the decoder: 512 positions, 12 layers, 12 heads.
    let (none, one) = (told("T5_Base", 0), told("T5_Base", 1));
    assert_eq!(
        one.get("memory.cache") - none.get("memory.cache"),
        bytes(&[2, 12, 2, 12, 64, 512, 2])
    );
}

#[test]
fn layers_that_propose_tokens_are_stored_and_do_not_run() {
    let text = |drafter: &str| {
        format!(
            "use std.layers.{{Drafter, Llama}}\nuse std.systems.H100_SXM_1\n\n/// Small.\nmodel M = \
             Llama(layers: 2, hidden: 64, heads: 4, ffn: 128, vocab: 1000{drafter}) {{\n  source = \
             \"a test\"\n}}\n\nscenario s {{\n  model = M\n  system = H100_SXM_1\n  serve {{ batch \
             = 1, prompt = 64, output = 8 }}\n}}\n"
        )
    };
    let without = Run::one(&text(""));
    let with = Run::one(&text(", drafter: Drafter(heads: 4, head_dim: 16, ffn: 128)"));
    let layer = 2 * 64 * 64 + 4 * 64 * 64 + 3 * 64 * 128 + 5 * 64;
    let stored = with.get("parameters.total") - without.get("parameters.total");
    assert_eq!(stored, f64::from(layer));
    for path in ["ttft", "decode.mid.time", "memory.cache"] {
        assert_eq!(with.get(path), without.get(path), "{path}");
    }
}

/// A scenario on eight chips, plain and with a line more.
fn served(model: &str, line: &str) -> common::Outcome {
    let text = format!(
        "use std.layers.Lora\nuse std.models.{model}\nuse std.systems.DGX_H100\n\nplan Tp(tp: Count) \
         {{\n  mesh tp\n  shard heads, ffn, vocab over tp\n}}\n\nscenario s {{\n  model = {model}\n  \
         system = DGX_H100\n  plan = Tp(tp: 8)\n  serve {{ batch = 32, prompt = 512, output = 16 }}\n  \
         {line}\n}}\n"
    );
    Run::one(&text)
}

#[test]
fn adapters_stand_beside_the_matrices_that_are_named() {
    let plain = served("Llama3_8B", "// Lora");
    let with = |line: &str| served("Llama3_8B", line);
    // Inputs and outputs of the projections of queries and of values, and of the last of the MLP.
    let (q, v, down) = (4096 + 4096, 4096 + 1024, 14336 + 4096);
    let one = with("adapter within wq, wv = Lora(rank: 16)");
    let total = |out: &common::Outcome| out.get("parameters.total") as u64;
    assert_eq!(total(&one) - total(&plain), 32 * 16 * (q + v));
    let some = with("adapter within wq, attention.wv, mlp.w_down = Lora(rank: 64, count: 6)");
    assert_eq!(total(&some) - total(&plain), 32 * 64 * 6 * (q + v + down));
    // A token goes through one of them; 32 requests read of six what they are likely to use.
    let active = |out: &common::Outcome| out.get("parameters.active") as u64;
    assert_eq!(active(&some) - active(&plain), 32 * 64 * (q + v + down));
    let flops = |out: &common::Outcome| out.get("decode.mid.flops.matrix");
    let work = (2 * 32 * 32 * 64 * (q + v + down)) as f64;
    assert_eq!(flops(&some) - flops(&plain), work);
    // The last rule wins, and what it leaves out has none.
    let last = with("adapter = Lora(rank: 8)\n  adapter within wq = Lora(rank: 32)");
    let eight = with("adapter = Lora(rank: 8)");
    assert_eq!(total(&last) - total(&eight), 32 * 24 * q);
}

#[test]
fn adapters_need_no_collective_of_their_own() {
    let plain = served("Llama3_70B", "// Lora");
    for line in ["adapter = Lora(rank: 16)", "adapter = Lora(rank: 16, count: 8)"] {
        let adapted = served("Llama3_70B", line);
        let kinds = |out: &common::Outcome| -> Vec<(&'static str, f64)> {
            out.real("decode.mid").iter().map(|c| (c.kind, c.count)).collect()
        };
        assert_eq!(kinds(&adapted), kinds(&plain), "{line}");
    }
}

#[test]
fn every_kind_of_decoder_can_carry_adapters() {
    for model in [
        "Gpt2_XL",
        "Falcon_40B",
        "Gemma2_9B",
        "Mixtral_8x7B",
        "DeepSeek_V2_Lite",
        "GptOss_20B",
        "Jamba_1_5_Mini",
        "Qwen3_Next_80B_A3B",
        "Codestral_Mamba_7B",
        "Llava_1_5_7B",
        "LFM2_1_2B",
        "Llama4_Scout",
    ] {
        for adapters in ["Lora(rank: 8)", "Lora(rank: 8, count: 4)"] {
            let text = format!(
                "use std.layers.Lora\nuse std.models.{model}\nuse std.systems.MI355X_1\n\nscenario \
                 plain {{\n  model = {model}\n  system = MI355X_1\n  serve {{ batch = 32, prompt = 512, \
                 output = 16 }}\n}}\n\nscenario s = plain with {{ adapter = {adapters} }}\n"
            );
            let run = Run::of(&text);
            let errors: Vec<_> = run.findings.iter().filter(|f| f.error).collect();
            assert!(errors.is_empty(), "{model} {adapters}: {errors:#?}");
            let total = |s: &str| run.scenarios[s].get("parameters.total");
            let share = total("s") / total("plain");
            assert!(share > 1.0005 && share < 1.2, "{model} {adapters}: {share}");
        }
    }
}

#[test]
fn blocks_that_a_model_was_given_can_be_amended() {
    let text = |amended: &str| {
        format!(
            "use std.layers.{{GatedMlp, HybridDecoder, LayerDrafter, Mamba, ShortConvolution}}\nuse \
             std.layers.GroupedQueryAttention\nuse std.systems.H100_SXM_1\n\n/// Small.\nmodel Small = \
             HybridDecoder(\n  layers: 4, hidden: 64, vocab: 100,\n  mixer: Mamba(inner: 128, state: \
             16, step_rank: 4),\n  mlp: GatedMlp(ffn: 128),\n  drafter: LayerDrafter(\n    name: \
             \"mtp\", attention: GroupedQueryAttention(heads: 4, head_dim: 16, cached: false),\n    \
             mlp: GatedMlp(ffn: 128),\n  ),\n) {{\n  source = \"a test\"\n}}\n\n/// Changed.\nmodel \
             Here = Small with {{ {amended} }} {{\n  source = \"a test\"\n}}\n\nscenario s {{\n  \
             model = Here\n  system = H100_SXM_1\n  serve {{ batch = 1, prompt = 64, output = 2 \
             }}\n}}\n"
        )
    };
    let total = |amended: &str| Run::of(&text(amended)).scenarios["s"].get("parameters.total");
    let plain = total("layers = 4");
    // Three matrices in each of four layers, and in one behind them.
    assert_eq!(total("mlp.ffn = 160") - plain, 4.0 * 3.0 * 64.0 * 32.0);
    assert_eq!(total("drafter.mlp.ffn = 160") - plain, 3.0 * 64.0 * 32.0);
    assert_eq!(total("drafter.mlp = GatedMlp(ffn: 160)") - plain, 3.0 * 64.0 * 32.0);
    assert_eq!(total("mlp = GatedMlp(ffn: 160, bias: true)") - total("mlp.ffn = 160"), 4.0 * 384.0);
    assert!(total("mixer = ShortConvolution(inner: 64)") < plain);
    assert!(total("drafters = 0") < plain);
    // A field that the block does not have is no silent nothing.
    let found = Run::of(&text("mlp.ffm = 160"));
    assert_eq!(found.finding("E0202").title, "a block has no field `ffm`");
}

#[test]
fn a_norm_over_all_heads_needs_one_number_of_each_device() {
    // Queries and keys of 32 layers; the states of 23 layers.
    for (model, count) in [("Olmo2_7B", 64.0), ("Nemotron_3_Nano_30B", 23.0)] {
        let out = served(model, "// no adapter");
        let small = out.of_kind("decode.mid", "all-reduce");
        // A number in bf16 for each of 32 requests.
        let sums: f64 = small.iter().filter(|(_, b)| *b <= 2.0 * 64.0).map(|(n, _)| n).sum();
        assert_eq!(sums, count, "{model}: {small:?}");
    }
}

//! `mesa check` on files that nobody should write, and `--fix` on slips that everybody makes.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mesa::diagnostic::codes;

/// An empty directory of its own for one test.
fn dir(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("inputs").join(test);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Runs `mesa`; what it printed, errors after findings, and its exit code.
fn mesa(dir: &Path, args: &[&str]) -> (String, i32) {
    let run = Command::new(env!("CARGO_BIN_EXE_mesa"))
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap() + &String::from_utf8(run.stderr).unwrap();
    (text, run.status.code().unwrap_or(-1))
}

/// A chain of `count` items, each made of the next.
fn chain(count: usize, link: impl Fn(usize, usize) -> String, last: &str) -> String {
    let mut text: String = (0..count).map(|i| link(i, i + 1)).collect();
    text.push_str(&last.replace('#', &count.to_string()));
    text
}

fn model(sizes: &str) -> String {
    format!(
        "use std.layers.Llama\nuse std.systems.DGX_H100\n\nmodel M = Llama({sizes})\n\n\
         plan P(tp: Count = 8) {{\n  mesh tp\n  shard heads, ffn, vocab over tp\n}}\n\n\
         scenario s {{\n  model  = M\n  system = DGX_H100\n  plan   = P()\n  \
         serve {{ batch = 1, prompt = 128, output = 16 }}\n}}\n"
    )
}

fn sizes(heads: &str, kv_heads: &str, layers: &str) -> String {
    model(&format!(
        "layers: {layers}, hidden: 4096, heads: {heads}, kv_heads: {kv_heads}, ffn: 14336, vocab: 32000"
    ))
}

/// What is strange, and the file.
fn strange() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let fns =
        |i: usize, j: usize| format!("fn f{i}(n: Number) -> Number = f{j}(n + 1) + f{j}(n + 2)\n");
    let blocks = |i: usize, j: usize| {
        format!(
            "block B{i}() {{\n  input x[batch, seq, hidden]\n  a = B{j}(x)\n  y = B{j}(a)\n  output y\n}}\n"
        )
    };
    vec![
        ("bytes of no text", (0..=255).collect()),
        ("nothing", Vec::new()),
        ("line ends of Windows", text("const a = 1\r\nconst b = x\r\n")),
        ("line ends of old Macs", text("const a = 1\rconst b = x\r")),
        ("200,000 pictures", text(&"\u{1f423}".repeat(200_000))),
        ("a byte order mark", text("\u{feff}const a = x\n")),
        ("no line end", text("const a = x")),
        ("200,000 open parentheses", vec![b'('; 200_000]),
        ("200,000 open brackets in a value", text(&format!("const a = {}", "[".repeat(200_000)))),
        (
            "a text of a million letters",
            text(&format!("const a = \"{}\" + 1\n", "x".repeat(1_000_000))),
        ),
        ("a sum of 200,000 terms", text(&format!("const a = {}\n", ["1"; 200_000].join(" + ")))),
        (
            "a list of 200,000 numbers",
            text(&format!("const a = [{}]\n", ["1"; 200_000].join(", "))),
        ),
        (
            "3,000 amendments in one line",
            text(&format!("const a = b{}\n", " with { x = 1 }".repeat(3000))),
        ),
        (
            "20,000 constants, last first",
            text(&chain(20_000, |i, j| format!("const c{i} = c{j} + 1\n"), "const c# = 1\n")),
        ),
        (
            "1,000 amended chips, last first",
            text(&chain(
                1_000,
                |i, j| {
                    format!("chip C{i} = C{j} with {{ processors = 1 }} {{ source = \"none\" }}\n")
                },
                "chip C# = X\n",
            )),
        ),
        (
            "a circle of 50 constants",
            text(
                &(0..50)
                    .map(|i| format!("const c{i} = c{} + 1\n", (i + 1) % 50))
                    .collect::<String>(),
            ),
        ),
        (
            "a function of itself",
            text(
                "fn f(n: Number) -> Number = if n < 2 then 1 else f(n - 1) + f(n - 2)\nconst a = f(9)\n",
            ),
        ),
        (
            "two functions of each other",
            text(
                "fn f(n: Number) -> Number = g(n) + g(n)\nfn g(n: Number) -> Number = f(n)\nconst a = f(9)\n",
            ),
        ),
        (
            "functions that double 40 times",
            text(&(chain(40, fns, "fn f#(n: Number) -> Number = n\n") + "const a = f0(1)\n")),
        ),
        (
            "3,000 functions deep",
            text(
                &(chain(
                    3_000,
                    |i, j| format!("fn f{i}(n: Number) -> Number = f{j}(n)\n"),
                    "fn f#(n: Number) -> Number = n\n",
                ) + "const a = f0(1)\n"),
            ),
        ),
        (
            "blocks of each other",
            text(
                "block A() {\n  input x[batch]\n  y = B(x)\n  output y\n}\nblock B() {\n  input x[batch]\n  y = A(x)\n  output y\n}\n",
            ),
        ),
        (
            "blocks that double 30 times",
            text(&chain(
                30,
                blocks,
                "block B#() {\n  input x[batch, seq, hidden]\n  output x\n}\n",
            )),
        ),
        (
            "units and dimensions of themselves",
            text(
                "unit a = 2 b\nunit b = 3 a\ndimension D = E\ndimension E = D\nconst x = 3 a\nfn f(d: D) -> E = d\n",
            ),
        ),
        ("a file that imports itself", text("use \"./strange.mesa\".{a}\nconst a = 1\n")),
        (
            "numbers without end",
            text(
                "const a = 1e999\nconst b: Count = 99999999999999999999\nconst c = 10 ^ 400\nconst d = 1e308 * 10\nunit big = 1e300 PB\nconst e = 1e300 big\nconst f = sqrt(-1)\nconst g = log2(0)\n",
            ),
        ),
        (
            "powers of quantities",
            text(
                "const a = (3 GB) ^ 200\nconst b = (3 GB) ^ 0.5\nconst c = sqrt(3 GB)\nfn f(n: Number) -> Number = (3 GB) ^ n\n",
            ),
        ),
        ("no heads", text(&sizes("0", "0", "32"))),
        ("no key/value heads", text(&sizes("32", "0", "32"))),
        ("heads that do not share", text(&sizes("32", "3", "32"))),
        ("heads that do not divide", text(&sizes("7", "7", "32"))),
        ("no layers", text(&sizes("32", "8", "0"))),
        ("less than no layers", text(&sizes("32", "8", "-2"))),
        ("more layers than atoms", text(&sizes("32", "8", "1e80"))),
        ("half a layer", text(&sizes("32", "8", "0.5"))),
        ("a layer in bytes", text(&sizes("32", "8", "3 GB"))),
        (
            "nothing that is known",
            text(
                "model M = Lama(layrs: x)\nscenario s {\n  model = N\n  system = Y(z: w)\n  plan = Q(r) on t\n  serve { batch = u.v, prompt = 1, output = 1 }\n  expect a.b < c\n}\n",
            ),
        ),
    ]
}

#[test]
fn strange_files_get_clear_answers_in_time() {
    let dir = dir("strange");
    let mut all = String::new();
    for (what, bytes) in strange() {
        fs::write(dir.join("strange.mesa"), bytes).unwrap();
        let start = Instant::now();
        let (out, code) = mesa(&dir, &["check", "--format", "short", "strange.mesa"]);
        assert!(start.elapsed() < Duration::from_secs(30), "{what}: {:?}", start.elapsed());
        assert!(code == 0 || code == 1, "{what}: {code}\n{out}");
        assert!(out.lines().all(|l| l.len() < 300), "{what}: lines are short\n{out}");
        let _ = writeln!(all, "{what}\n{}", out.replace("strange.mesa:", "  "));
    }
    insta::assert_snapshot!(all);
}

/// Many small items make a large file; the largest that is read takes no more than its share.
#[test]
fn a_file_of_fifty_megabytes_is_answered() {
    let dir = dir("large");
    let line = format!("// {}\n", "x".repeat(9_997));
    fs::write(dir.join("large.mesa"), line.repeat(5_000) + "const a = x\n").unwrap();
    let start = Instant::now();
    let (out, code) = mesa(&dir, &["check", "--format", "short", "large.mesa"]);
    assert_eq!(
        (out.as_str(), code),
        ("large.mesa:5001:11: error[E0201]: `x` is not known here\n", 1)
    );
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

/// Whatever the mistakes, and however many, the first ones are told and the rest is not.
#[test]
fn a_file_of_nothing_but_mistakes_is_given_up_in_time() {
    let dir = dir("hopeless");
    for line in ["const a = 1 # x\n", "x = \n", "const a = 1\n", "const a = b\n"] {
        let text = format!("const a = 2\n{}", line.repeat(60_000_usize.max(600_000 / line.len())));
        fs::write(dir.join("hopeless.mesa"), text).unwrap();
        let (out, code) = mesa(&dir, &["check", "--format", "short", "hopeless.mesa"]);
        let last = out.lines().rfind(|l| l.contains("hopeless.mesa")).unwrap_or_default();
        assert!(out.lines().count() <= 10_020, "{line}: {}", out.lines().count());
        assert!(last.contains("E0005"), "{line}: {last}");
        assert_eq!(code, 1, "{line}");
    }
    fs::write(dir.join("hopeless.mesa"), "const a = 1\n".repeat(1_000_002)).unwrap();
    let (out, _) = mesa(&dir, &["check", "--format", "short", "hopeless.mesa"]);
    let said = "error[E0002]: the file has 1000002 items, more than Mesa reads\n";
    assert_eq!(out, format!("hopeless.mesa:1000001:1: {said}"));
    fs::write(dir.join("hopeless.mesa"), "x".repeat(1_000_000)).unwrap();
    let (out, _) = mesa(&dir, &["check", "--format", "short", "hopeless.mesa"]);
    assert!(out.len() < 300 && out.contains("…` starts no item"), "{out}");
}

#[test]
fn places_without_files_are_named() {
    let dir = dir("nothing");
    fs::create_dir_all(dir.join("empty")).unwrap();
    for (path, said) in [("gone.mesa", "gone.mesa"), ("empty", "no `.mesa` file in `empty`")] {
        let (out, code) = mesa(&dir, &["check", path]);
        assert!(out.contains(said), "{out}");
        assert_eq!(code, 2);
    }
}

#[test]
fn fix_mends_slips_of_one_meaning_and_leaves_the_rest() {
    let dir = dir("fix");
    let slips = include_str!("check/slips.mesa");
    fs::write(dir.join("slips.mesa"), slips).unwrap();
    let (before, _) = mesa(&dir, &["check", "--format", "short", "slips.mesa"]);
    let (after, code) = mesa(&dir, &["check", "--fix", "--format", "short", "slips.mesa"]);
    let text = fs::read_to_string(dir.join("slips.mesa")).unwrap();
    insta::assert_snapshot!(format!("BEFORE\n{before}\nAFTER\n{after}\nFIXED\n{text}"));
    assert_eq!(code, 1, "what needs a person is left");
    let (again, _) = mesa(&dir, &["check", "--fix", "--format", "short", "slips.mesa"]);
    assert_eq!(again, after, "nothing is mended twice");
    assert_eq!(fs::read_to_string(dir.join("slips.mesa")).unwrap(), text);
}

/// The pages of codes about files show commands; their wrong ones are run on such files.
#[test]
fn commands_of_the_pages_about_files_say_what_the_pages_show() {
    let dir = dir("pages");
    fs::write(dir.join("weights.mesa"), b"\xff\xfe\x00\x01").unwrap();
    fs::File::create(dir.join("dump.mesa")).unwrap().set_len(70_000_000).unwrap();
    fs::write(dir.join("chat.mesa"), "const a = 1\n").unwrap();
    fs::write(dir.join("generated.mesa"), "x =\n".repeat(60_000)).unwrap();
    let codes = [codes::NOT_TEXT, codes::TOO_LARGE, codes::CANNOT_READ, codes::TOO_MANY_FINDINGS];
    for code in codes {
        for example in code.examples() {
            let lines = example.text.lines().filter_map(|l| l.strip_prefix("$ mesa "));
            for line in lines {
                let args: Vec<&str> = line.split(' ').collect();
                let (out, status) = mesa(&dir, &args);
                assert_eq!(status == 0, !example.is_wrong, "{line}\n{out}");
                assert_eq!(out.contains(code.id()), example.is_wrong, "{line}\n{out}");
            }
        }
    }
}

//! The pages of the codes, run: a wrong example triggers exactly its code, a right one nothing.

use std::collections::BTreeMap;

use mesa::check::{Loader, Program};
use mesa::diagnostic::pages::Example;
use mesa::diagnostic::render::{Format, Options, render};
use mesa::diagnostic::{Code, codes};
use mesa::source::{Origin, SourceFile, Sources};

/// Codes whose examples are commands; `tests/cli.rs` runs them.
const COMMANDS: [Code; 35] = [
    codes::NOT_TEXT,
    codes::TOO_LARGE,
    codes::CANNOT_READ,
    codes::TOO_MANY_FINDINGS,
    codes::UNKNOWN_SCENARIO,
    codes::UNKNOWN_RESULT,
    codes::NOT_SETTABLE,
    codes::UNKNOWN_PATH,
    codes::UNKNOWN_SWEEP,
    codes::TOO_MANY_POINTS,
    codes::PLAN_LEFT_OPEN,
    codes::NOT_A_CONFIG,
    codes::UNKNOWN_ARCHITECTURE,
    codes::CONFIG_KEY_MISSING,
    codes::CONFIG_KEY_WRONG,
    codes::CONFIG_CONTRADICTS,
    codes::CONFIG_UNSUPPORTED,
    codes::CONFIG_DEFAULT,
    codes::CONFIG_KEY_UNKNOWN,
    codes::CONFIG_ASSUMED,
    codes::NOT_SAFETENSORS,
    codes::BAD_HEADER,
    codes::BAD_OFFSETS,
    codes::BAD_SIZE,
    codes::TENSOR_TWICE,
    codes::BAD_INDEX,
    codes::SHARD_MISSING,
    codes::INDEX_DISAGREES,
    codes::TENSOR_MISSING,
    codes::TENSOR_SURPLUS,
    codes::TENSOR_SHAPE,
    codes::TENSOR_DTYPE,
    codes::NO_TENSOR_NAME,
    codes::FILE_NOT_LISTED,
    codes::INDEX_TRAILING,
];

/// The files of one example, by name.
struct Files(BTreeMap<String, String>);

impl Loader for Files {
    fn load(&self, _: &str, path: &str) -> Result<(String, String), String> {
        let name = path.trim_start_matches("./");
        let text = self.0.get(name).ok_or("there is no such file")?;
        Ok((name.to_owned(), text.clone()))
    }
}

/// The codes that `mesa check` finds in an example, and the findings as a person sees them.
fn check(example: &Example) -> (Vec<Code>, String) {
    let mut files: BTreeMap<String, String> = example.files.iter().cloned().collect();
    files.insert("main.mesa".into(), example.text.clone());
    let mut sources = Sources::default();
    let main = sources.add(SourceFile::new("main.mesa", &example.text, Origin::User));
    let program = Program::load(sources, &[main], &Files(files));
    let found = mesa::check(&program);
    let shown = render(Format::Text, &program.sources, &found, &Options::default());
    (found.iter().map(|d| d.code).collect(), shown)
}

#[test]
fn wrong_examples_trigger_their_code_and_right_ones_nothing() {
    let mut failed = Vec::new();
    for (code, _) in codes::ALL {
        for (i, example) in code.examples().iter().enumerate().filter(|(_, e)| !e.is_command) {
            let (found, shown) = check(example);
            let good = if example.is_wrong { found == [*code] } else { found.is_empty() };
            if !good {
                let kind = if example.is_wrong { "wrong" } else { "right" };
                failed.push(format!("== {} example {i} ({kind})\n{shown}", code.id()));
            }
        }
    }
    assert!(failed.is_empty(), "{} examples:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn pages_show_commands_only_where_files_cannot_tell() {
    for (code, _) in codes::ALL {
        let commands = code.examples().iter().filter(|e| e.is_command).count();
        let wanted = if COMMANDS.contains(code) { code.examples().len() } else { 0 };
        assert_eq!(commands, wanted, "{}", code.id());
    }
}

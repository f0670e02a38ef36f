//! What `mesa eval` and `mesa explain` print, and that all of it says the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod changes;
mod derivations;
mod formats;
#[path = "../common/library.rs"]
mod library;
mod schema;
mod tapes;

use std::path::Path;
use std::process::Command;

use library::without_lines_of_the_library;

/// The example that all of these look at, from the root of the repository.
const CHAT: &str = "examples/chat-70b.mesa";

/// A run of `mesa` in the root of the repository: its exit code and what it printed.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    /// What a person sees, in the order of a log.
    fn log(&self, args: &[&str]) -> String {
        let code = self.code.unwrap();
        let shown = without_lines_of_the_library(&format!("{}{}", self.err, self.out));
        format!("$ mesa {}\n{shown}exit code {code}\n\n", args.join(" "))
    }
    /// The only line of output as a number.
    #[track_caller]
    fn number(&self) -> f64 {
        self.out.trim().parse().unwrap_or_else(|_| panic!("{}{}", self.out, self.err))
    }
}

fn mesa(args: &[&str]) -> Run {
    mesa_with(args, &[])
}

fn mesa_with(args: &[&str], env: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesa"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "NO_GRAPHICS", "COLUMNS", "TERM"] {
        command.env_remove(name);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = command.args(args).current_dir(root).envs(env.iter().copied()).output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A spec in a directory of its own for one test.
fn spec(test: &str, text: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(test);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("spec.mesa");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

//! `--set` and `--override`, shared by the commands that evaluate.
//!
//! In: `PATH=VALUE`. Out: [`Assignment`]s, not yet resolved.

use std::str::FromStr;

use crate::evaluation::{Change, ChangeKind};

/// `PATH=VALUE` as given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Assignment {
    /// The dotted path on the left.
    pub path: String,
    /// The expression on the right, as text.
    pub value: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) = text.split_once('=').ok_or_else(|| {
            format!(
                "write PATH=VALUE, such as `{}=64`",
                if text.is_empty() { "batch" } else { text }
            )
        })?;
        let (path, value) = (path.trim(), value.trim());
        if path.is_empty() || value.is_empty() {
            return Err("both PATH and VALUE are needed, such as `serve.batch=64`".to_owned());
        }
        Ok(Self { path: path.to_owned(), value: value.to_owned() })
    }
}

/// The two options.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Changing inputs")]
pub(super) struct Overrides {
    /// Set an input: a parameter, a field of a scenario, the workload; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<Assignment>,
    /// Change anything else, such as a chip's bandwidth or an assumption; may be repeated
    #[arg(long = "override", value_name = "PATH=VALUE")]
    pub overrides: Vec<Assignment>,
}

impl Overrides {
    /// All changes, in the order in which they count.
    pub(super) fn changes(&self) -> Vec<Change> {
        let change =
            |kind, a: &Assignment| Change { kind, path: a.path.clone(), value: a.value.clone() };
        let set = self.set.iter().map(|a| change(ChangeKind::Set, a));
        set.chain(self.overrides.iter().map(|a| change(ChangeKind::Override, a))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_split_at_the_first_equals_sign() {
        let parsed: Assignment = "serve.batch = if a == b then 1 else 2".parse().unwrap();
        assert_eq!(parsed.path, "serve.batch");
        assert_eq!(parsed.value, "if a == b then 1 else 2");
        for wrong in ["", "batch", "=1", "batch="] {
            assert!(wrong.parse::<Assignment>().is_err(), "{wrong}");
        }
    }
}

//! `--set` and `--override`: what is changed, and whether it may be.
//!
//! In: paths and values as text. They become settings in a file of their own, so that whatever is
//! wrong with them is labelled there. Out: a scenario amended, and assumptions overridden.

use std::rc::Rc;

use super::settable::{deep, is_assumption, settable};
use crate::check::{Checker, Entry, Env, ModuleId, Object, Program, Site};
use crate::diagnostic::{Diagnostic, closest, codes};
use crate::expr::OriginKind;
use crate::name::Name;
use crate::source::{FileId, Place, Span};
use crate::syntax::ast::ItemKind;

/// Which option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeKind {
    /// `--set`: inputs only.
    Set,
    /// `--override`: figures and assumptions too.
    Override,
}

impl ChangeKind {
    /// The option as typed.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::Set => "--set",
            Self::Override => "--override",
        }
    }
}

/// One change as a person asked for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Which option.
    pub kind: ChangeKind,
    /// The dotted path, with or without a scenario before it.
    pub path: String,
    /// The expression.
    pub value: String,
}

/// Changes as modules of a program.
#[derive(Clone, Default, Debug)]
pub struct Changes {
    list: Vec<(Change, ModuleId)>,
}

/// A scenario after its changes.
pub(super) struct Changed<'p> {
    /// The scenario.
    pub object: Rc<Object<'p>>,
    /// Assumptions that were given.
    pub overrides: Option<Rc<Object<'p>>>,
    /// What was changed.
    pub applied: Vec<Change>,
}

/// What a path is.
enum Target {
    /// An input or a figure below the scenario.
    Field,
    /// An assumption.
    Assumption(Name),
}

/// What stands before a path in the file of its change.
const HEAD: &str = "scenario command {\n  ";
/// Where the path starts in it.
const PATH_AT: usize = HEAD.len();

impl Changes {
    /// Adds changes to a program, before it is checked.
    pub fn add(program: &mut Program, changes: Vec<Change>) -> Self {
        let mut list = Vec::new();
        for change in changes {
            let value = with_blank(&change.value.replace(['\n', '\r'], " "));
            let text = format!("{HEAD}{} = {value}\n}}\n", change.path);
            let file = format!("<{}>", change.kind.option());
            list.push((change, program.add_command(&file, &text)));
        }
        Self { list }
    }

    /// The file that each change is in.
    #[must_use]
    pub fn files(&self, program: &Program) -> Vec<FileId> {
        self.list.iter().map(|(_, module)| program.module(*module).file).collect()
    }

    /// What is wrong with the texts themselves.
    pub(super) fn syntax_diagnostics(&self, program: &Program) -> Vec<Diagnostic> {
        let check = |(change, module): &(Change, ModuleId)| {
            if is_path(&change.path) {
                return program.syntax_diagnostics(*module);
            }
            let start = PATH_AT as u32;
            let span = Span::new(start, start + change.path.len() as u32);
            let place = Place { file: program.module(*module).file, span };
            let title = format!("there is nothing to set at `{}`", change.path);
            let label = "a path is names with dots between";
            vec![Diagnostic::new(codes::UNKNOWN_PATH, title, place, label)]
        };
        self.list.iter().flat_map(check).collect()
    }

    /// Makes the changes that are meant for a scenario; what cannot be is reported.
    pub(super) fn apply<'p>(
        &self,
        checker: &mut Checker<'p>,
        root: ModuleId,
        scenario: Name,
        object: &Rc<Object<'p>>,
    ) -> Changed<'p> {
        let mut entries = Vec::new();
        let mut assumptions = Vec::new();
        let mut applied = Vec::new();
        for (change, module) in &self.list {
            for mut entry in settings(checker.program, root, *module) {
                match prefix(checker.program, root, &entry.path) {
                    Some(name) if name != scenario => continue,
                    Some(_) => entry.path = entry.path.get(1..).unwrap_or_default().into(),
                    None => {}
                }
                match target(checker, object, change, &entry) {
                    Ok(Target::Field) => entries.push(entry),
                    Ok(Target::Assumption(name)) => {
                        assumptions.push(Entry { path: [name].into(), ..entry });
                    }
                    Err(diagnostic) => {
                        checker.report(*diagnostic);
                        continue;
                    }
                }
                if !applied.contains(change) {
                    applied.push(change.clone());
                }
            }
        }
        let paths: Vec<Rc<[Name]>> = entries.iter().map(|e| e.path.clone()).collect();
        let mut object = object.clone();
        if !entries.is_empty() {
            object = Rc::new(object.amended(entries));
        }
        for path in paths {
            // Also what nothing reads must be of its type.
            let path: Vec<&str> = path.iter().map(|n| n.text()).collect();
            checker.field_path(&object, &path);
        }
        let overrides = (!assumptions.is_empty()).then(|| {
            let empty = Object::empty(ItemKind::Runtime, Name::new("overrides"), None);
            Rc::new(empty.amended(assumptions))
        });
        Changed { object, overrides, applied }
    }
}

/// The settings of one change, in the scope of the file that it changes.
fn settings<'p>(program: &'p Program, root: ModuleId, module: ModuleId) -> Vec<Entry<'p>> {
    let mut shell = Object::empty(ItemKind::Scenario, Name::new("command"), None);
    for item in program.items(module) {
        let Some(body) = &item.item.body else { continue };
        let kind = OriginKind::Override;
        let site = Site { module: root, file: item.file, offset: item.offset, kind };
        shell.extend(body, &Env::module(site), true);
    }
    shell.entries.into_iter().filter(|e| e.value.is_some()).collect()
}

/// The scenario that a path starts with.
fn prefix(program: &Program, root: ModuleId, path: &[Name]) -> Option<Name> {
    let [first, _, ..] = path else { return None };
    let all = crate::scenarios(program, root);
    all.iter().map(|i| i.item.name.name).find(|n| n == first)
}

/// What a path means, or why it may not be changed.
fn target<'p>(
    checker: &mut Checker<'p>,
    object: &Rc<Object<'p>>,
    change: &Change,
    entry: &Entry<'p>,
) -> Result<Target, Box<Diagnostic>> {
    let names: Vec<&str> = entry.path.iter().map(|n| n.text()).collect();
    let path = names.join(".");
    let inputs = settable(checker, object);
    if inputs.iter().any(|s| s.path == path) {
        return Ok(Target::Field);
    }
    let assumption = match &*entry.path {
        [name] => Some(*name),
        [runtime, name] if *runtime == "runtime" => Some(*name),
        _ => None,
    };
    let assumption = assumption.filter(|n| is_assumption(checker, *n));
    let figures = deep(checker, object);
    let figure =
        figures.contains(&path) || super::settable::may_be_added(checker, object, &entry.path);
    match (assumption, figure) {
        (Some(name), _) if change.kind == ChangeKind::Override => Ok(Target::Assumption(name)),
        (None, true) if change.kind == ChangeKind::Override => Ok(Target::Field),
        (None, false) => {
            let known = inputs.iter().map(|s| s.path.clone()).chain(figures);
            let known = known.chain(super::settable::assumptions(checker));
            Err(Box::new(unknown(&path, entry, known.collect())))
        }
        (assumption, _) => {
            let what = if assumption.is_some() { "an assumption" } else { "a figure of a part" };
            let value = change.value.as_str();
            let quoted = format!("{}={value}", change.path);
            let plain =
                quoted.bytes().all(|b| b.is_ascii_alphanumeric() || b"._=/%+-".contains(&b));
            let quoted = if plain { quoted } else { format!("'{quoted}'") };
            Err(Box::new(
                Diagnostic::new(
                    codes::NOT_SETTABLE,
                    format!("`{path}` is {what}, not an input"),
                    entry.place,
                    "`--set` is for inputs",
                )
                .note(format!("to change it all the same: `--override {quoted}`"))
                .note("`--settable` lists what `--set` may change"),
            ))
        }
    }
}

fn unknown(path: &str, entry: &Entry<'_>, known: Vec<String>) -> Diagnostic {
    let title = format!("there is nothing to set at `{path}`");
    let diagnostic = Diagnostic::new(codes::UNKNOWN_PATH, title, entry.place, "not a path");
    // The last name may be all that is wrong, or all that is right.
    let last = path.rsplit('.').next().unwrap_or(path);
    let same = known.iter().find(|k| k.rsplit('.').next() == Some(last) && k.contains('.'));
    let best = closest(path, known.iter().map(String::as_str)).or(same.map(String::as_str));
    diagnostic.meant(best, None, "`--settable` lists the paths")
}

/// Whether a text is names with dots between.
fn is_path(text: &str) -> bool {
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    text.split('.').all(is_name)
}

/// `4TB/s` as `4 TB/s`: on a command line a blank needs quotes.
fn with_blank(value: &str) -> String {
    let digits =
        value.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'));
    let (number, rest) = value.split_at(digits.count());
    let mut letters = rest.chars();
    let exponent = rest.starts_with(['e', 'E'])
        && letters.nth(1).is_some_and(|c| c.is_ascii_digit() || matches!(c, '+' | '-'));
    let unit = rest.starts_with(|c: char| c.is_ascii_alphabetic()) && !exponent;
    let has_digit = number.bytes().any(|b| b.is_ascii_digit());
    if unit && has_digit { format!("{number} {rest}") } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::with_blank;

    #[test]
    fn a_unit_may_be_glued_on_the_command_line() {
        for (given, meant) in [
            ("4TB/s", "4 TB/s"),
            ("3.35TB/s", "3.35 TB/s"),
            ("-1", "-1"),
            ("1e9", "1e9"),
            ("1e-9", "1e-9"),
            ("10%", "10%"),
            ("4 TB/s", "4 TB/s"),
            ("fp8", "fp8"),
            ("Tp(tp: 4)", "Tp(tp: 4)"),
            ("2 * 3", "2 * 3"),
        ] {
            assert_eq!(with_blank(given), meant);
        }
    }
}

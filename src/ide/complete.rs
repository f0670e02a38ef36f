//! What could be typed at the cursor.
//!
//! In: a view and a byte. Out: [`Completion`]s, those that fit best first. What is offered follows
//! from where the cursor stands: axes after `shard`, mesh axes after `over`, fields in a body, units
//! after a number, results after `expect`, and names of the library with the `use` that they need.

mod calls;
mod clauses;
mod imports;
mod numbers;
mod paths;
mod plans;
mod sweeps;
mod systems;
mod values;

use super::context::{Context, context};
use super::resolve::View;
use super::words;
use crate::check::{Checker, ItemRef};
use crate::diagnostic::Edit;
use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::ItemKind;

/// What a completion is, for its icon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Kind {
    Keyword,
    Field,
    Item(ItemKind),
    Param,
    Local,
    Axis,
    Unit,
    Result,
    Module,
    File,
    Function,
    Word,
    Snippet,
}

/// Something that could be typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// What is shown and matched.
    pub label: String,
    /// What it is.
    pub kind: Kind,
    /// A line about it.
    pub detail: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// What is inserted, with `$1` and `${1:x}` as places to go on.
    pub insert: String,
    /// Whether `insert` has such places.
    pub snippet: bool,
    /// What is replaced.
    pub span: Span,
    /// Edits elsewhere: the `use` that it needs.
    pub edits: Vec<Edit>,
    /// How well it fits: 0 is best.
    pub rank: u8,
}

/// What could be typed at one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completions {
    /// Those that fit best first.
    pub items: Vec<Completion>,
    /// Whether there are more: another letter has to be asked about again.
    pub more: bool,
}

/// How many are offered at once: nobody reads more, and a large file has thousands.
const MOST: usize = 500;

/// What could be typed at a byte.
#[must_use]
pub fn complete(view: &View<'_>, byte: u32) -> Completions {
    let context = context(view, byte);
    let checker = Checker::new(view.program);
    let (out, late) = (Vec::new(), Vec::new());
    let mut offer = Offer { view: *view, byte, checker, context, out, late, many: false };
    offer.run();
    offer.best()
}

struct Offer<'p> {
    view: View<'p>,
    byte: u32,
    checker: Checker<'p>,
    context: Context,
    out: Vec<Completion>,
    /// What is said of items, by position: looked up for those that are offered in the end.
    late: Vec<(usize, Late<'p>)>,
    /// Whether some were left out already, as there are too many.
    many: bool,
}

/// An item that is offered, and the path by which it is imported.
struct Late<'p> {
    item: ItemRef<'p>,
    import: Option<String>,
}

/// A line that fits beside a name.
fn short(line: &str) -> String {
    match line.char_indices().nth(79) {
        Some((end, _)) => line.get(..end).unwrap_or(line).trim_end().to_owned() + "…",
        None => line.to_owned(),
    }
}

/// Whether the letters of a word stand in a name in this order.
fn fits(name: &str, word: &str) -> bool {
    let mut letters = name.chars();
    word.chars().all(|c| letters.any(|l| l.eq_ignore_ascii_case(&c)))
}

impl<'p> Offer<'p> {
    /// What is offered in the end: each name once; of very many those that go on from what is
    /// typed, and of those the nearest.
    fn best(self) -> Completions {
        let Self { view, byte, checker, context, out, late, many } = self;
        let mut late: rustc_hash::FxHashMap<usize, Late<'p>> = late.into_iter().collect();
        let mut all: Vec<(Completion, Option<Late<'p>>)> =
            out.into_iter().enumerate().map(|(at, one)| (one, late.remove(&at))).collect();
        let order = |a: &(Completion, Option<Late<'p>>), b: &(Completion, Option<Late<'p>>)| {
            (a.0.rank, &a.0.label).cmp(&(b.0.rank, &b.0.label))
        };
        all.retain(|(one, _)| !one.label.is_empty());
        all.sort_by(order);
        let mut seen = rustc_hash::FxHashSet::default();
        all.retain(|(one, _)| seen.insert(one.label.clone()));
        let more = many || all.len() > MOST;
        if more {
            all.retain(|(one, _)| fits(&one.label, &context.word));
            let far = |late: &Option<Late<'p>>| match late {
                Some(Late { item, .. }) if item.module == view.module => item.offset.abs_diff(byte),
                _ => 0,
            };
            all.sort_by_key(|(one, late)| (one.rank, far(late)));
            all.truncate(MOST);
            all.sort_by(order);
        }
        // The same place for all of them; only the path differs.
        let mut line = None;
        let mut import = |path: &str| {
            let (place, text) =
                line.get_or_insert_with(|| checker.import_line(view.module, "\0")).clone();
            Edit { place, text: text.replace('\0', path) }
        };
        let items = all.into_iter().map(|(mut one, late)| {
            let Some(Late { item, import: path }) = late else { return one };
            one.docs = item.item.docs.as_ref().map(|d| d.to_string());
            match path {
                Some(path) => {
                    one.edits = vec![import(&path)];
                    one.detail = format!("use {path}");
                }
                None => {
                    let head = super::describe::headline(view.program, item);
                    one.detail = short(&super::describe::one_line(&head));
                }
            }
            one
        });
        Completions { items: items.collect(), more }
    }

    /// Items of the file itself; of very many those that [`Self::best`] may choose among.
    fn nearest(&mut self, mut items: Vec<ItemRef<'p>>) -> Vec<ItemRef<'p>> {
        if items.len() > MOST {
            self.many = true;
            items.retain(|i| fits(i.item.name.name.text(), &self.context.word));
            items.sort_by_key(|i| i.offset.abs_diff(self.byte));
            items.truncate(MOST);
        }
        items
    }

    fn add(
        &mut self,
        label: &str,
        kind: Kind,
        detail: impl Into<String>,
        rank: u8,
    ) -> &mut Completion {
        let span = self.context.span;
        self.out.push(Completion {
            label: label.to_owned(),
            kind,
            detail: detail.into(),
            docs: None,
            insert: label.to_owned(),
            snippet: false,
            span,
            edits: Vec::new(),
            rank,
        });
        let last = self.out.len() - 1;
        #[allow(clippy::indexing_slicing)] // just pushed
        &mut self.out[last]
    }

    /// Leaves some out of what is offered.
    fn leave_out(&mut self, mut which: impl FnMut(&Completion) -> bool) {
        // Positions stay as they are: more is said of them later.
        for one in &mut self.out {
            if which(one) {
                one.label.clear();
            }
        }
    }

    fn words(&mut self, words: &[&str], detail: &str, rank: u8) {
        for word in words {
            self.add(word, Kind::Word, detail, rank);
        }
    }

    fn run(&mut self) {
        let c = self.context.clone();
        if c.comment {
            return;
        }
        if let Some(text) = &c.text {
            if c.first() == "use" {
                self.files(text);
            }
            return;
        }
        if c.open.is_empty() && c.starts() {
            return self.items_of_files();
        }
        if c.first() == "use"
            || c.open.first().is_some_and(|o| o.head.first().is_some_and(|w| w == "use"))
        {
            return self.imports();
        }
        if c.open.is_empty() && c.statement.len() == 1 {
            return; // a name that is new
        }
        if c.joins {
            return self.denominators();
        }
        if c.after_number {
            return self.units();
        }
        if c.first() == "vary" && !c.has("in") {
            return self.inputs();
        }
        if let Some(path) = self.context.varied() {
            return self.tried(&path);
        }
        if !c.path.is_empty() {
            return self.below();
        }
        if self.after_word() || self.in_statement() {
            return;
        }
        if c.open.last().is_some_and(|o| o.bracket == '(') {
            return self.arguments();
        }
        if c.open.last().is_some_and(|o| o.bracket == '[') && self.is_block() && !c.has("=") {
            return self.axes();
        }
        if c.starts() {
            return self.statements();
        }
        if c.after_operand() {
            return self.continued(0);
        }
        let compared = matches!(c.first(), "expect" | "where" | "minimize" | "maximize");
        if compared || c.kind == Some(ItemKind::Metric) {
            return self.compared_with();
        }
        if c.has("=") {
            return self.value();
        }
        match c.first() {
            "output" => {
                self.tensors(0);
                self.ops();
            }
            "require" | "if" | "grad" => self.names(1),
            // `weights within Router = fp32`.
            _ if c.sections().first().is_some_and(|s| *s == "precision") => {
                self.words(&["within"], "only in some blocks", 0);
            }
            _ if self.is_block() => self.names(1),
            _ => {}
        }
    }

    /// What the word before the cursor asks for; whether it asks for anything.
    fn after_word(&mut self) -> bool {
        let c = self.context.clone();
        let top = c.open.is_empty();
        match (c.kind, c.last()) {
            (Some(ItemKind::Sweep), "of") if top => self.of_kind(ItemKind::Scenario, 0),
            (Some(ItemKind::Metric), "for") if top => {
                let [serve, others @ ..] = crate::lower::Workload::WORDS;
                self.words(&[serve], "a workload", 0);
                self.words(&others, "a workload", 1);
            }
            (Some(ItemKind::Fn), "->" | ":") | (_, ":") if top => self.types(),
            (_, "within") => self.scopes(),
            (_, ",") if c.has("within") => self.scopes(),
            (_, "dtype") => self.of_kind(ItemKind::Dtype, 0),
            (_, "via") => self.of_kind(ItemKind::Link, 0),
            (_, "on") => self.chips(),
            (_, "with" | "because" | "source") => {}
            _ => return false,
        }
        true
    }

    /// What the statement that the cursor stands in goes on with, by its first word; whether that
    /// word says it.
    fn in_statement(&mut self) -> bool {
        let c = self.context.clone();
        match c.first() {
            "shard" => self.shard(),
            "zero" => self.zero(),
            "overlap" if matches!(c.last(), "overlap" | ",") => {
                self.words(&crate::check::OVERLAP, "what is hidden behind computation", 0);
            }
            "overlap" => {}
            "mesh" => self.mesh_axes(),
            "fold" => {
                if c.last() != "fold" && c.has("=") && !c.after_operand() {
                    self.mesh();
                }
            }
            "level" | "memory" | "compute" | "chip" if self.section_or_level() => {}
            "weight" | "input" if c.last() == "]" => self.continued(0),
            "repeat" if c.statement.len() == 2 => self.words(&["in"], "then how many", 0),
            "repeat" if !c.has("in") => {}
            "repeat" if c.last() != "in" => self.words(&["carry", "from"], "", 0),
            _ => return false,
        }
        true
    }

    fn is_block(&self) -> bool {
        matches!(self.context.kind, Some(ItemKind::Block | ItemKind::Op))
    }

    /// In column 0: kinds of items, as snippets.
    fn items_of_files(&mut self) {
        for (keyword, detail, insert) in words::ITEMS {
            let new = self.add(keyword, Kind::Keyword, *detail, 0);
            new.insert = (*insert).to_owned();
            new.snippet = true;
        }
    }

    fn item(&mut self, item: ItemRef<'p>, rank: u8) {
        self.add(item.item.name.name.text(), Kind::Item(item.item.kind), "", rank);
        self.late.push((self.out.len() - 1, Late { item, import: None }));
    }

    /// The same, with the `use` that brings it in.
    fn imported(&mut self, item: ItemRef<'p>, rank: u8, path: String) {
        self.item(item, rank);
        if let Some((_, late)) = self.late.last_mut() {
            late.import = Some(path);
        }
    }

    fn kind(&self) -> Option<ItemKind> {
        let kind = self.context.kind?;
        Some(if kind == ItemKind::Measured { ItemKind::Scenario } else { kind })
    }

    /// The whole path of the setting that is being written.
    fn setting(&self) -> Option<Vec<Name>> {
        self.context.setting()
    }
}

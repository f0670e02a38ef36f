//! What every token is, for colours: by what it means where that is known, else by its looks.
//!
//! In: a view and a range. Out: [`Token`]s in order, none overlapping.

use rustc_hash::FxHashMap;

use super::mentions::{Local, What, mentions};
use super::resolve::View;
use crate::check::{BUILTINS, Checker};
use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::ItemKind;
use crate::syntax::token::{Kind as Raw, tokens as raw};

/// What a token is. The numbers are positions in the legend of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Kind {
    Keyword,
    Comment,
    Text,
    Number,
    Operator,
    Type,
    Function,
    Parameter,
    Variable,
    Property,
    Namespace,
    EnumMember,
    Class,
    Struct,
    Unit,
    Axis,
}

/// A token with what it is; `flags` are bits: declaration, constant, of the library, documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// More about it.
    pub flags: u32,
}

const DECLARES: u32 = 1;
const CONSTANT: u32 = 2;
const LIBRARY: u32 = 4;
const DOCUMENTS: u32 = 8;

/// Words that the language uses in some places.
const WORDS: [&str; 48] = [
    "input", "weight", "output", "require", "expect", "fuse", "repeat", "carry", "if", "then",
    "else", "mesh", "shard", "over", "within", "schedule", "zero", "overlap", "fold", "level",
    "via", "at", "backward", "grad", "vary", "where", "minimize", "maximize", "with", "in",
    "because", "source", "from", "density", "per", "on", "of", "for", "as", "and", "or", "not",
    "true", "false", "none", "across", "rest", "use",
];

/// The tokens of the pieces that a range touches.
#[must_use]
pub fn tokens(view: &View<'_>, range: Span) -> Vec<Token> {
    let cut = view.program.module(view.module).cut();
    let mut names =
        Names { checker: Checker::new(view.program), known: FxHashMap::default(), view };
    let first = cut.piece_at(range.start).unwrap_or(0);
    let last = cut.piece_at(range.end).map_or(0, |i| i + 1);
    let mut out = Vec::with_capacity((range.end - range.start) as usize / 5);
    for index in first..last {
        let Some(part) = cut.pieces.get(index) else { continue };
        piece(&mut names, index, part.piece.start, part.piece.text(view.text), &mut out);
    }
    out.retain(|t| t.span.end > range.start && t.span.start < range.end);
    out
}

fn piece(names: &mut Names<'_, '_>, index: usize, start: u32, text: &str, out: &mut Vec<Token>) {
    let view = names.view;
    let mut meant: FxHashMap<u32, (Kind, u32)> = FxHashMap::default();
    for item in view.program.items_of_piece(view.module, index) {
        let all = mentions(item.item);
        let mut locals: FxHashMap<Name, Kind> = FxHashMap::default();
        for mention in &all {
            match mention.what {
                What::Param => {
                    locals.insert(mention.name, Kind::Parameter);
                }
                What::Binds(local) => {
                    locals.entry(mention.name).or_insert(local_kind(local));
                }
                _ => {}
            }
        }
        for mention in &all {
            let kind = names.kind(mention.name, &mention.what, item.item.kind, &locals);
            if let Some(kind) = kind {
                meant.insert(mention.span.start, kind);
            }
        }
    }
    for token in raw(text) {
        let spelled = token.text(text);
        let kind = match token.kind {
            Raw::Line => continue,
            Raw::Comment => {
                let docs = spelled.starts_with("///") || spelled.starts_with("//!");
                (Kind::Comment, if docs { DOCUMENTS } else { 0 })
            }
            Raw::Text => (Kind::Text, 0),
            Raw::Number => (Kind::Number, 0),
            Raw::Unit => (Kind::Unit, 0),
            Raw::Symbol => {
                let operator = spelled
                    .starts_with(['+', '-', '*', '/', '<', '>', '=', '|', '&', '^', '%', '!']);
                if !operator {
                    continue;
                }
                (Kind::Operator, 0)
            }
            Raw::Word => match meant.get(&(token.start as u32)) {
                Some(kind) => *kind,
                None if is_keyword(spelled) => (Kind::Keyword, 0),
                None => (Kind::Variable, 0),
            },
        };
        let span = Span::new(token.start as u32, token.end as u32).shifted(start);
        out.push(Token { span, kind: kind.0, flags: kind.1 });
    }
}

pub(super) fn is_keyword(word: &str) -> bool {
    WORDS.contains(&word) || ItemKind::from_keyword(word).is_some()
}

fn local_kind(local: Local) -> Kind {
    match local {
        Local::Axis | Local::Mesh => Kind::Axis,
        Local::Level | Local::Chip => Kind::Property,
        Local::Kernel => Kind::Namespace,
        _ => Kind::Variable,
    }
}

struct Names<'a, 'p> {
    checker: Checker<'p>,
    /// What names of the module are.
    known: FxHashMap<Name, Option<(Kind, u32)>>,
    view: &'a View<'p>,
}

impl Names<'_, '_> {
    fn kind(
        &mut self,
        name: Name,
        what: &What,
        of: ItemKind,
        locals: &FxHashMap<Name, Kind>,
    ) -> Option<(Kind, u32)> {
        Some(match what {
            What::Item => (item_kind(of), DECLARES),
            What::Param => (Kind::Parameter, DECLARES),
            What::Binds(local) => (local_kind(*local), DECLARES),
            What::Value | What::Callee => match locals.get(&name) {
                Some(kind) => (*kind, 0),
                None => match self.module(name) {
                    Some(kind) => kind,
                    None if BUILTINS.contains(&name.text()) => (Kind::Function, LIBRARY),
                    None if *what == What::Value => (Kind::EnumMember, 0),
                    None => (Kind::Function, 0),
                },
            },
            What::Axis | What::Sharded => (Kind::Axis, 0),
            What::Mesh => (Kind::Axis, CONSTANT),
            What::Field(_) | What::Setting(..) => (Kind::Property, 0),
            What::Argument(..) => (Kind::Parameter, 0),
            What::Type => (Kind::Type, 0),
            What::Unit => (Kind::Unit, 0),
            What::Scope => self.module(name).unwrap_or((Kind::Namespace, 0)),
            What::Role => (Kind::EnumMember, 0),
            What::Module(_) => (Kind::Namespace, 0),
            What::Import | What::Alias => self.module(name).unwrap_or((Kind::Namespace, 0)),
            What::Of => self.module(name).unwrap_or((Kind::Keyword, 0)),
        })
    }

    fn module(&mut self, name: Name) -> Option<(Kind, u32)> {
        if let Some(known) = self.known.get(&name) {
            return *known;
        }
        let found = super::resolve::named(&mut self.checker, self.view.module, name).map(|item| {
            let library = self.view.program.module(item.module).std_path.is_some();
            (item_kind(item.item.kind), if library { LIBRARY } else { 0 })
        });
        self.known.insert(name, found);
        found
    }
}

fn item_kind(kind: ItemKind) -> Kind {
    match kind {
        ItemKind::Fn | ItemKind::Op => Kind::Function,
        ItemKind::Const | ItemKind::Assume | ItemKind::Metric => Kind::Variable,
        ItemKind::Block | ItemKind::Model => Kind::Class,
        ItemKind::Dtype | ItemKind::Dimension => Kind::Type,
        ItemKind::Unit => Kind::Unit,
        ItemKind::Axis => Kind::Axis,
        ItemKind::Use => Kind::Namespace,
        _ => Kind::Struct,
    }
}

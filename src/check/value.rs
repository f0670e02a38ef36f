//! What an expression of the language evaluates to, and where names are looked up.

use std::cell::RefCell;
use std::rc::Rc;

use super::object::Object;
use super::program::{ItemRef, ModuleId};
use crate::arena::Ordered;
use crate::diagnostic::Diagnostic;
use crate::expr::{ExprId, OriginKind};
use crate::ir::{AxisId, TensorId};
use crate::name::Name;
use crate::source::{FileId, Place, Span};
use crate::syntax::ast::ItemKind;

/// A value of the language. Scalars are nodes of the expression graph.
#[derive(Clone)]
pub enum Value<'p> {
    /// Something already reported; absorbs whatever is done with it.
    Error,
    /// `none`.
    None,
    /// A quantity.
    Num(ExprId),
    /// A condition whose truth depends on numbers.
    Bool(ExprId),
    /// A condition decided while lowering.
    Truth(bool),
    /// A text.
    Text(Rc<str>),
    /// A bare word where a word is meant: `switch`, `selective`.
    Word(Name),
    /// A tensor of the block being built.
    Tensor(TensorId),
    /// A name that the arms of an `if` bind to tensors of different axes: what is said when it is
    /// read.
    Parted(Rc<Diagnostic>),
    /// An axis.
    Axis(AxisId),
    /// A set of axes.
    Axes(Rc<[AxisId]>),
    /// A chip, link, system, plan, model, section … with fields.
    Object(Rc<Object<'p>>),
    /// Fields made by the compiler for the library's formulas (a group of devices …).
    Record(Rc<Record<'p>>),
    /// `[a, b]`.
    List(Rc<[Value<'p>]>),
    /// `a .. b`.
    Range(ExprId, ExprId),
    /// `a -> b`.
    Arrow(Rc<(Value<'p>, Name)>),
    /// `scale = fp16 per 128`.
    Per(Rc<(Value<'p>, ExprId)>),
    /// `Tp(tp: 4) on spark`.
    On(Rc<(Value<'p>, Name)>),
    /// A name of an item that is used by calling it: a fn, an op, a block.
    Item(ItemRef<'p>),
    /// A module or folder of the library: `use std.chips as chips`.
    Module(Rc<str>),
    /// Part of the tree of results: `decode` in `decode.mid.time`.
    Results(Rc<str>),
    /// An object of this kind (or a section of one) of which nothing else is known.
    Unknown(ItemKind, Rc<[Name]>),
}

/// Fields made by the compiler.
pub struct Record<'p> {
    /// What it is, for messages.
    pub what: &'static str,
    /// Its fields.
    pub fields: Ordered<Name, Value<'p>>,
}

impl Value<'_> {
    /// The item that this is, for things that have a name.
    #[must_use]
    pub fn declaration(&self) -> Option<ItemRef<'_>> {
        match self {
            Self::Object(object) if object.owner.is_none() => object.item,
            Self::Item(item) => Some(*item),
            _ => None,
        }
    }
    /// What kind of thing this is, with its article, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Error => "an error".into(),
            Self::None => "`none`".into(),
            Self::Num(_) => "a number".into(),
            Self::Bool(_) | Self::Truth(_) => "a condition".into(),
            Self::Text(_) => "a text".into(),
            Self::Word(w) => format!("the word `{w}`"),
            Self::Tensor(_) | Self::Parted(_) => "a tensor".into(),
            Self::Axis(_) => "an axis".into(),
            Self::Axes(_) => "a set of axes".into(),
            Self::Object(o) => o.describe(),
            Self::Record(r) => format!("a {}", r.what),
            Self::List(_) => "a list".into(),
            Self::Range(..) => "a range".into(),
            Self::Arrow(_) => "a renaming".into(),
            Self::Per(_) => "a `per`".into(),
            Self::On(_) => "an `on`".into(),
            Self::Item(item) => with_article(item.item.kind),
            Self::Module(_) => "a module".into(),
            Self::Results(_) => "a group of results".into(),
            Self::Unknown(kind, path) if path.is_empty() => with_article(*kind),
            Self::Unknown(kind, path) => {
                let path: Vec<_> = path.iter().map(|n| n.text()).collect();
                format!("the section `{}` of {}", path.join("."), with_article(*kind))
            }
        }
    }
}

/// `a chip`, `an op`.
#[must_use]
pub fn with_article(kind: ItemKind) -> String {
    let word = kind.keyword();
    let article = if word.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {word}")
}

/// Where a piece of syntax stands: which file, and where its item starts in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Site {
    /// The module whose names are in scope.
    pub module: ModuleId,
    /// The file.
    pub file: FileId,
    /// Added to spans.
    pub offset: u32,
    /// What constants written here are.
    pub kind: OriginKind,
}

impl Site {
    /// The absolute place of a span.
    #[must_use]
    pub fn place(self, span: Span) -> Place {
        Place { file: self.file, span: span.shifted(self.offset) }
    }
}

/// A chain of scopes. Cheap to clone.
#[derive(Clone)]
pub struct Env<'p>(Rc<EnvNode<'p>>);

struct EnvNode<'p> {
    scope: Scope<'p>,
    parent: Option<Env<'p>>,
    site: Site,
}

/// One scope of an [`Env`].
pub enum Scope<'p> {
    /// The items and imports of a module, then the prelude.
    Module,
    /// Local names; later bindings shadow earlier ones.
    Names(RefCell<Vec<(Name, Value<'p>)>>),
    /// The fields of an object, seen from the setting at `path` in it (which does not see itself).
    Fields {
        /// The object.
        object: Rc<Object<'p>>,
        /// The path of the setting being evaluated.
        path: Rc<[Name]>,
    },
    /// The results of the scenario being evaluated.
    Results,
}

impl<'p> Env<'p> {
    /// The scope of a module, for text at `site`.
    #[must_use]
    pub fn module(site: Site) -> Self {
        Self(Rc::new(EnvNode { scope: Scope::Module, parent: None, site }))
    }
    /// Whether two are one scope.
    #[must_use]
    pub fn same(a: &Self, b: &Self) -> bool {
        Rc::ptr_eq(&a.0, &b.0)
    }
    /// A scope inside this one, for text at the same site.
    #[must_use]
    pub fn inner(&self, scope: Scope<'p>) -> Self {
        let site = self.site();
        Self(Rc::new(EnvNode { scope, parent: Some(self.clone()), site }))
    }
    /// A scope of local names inside this one.
    #[must_use]
    pub fn names(&self) -> Self {
        self.inner(Scope::Names(RefCell::default()))
    }
    /// Where text evaluated here stands.
    #[must_use]
    pub fn site(&self) -> Site {
        self.0.site
    }
    /// The innermost scope.
    #[must_use]
    pub fn scope(&self) -> &Scope<'p> {
        &self.0.scope
    }
    /// The scope around it.
    #[must_use]
    pub fn parent(&self) -> Option<&Env<'p>> {
        self.0.parent.as_ref()
    }
    /// Binds a local name in the innermost scope of names.
    pub fn bind(&self, name: Name, value: Value<'p>) {
        if let Scope::Names(names) = self.scope() {
            let mut names = names.borrow_mut();
            match names.iter_mut().find(|(n, _)| *n == name) {
                Some(slot) => slot.1 = value,
                None => names.push((name, value)),
            }
        } else if let Some(parent) = self.parent() {
            parent.bind(name, value);
        }
    }
    /// Replaces a local name in the scope that binds it.
    pub fn rebind(&self, name: Name, value: Value<'p>) {
        let mut env = Some(self);
        while let Some(e) = env {
            if let Scope::Names(names) = e.scope()
                && let Some(slot) = names.borrow_mut().iter_mut().find(|(n, _)| *n == name)
            {
                slot.1 = value;
                return;
            }
            env = e.parent();
        }
        self.bind(name, value);
    }
    /// A local name, in this or an outer scope of names of the same item.
    #[must_use]
    pub fn local(&self, name: Name) -> Option<Value<'p>> {
        let mut env = Some(self);
        while let Some(e) = env {
            if let Some(value) = e.own(name) {
                return Some(value);
            }
            env = e.parent();
        }
        None
    }
    /// A name bound in the innermost scope itself.
    #[must_use]
    pub fn own(&self, name: Name) -> Option<Value<'p>> {
        let Scope::Names(names) = self.scope() else { return None };
        names.borrow().iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone())
    }
    /// The names bound in the innermost scope itself.
    #[must_use]
    pub fn own_names(&self) -> Vec<Name> {
        let Scope::Names(names) = self.scope() else { return Vec::new() };
        names.borrow().iter().map(|(n, _)| *n).collect()
    }
    /// All local names, innermost first.
    #[must_use]
    pub fn local_names(&self) -> Vec<Name> {
        let mut out = Vec::new();
        let mut env = Some(self);
        while let Some(e) = env {
            if let Scope::Names(names) = e.scope() {
                out.extend(names.borrow().iter().map(|(n, _)| *n));
            }
            env = e.parent();
        }
        out.sort_by_key(|n| n.text());
        out.dedup();
        out
    }
}

//! Items to objects: parameters bound, bases followed.

use std::cell::RefCell;
use std::rc::Rc;

use super::object::{Object, Slot, Statement, is_optional};
use super::program::ItemRef;
use super::value::{Env, Site, Value, with_article};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::OriginKind;
use crate::syntax::ast::{ItemKind, StmtKind};

impl<'p> Checker<'p> {
    /// The object that an item stands for, with arguments for its parameters.
    pub fn instantiate(&mut self, item: ItemRef<'p>, slots: Option<Vec<Slot<'p>>>) -> Value<'p> {
        let module = self.item_env(item);
        let slots = match slots {
            Some(slots) => slots,
            None => self.default_slots(item, &module),
        };
        let mut object = match &item.item.value {
            Some(value) => {
                let env = module.names();
                for slot in &slots {
                    let shell = Rc::new(Object {
                        slots: slots.clone(),
                        ..Object::empty(item.item.kind, item.item.name.name, Some(item))
                    });
                    let v = self.slot_value(&shell, slot);
                    env.bind(slot.param.name.name, v);
                }
                let base = match self.eval(value, &env) {
                    Value::Object(base) => base,
                    Value::Error => return Value::Error,
                    other => {
                        let wanted = with_article(item.item.kind);
                        self.report(Diagnostic::new(
                            codes::WRONG_KIND,
                            format!("{} cannot be {}", item.item.name.name, other.describe()),
                            item.place(value.span),
                            format!("{wanted} is wanted here"),
                        ));
                        return Value::Error;
                    }
                };
                let same = base.kind == item.item.kind
                    || (item.item.kind == ItemKind::Measured && base.kind == ItemKind::Scenario);
                if !same {
                    let wanted = with_article(item.item.kind);
                    self.report(Diagnostic::new(
                        codes::WRONG_KIND,
                        format!("`{}` is {}, not {wanted}", base.name, base.describe()),
                        item.place(value.span),
                        format!("{wanted} is wanted here"),
                    ));
                    return Value::Error;
                }
                let mut object = Object::clone(&base);
                object.memo = RefCell::default();
                if item.item.kind == ItemKind::Model {
                    let keep = |s: &Statement<'p>| !matches!(s.stmt.kind, StmtKind::Expect { .. });
                    object.stmts.retain(keep);
                }
                object
            }
            None => {
                let mut object = Object::empty(item.item.kind, item.item.name.name, Some(item));
                object.slots = slots;
                object
            }
        };
        object.kind = item.item.kind;
        object.name = item.item.name.name;
        object.item = Some(item);
        match &item.item.body {
            // The body of a measurement holds results, not inputs.
            Some(body) if item.item.kind == ItemKind::Measured => {
                let mut figures = Object::empty(item.item.kind, item.item.name.name, Some(item));
                figures.extend(body, &module, false);
                object.measurements = figures.entries;
            }
            Some(body) => object.extend(body, &module, false),
            None => {}
        }
        Value::Object(Rc::new(object))
    }

    pub(super) fn default_slots(&mut self, item: ItemRef<'p>, env: &Env<'p>) -> Vec<Slot<'p>> {
        let params = item.item.params.as_deref().unwrap_or_default();
        for param in params.iter().filter(|p| p.default.is_none() && !is_optional(p)) {
            self.report(
                Diagnostic::new(
                    codes::MISSING_ARGUMENT,
                    format!("`{}` needs a value for `{}`", item.item.name.name, param.name.name),
                    item.place(param.span),
                    "this parameter has no default",
                )
                .note(format!(
                    "call it with an argument: `{}({}: …)`",
                    item.item.name.name, param.name.name
                )),
            );
        }
        let slot = |param| Slot { param, site: env.clone(), given: None, open: false };
        params.iter().map(slot).collect()
    }

    /// The scope in which an item's own text is evaluated.
    pub fn item_env(&self, item: ItemRef<'p>) -> Env<'p> {
        let key = std::ptr::from_ref(item.item) as usize;
        self.envs.borrow_mut().entry(key).or_insert_with(|| self.new_env(item)).clone()
    }
    fn new_env(&self, item: ItemRef<'p>) -> Env<'p> {
        let kind = match (self.program.module(item.module).std_path, item.item.kind) {
            (_, ItemKind::Assume) => OriginKind::Assumption,
            (_, ItemKind::Chip | ItemKind::Link | ItemKind::System) => OriginKind::Datasheet,
            (Some(_), ItemKind::Runtime) => OriginKind::Assumption,
            _ => OriginKind::Literal,
        };
        let site = Site { module: item.module, file: item.file, offset: item.offset, kind };
        Env::module(site)
    }
}

//! Number formats: which dtype a tensor has.
//!
//! The scenario's scoped rule, else its rule for the role, else what the model states, else bf16.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::adapters::AdapterRule;
use super::object::Object;
use super::value::Value;
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::graph::op_matches;
use crate::ir::model::Instance;
use crate::ir::{Dtype, Role, Sharing, TensorId};
use crate::name::Name;
use crate::source::Place;

/// A rule for a role within blocks or instances, with where it is said.
pub type ScopedRule = (Role, Vec<Vec<Name>>, Rc<Dtype>, Place);

/// A format within some blocks, or where these weights take part.
type FormatRule = (Vec<Vec<Name>>, Rc<Dtype>);

/// A format in general, and those of some blocks, calls and kernels; later ones win.
#[derive(Clone, Default)]
pub struct FormatRules {
    /// The format where no rule holds.
    pub general: Option<Rc<Dtype>>,
    /// Rules `within`.
    pub scoped: Vec<FormatRule>,
}

impl FormatRules {
    /// The format that a rule states for an op with such names of its own.
    #[must_use]
    pub fn scoped(&self, scope: &Instance, own: &[Name]) -> Option<&Rc<Dtype>> {
        let holds = |within: &[Vec<Name>]| within.iter().any(|w| op_matches(scope, w, false, own));
        self.scoped.iter().rev().find(|(within, _)| holds(within)).map(|(_, dtype)| dtype)
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.general.is_none() && self.scoped.is_empty()
    }
}

/// The rules of a scenario.
#[derive(Clone, Default)]
pub struct Precision<'p> {
    /// By role, with where it is said.
    pub roles: FxHashMap<Role, (Rc<Dtype>, Place)>,
    /// By role within blocks or instances; later ones win.
    pub scoped: Vec<ScopedRule>,
    /// What the model states by role.
    pub model: FxHashMap<Role, Rc<Dtype>>,
    /// What the model states by role within blocks or instances; later ones win.
    pub model_scoped: Vec<ScopedRule>,
    /// The formats to compute in, where the scenario or the model says some.
    pub compute: Computing,
    /// The format in which training keeps activations for the backward pass, where it says so.
    pub saved: FormatRules,
    /// Blocks beside the matrices of the model.
    pub adapters: Vec<AdapterRule<'p>>,
    /// bf16.
    pub default: Option<Rc<Dtype>>,
    /// fp32: what an optimizer keeps.
    pub wide: Option<Rc<Dtype>>,
}

/// What products are computed in, where that is not what their operands are kept in.
#[derive(Clone, Default)]
pub struct Computing {
    /// What a scenario asks for: nothing else will do.
    pub scenario: FormatRules,
    /// What the model was made for: another format will do where a chip has none of it.
    pub model: FormatRules,
}

impl Computing {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scenario.is_empty() && self.model.is_empty()
    }
}

impl Precision<'_> {
    pub(super) fn default_dtype(&self) -> Option<Rc<Dtype>> {
        self.role(Role::Activations)
    }
    /// The format of a role, without scoped rules.
    pub(crate) fn role(&self, role: Role) -> Option<Rc<Dtype>> {
        if let Some((dtype, _)) = self.roles.get(&role) {
            return Some(dtype.clone());
        }
        if let Some(dtype) = self.model.get(&role) {
            return Some(dtype.clone());
        }
        match role {
            // What is kept is kept as it was computed.
            Role::Cache | Role::State => self.role(Role::Activations),
            Role::Optimizer => self.wide.clone(),
            _ => self.default.clone(),
        }
    }
}

impl<'p> Checker<'p> {
    /// The rules of a scenario (or none), over what a model states.
    pub fn precision_of(
        &mut self,
        scenario: Option<&Rc<Object<'p>>>,
        model: &Rc<Object<'p>>,
    ) -> Precision<'p> {
        let (default, wide) = (self.dtype_named("bf16"), self.dtype_named("fp32"));
        let mut precision = Precision { default, wide, ..Precision::default() };
        for role in Role::ALL {
            if let Some(dtype) = self.dtype_field(model, role.word()) {
                precision.model.insert(role, dtype);
            }
        }
        precision.model_scoped = self.scoped_rules(model, "precision");
        precision.compute.model = self.format_rules(model, "compute");
        precision.adapters = self.adapter_rules(model);
        let Some(scenario) = scenario else { return precision };
        let own = self.adapter_rules(scenario);
        precision.adapters.extend(own);
        for role in Role::ALL {
            if let Some(dtype) = self.dtype_field(scenario, role.word()) {
                let path = [Name::new("precision"), Name::new(role.word())];
                let place = scenario.place_of(&path).unwrap_or(dtype.place);
                if let (Some(stated), Some(stated_at)) =
                    (precision.model.get(&role), model.place_of(&path))
                    && stated.name != dtype.name
                {
                    let what = format!("`{}` of {}", role.word(), model.name);
                    let names = (stated.name, dtype.name);
                    self.report_overridden(&what, names, (place, stated_at));
                }
                precision.roles.insert(role, (dtype, place));
            }
        }
        precision.compute.scenario = self.format_rules(scenario, "compute");
        precision.saved = self.format_rules(scenario, "saved");
        precision.scoped = self.scoped_rules(scenario, "precision");
        precision
    }

    /// `compute = …` and `compute within … = …` of a scenario or model; `saved` likewise.
    fn format_rules(&mut self, object: &Rc<Object<'p>>, word: &str) -> FormatRules {
        let general = self.dtype_field(object, word);
        let rules = self.dtypes_within(object, "precision").into_iter();
        let scoped = rules.filter(|(said, ..)| said.is_some_and(|w| w == word));
        FormatRules { general, scoped: scoped.map(|(_, rule, _)| rule).collect() }
    }

    /// The rules `weights within … = …` in the section of a scenario or a model; without roles,
    /// `format within … = …` of a number format.
    fn scoped_rules(&mut self, object: &Rc<Object<'p>>, section: &str) -> Vec<ScopedRule> {
        let rules = self.dtypes_within(object, section).into_iter();
        // Another word is reported where the names of settings are checked.
        let role = |word: Option<Name>| match word {
            None => Some(Role::Weights),
            Some(word) => Role::ALL.into_iter().find(|r| word == r.word()),
        };
        let rules = rules
            .filter_map(|(word, (within, dtype), place)| Some((role(word)?, within, dtype, place)));
        rules.collect()
    }

    /// Formats in a section that hold within some blocks only, with the word before `within`.
    fn dtypes_within(
        &mut self,
        object: &Rc<Object<'p>>,
        section: &str,
    ) -> Vec<(Option<Name>, FormatRule, Place)> {
        let scoped = object.entries.iter();
        let scoped = scoped
            .filter(|e| !e.within.is_empty() && e.path.first().is_some_and(|n| *n == section));
        let mut rules = Vec::new();
        for entry in scoped.cloned().collect::<Vec<_>>() {
            let Some(expr) = entry.value else { continue };
            let place = entry.outer.site().place(expr.span);
            let value = self.eval(expr, &entry.outer);
            let value = self.expect_type(value, super::types::Ty::Dtype, place, "`precision`");
            if let Value::Object(o) = value
                && let Some(dtype) = self.dtype(&o)
            {
                let within =
                    entry.within.iter().map(|p| p.iter().map(|i| i.name).collect()).collect();
                rules.push((entry.path.get(1).copied(), (within, dtype), entry.place));
            }
        }
        rules
    }

    fn dtype_field(&mut self, object: &Rc<Object<'p>>, role: &str) -> Option<Rc<Dtype>> {
        match self.field_path(object, &["precision", role])? {
            Value::Object(o) => self.dtype(&o),
            _ => None,
        }
    }

    /// The dtype of the library called `name`.
    pub fn dtype_named(&mut self, name: &str) -> Option<Rc<Dtype>> {
        let item = self.program.prelude_item(Name::new(name))?;
        match self.object_item(item) {
            Value::Object(o) => self.dtype(&o),
            _ => None,
        }
    }

    /// A dtype object as the model's data: bytes per element with scales and zeros.
    pub fn dtype(&mut self, object: &Rc<Object<'p>>) -> Option<Rc<Dtype>> {
        let key = Rc::as_ptr(object) as usize;
        if let Some((_, dtype)) = self.dtypes.get(&key) {
            return Some(dtype.clone());
        }
        let place = object.item.map(|i| i.name_place())?;
        let Some(Value::Num(bits)) = self.field(object, Name::new("bits")) else {
            self.report(Diagnostic::new(
                codes::MISSING_FIELD,
                format!("dtype `{}` has no `bits`", object.name),
                place,
                "write `bits = …` into its body",
            ));
            return None;
        };
        let block = self.block_of(object);
        let mut shared = Vec::new();
        let mut args = vec![("bits", Value::Num(bits))];
        for (field, bits_name, per_name) in [
            ("scale", "scale_bits", "scale_per"),
            ("zero", "zero_bits", "zero_per"),
            ("super", "super_bits", "super_per"),
        ] {
            if let Some(Value::Per(per)) = self.field(object, Name::new(field))
                && let Value::Object(format) = &per.0
                && let Some(Value::Num(bits)) = self.field(&format.clone(), Name::new("bits"))
            {
                let block = if field == "super" { None } else { block };
                let (bits_of, per_of) = (self.graph.value(bits), self.graph.value(per.1));
                shared.push(Sharing { what: field, bits: bits_of, per: per_of, block });
                args.push((bits_name, Value::Num(bits)));
                args.push((per_name, Value::Num(per.1)));
            }
        }
        for field in ["density", "index"] {
            if let Some(Value::Num(number)) = self.field(object, Name::new(field)) {
                args.push((field, Value::Num(number)));
            }
        }
        let width = self.library_number("bytes_per_element", &args)?;
        let bits = self.graph.value(bits);
        let parts = self.scoped_rules(object, "format");
        let parts = parts.into_iter().map(|(_, within, dtype, _)| (within, dtype)).collect();
        let dtype = Rc::new(Dtype { name: object.name, width, bits, shared, parts, place });
        self.dtypes.insert(key, (object.clone(), dtype.clone()));
        Some(dtype)
    }

    /// `block = [128, 128]`: the rows and columns that a scale is for.
    fn block_of(&mut self, object: &Rc<Object<'p>>) -> Option<[f64; 2]> {
        let Some(Value::List(sides)) = self.field(object, Name::new("block")) else { return None };
        match &*sides {
            [Value::Num(rows), Value::Num(columns)] => {
                Some([self.graph.value(*rows), self.graph.value(*columns)])
            }
            _ => None,
        }
    }

    /// The dtype of a weight, which may state one itself.
    pub(super) fn weight_dtype(
        &mut self,
        stated: Option<(Rc<Object<'p>>, Place)>,
        name: Name,
    ) -> Option<Rc<Dtype>> {
        let dtype = self.whole_weight_dtype(stated, name)?;
        // A mix says for some weights what they have instead.
        let scope = &self.builder.here.scope;
        let mut parts = dtype.parts.iter().rev();
        let part = parts
            .find(|(within, _)| within.iter().any(|w| super::scope_matches(scope, w, Some(name))));
        Some(part.map_or(dtype.clone(), |(_, part)| part.clone()))
    }

    fn whole_weight_dtype(
        &mut self,
        stated: Option<(Rc<Object<'p>>, Place)>,
        name: Name,
    ) -> Option<Rc<Dtype>> {
        if let Some((dtype, _)) = self.scoped_dtype(Role::Weights, Some(name)) {
            return Some(dtype);
        }
        let said = self.builder.precision.roles.get(&Role::Weights).cloned();
        match (stated, said) {
            (Some((object, stated_at)), Some((dtype, said_at))) => {
                if object.name != dtype.name {
                    let names = (object.name, dtype.name);
                    self.report_overridden(&format!("`{name}`"), names, (said_at, stated_at));
                }
                Some(dtype)
            }
            (Some((object, _)), None) => self.dtype(&object),
            (None, Some((dtype, _))) => Some(dtype),
            (None, None) => self.stated_dtype(Role::Weights, Some(name)),
        }
    }

    /// A scenario says another format than the model: known once for each pair of places.
    fn report_overridden(
        &mut self,
        what: &str,
        (stated, said): (Name, Name),
        (said_at, stated_at): (Place, Place),
    ) {
        let known = self.diagnostics.iter().any(|d| {
            d.code == codes::DTYPE_OVERRIDDEN
                && d.place() == Some(said_at)
                && d.labels.iter().any(|l| l.place == stated_at)
        });
        if known {
            return;
        }
        self.report(
            Diagnostic::new(
                codes::DTYPE_OVERRIDDEN,
                format!("{what} is stated as {stated}, and the scenario makes it {said}"),
                said_at,
                "this rule wins",
            )
            .and(stated_at, format!("the model says {stated}")),
        );
    }

    /// The dtype of what an op makes.
    pub(super) fn result_dtype(
        &mut self,
        role: Role,
        _operand: Option<TensorId>,
    ) -> Option<Rc<Dtype>> {
        if let Some((dtype, _)) = self.scoped_dtype(role, None) {
            return Some(dtype);
        }
        self.stated_dtype(role, None)
    }

    /// The format of a role where neither a scoped rule of the scenario nor the tensor itself
    /// says one: the scenario's for the role, else the model's for this place, else the model's.
    fn stated_dtype(&self, role: Role, name: Option<Name>) -> Option<Rc<Dtype>> {
        let precision = &self.builder.precision;
        if !precision.roles.contains_key(&role)
            && let Some((dtype, _)) = self.rule_for(&precision.model_scoped, role, name)
        {
            return Some(dtype);
        }
        precision.role(role)
    }

    fn scoped_dtype(&self, role: Role, name: Option<Name>) -> Option<(Rc<Dtype>, Place)> {
        self.rule_for(&self.builder.precision.scoped, role, name)
    }

    /// The last of the rules that holds where the builder stands.
    fn rule_for(
        &self,
        rules: &[ScopedRule],
        role: Role,
        name: Option<Name>,
    ) -> Option<(Rc<Dtype>, Place)> {
        let scope = &self.builder.here.scope;
        let mut rules = rules.iter().rev().filter(|(r, within, ..)| {
            *r == role && within.iter().any(|w| super::scope_matches(scope, w, name))
        });
        rules.next().map(|(_, _, dtype, place)| (dtype.clone(), *place))
    }
}

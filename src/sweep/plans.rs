//! All plans of a scenario on its machine: the library's layouts and the scenario's own, each with
//! every degree that the machine can have.
//!
//! In: a file's text and a scenario of it. Out: for each layout a sweep over its degrees, written
//! as a person would, and what came of it. What is tried is the library's `plans`, so that another
//! layout is another plan there.

use crate::check::{Checker, ModuleId, Object, Program, Value};
use crate::evaluation::{Change, ChangeKind, Changes, evaluate_one};
use crate::name::Name;
use crate::syntax::ast::{ItemKind, StmtKind};

/// One layout to try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The plan's name.
    pub name: String,
    /// Where the library has it; nothing for the scenario's own.
    pub library: Option<String>,
    /// Items that try it: to be added to the file.
    pub text: String,
    /// The sweep among them.
    pub sweep: String,
}

/// What is tried for a scenario.
#[derive(Clone, PartialEq, Debug)]
pub struct Layouts {
    /// The layouts.
    pub list: Vec<Layout>,
    /// Devices of the machine.
    pub devices: f64,
    /// What a chip costs in a second, in dollars, if that is known.
    pub price: Option<f64>,
    /// What a chip draws at most, in watts, if that is known.
    pub power: Option<f64>,
    /// The parameter that says how many of its parts the machine has: `nodes`, `gpus`.
    pub size: Option<String>,
    /// The model.
    pub model: String,
    /// The machine.
    pub system: String,
    /// What is wanted, as written.
    pub goal: String,
    /// Whether the more, the better.
    pub maximize: bool,
    /// What the scenario expects, as written.
    pub expectations: Vec<String>,
    /// Results that tell two plans apart, and how often each counts.
    pub parts: Vec<(String, f64)>,
    /// Whether the scenario leaves its plan open.
    pub open: bool,
    /// What holds for all of them.
    pub base: Vec<Change>,
}

/// Where time goes, by workload; the names are those of results.
const SERVING: [&str; 10] = [
    "prefill.compute_time",
    "prefill.memory_time",
    "prefill.communication.exposed",
    "prefill.offload.exposed",
    "prefill.overhead",
    "decode.mid.compute_time",
    "decode.mid.memory_time",
    "decode.mid.communication.exposed",
    "decode.mid.offload.exposed",
    "decode.mid.overhead",
];
const TRAINING: [&str; 7] = [
    "step.forward",
    "step.backward",
    "step.recompute",
    "step.communication.exposed",
    "step.offload.exposed",
    "step.bubble",
    "step.optimizer",
];

/// What is asked of the layouts of a scenario.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Another machine.
    pub system: Option<&'a str>,
    /// What is wanted, and whether the more, the better.
    pub goal: Option<(&'a str, bool)>,
    /// What is changed in the scenario.
    pub changes: &'a [Change],
}

/// The layouts of a scenario: where it leaves degrees of its plan open, that plan with these, else
/// all. Nothing where the scenario has no model or machine (what is wrong with it, `mesa check`
/// says).
#[must_use]
pub fn layouts(program: &Program, scenario: &str, wanted: Wanted<'_>) -> Option<Layouts> {
    let module = *program.roots.first()?;
    let Wanted { system, goal, changes } = wanted;
    let base = base(program, module, scenario, changes);
    let change = system.map(|value| Change {
        kind: ChangeKind::Override,
        path: "system".to_owned(),
        value: value.to_owned(),
    });
    let base: Vec<Change> = base.into_iter().chain(change).collect();
    let mut changed = program.clone();
    let changes = Changes::add(&mut changed, base.clone());
    let program = &changed;
    let mut evaluation = evaluate_one(program, module, Name::new(scenario), &changes);
    let object = evaluation.scenarios.first()?.object.clone()?;
    let open = evaluation.checker.open_plan(&object);
    let trains = object.has(&[Name::new("train")]);
    let checker = &mut evaluation.checker;
    let Some(Value::Object(machine)) = checker.field_path(&object, &["system"]) else {
        return None;
    };
    let machine = checker.machine(&machine)?;
    let devices = checker.graph.value(machine.devices);
    let system_name = machine.object.name.to_string();
    let size = machine.object.slots.first().map(|s| s.param.name.name.to_string());
    let chip = machine.chip.clone();
    let mut figure = |path: &[&str]| match checker.field_path(&chip, path) {
        Some(Value::Num(id)) => Some(checker.graph.value(id)),
        _ => None,
    };
    let (price, power) = (figure(&["price"]), figure(&["power", "tdp"]));
    let Some(Value::Object(model)) = checker.field_path(&object, &["model"]) else { return None };
    let axes = axes(checker, &model);
    let model = model.name.to_string();
    let batch = match checker.field_path(&object, &["train", "batch"]) {
        Some(Value::Num(id)) => checker.graph.value(id),
        _ => 1.0,
    };
    let mut expectations = Vec::new();
    for statement in &object.stmts {
        if let StmtKind::Expect { cond, .. } = &statement.stmt.kind {
            let place = statement.outer.site().place(cond.span);
            expectations.push(program.sources.text(place).to_owned());
        }
    }
    // A decoding step is taken for every token after the first.
    let steps = match checker.field_path(&object, &["serve", "output"]) {
        Some(Value::Num(id)) => (checker.graph.value(id) - 1.0).max(1.0),
        _ => 1.0,
    };
    let times = |part: &str| if part.starts_with("decode") { steps } else { 1.0 };
    let parts: &[&str] = if trains { &TRAINING } else { &SERVING };
    let default = if trains { ("step.time", false) } else { ("latency", false) };
    let (goal, maximize) = goal.unwrap_or(default);
    let mut found = Layouts {
        list: Vec::new(),
        devices,
        price,
        power,
        size,
        model,
        system: system.map_or(system_name, str::to_owned),
        goal: goal.to_owned(),
        maximize,
        expectations,
        parts: parts.iter().map(|p| ((*p).to_owned(), times(p))).collect(),
        open: open.is_some(),
        base,
    };
    let setting = Setting { scenario, trains, devices, batch };
    let degrees: Vec<String> = open.iter().flatten().map(Name::to_string).collect();
    found.own(checker, &object, &degrees, &setting);
    if !degrees.is_empty() {
        return Some(found);
    }
    // Models all of whose layers keep a state have heads or channels, and not both.
    let has = |name: &str| axes.is_empty() || axes.iter().any(|a| *a == name);
    let (path, only) = match (trains, has("heads"), has("ffn")) {
        (true, ..) => ("plans/training", None),
        (_, true, false) => ("plans/states", Some("Heads")),
        (_, false, true) => ("plans/states", Some("Channels")),
        _ => ("plans/serving", None),
    };
    let library = program.std_module(path)?;
    let plans = program.items_of_kind(library, ItemKind::Plan).into_iter();
    for item in plans.filter(|i| only.is_none_or(|only| i.item.name.name == *only)) {
        let params = item.item.params.iter().flatten();
        let params: Vec<String> = params.map(|p| p.name.name.to_string()).collect();
        found.add(&item.item.name.name.to_string(), Some(path), &params, &setting);
    }
    Some(found)
}

/// The names of the axes of a model; none where it cannot be built.
fn axes<'p>(checker: &mut Checker<'p>, model: &std::rc::Rc<Object<'p>>) -> Vec<Name> {
    let precision = checker.precision_of(None, model);
    let built = checker.build_model(model, precision);
    let mut names = Vec::new();
    for (_, axis) in built.iter().flat_map(|b| b.model.axes.iter()) {
        names.push(axis.name);
        names.extend(axis.aliases.iter().map(|(name, _)| *name));
    }
    names
}

/// The changes that are meant for a scenario, as its layouts take them.
fn base(program: &Program, module: ModuleId, scenario: &str, changes: &[Change]) -> Vec<Change> {
    let all = crate::scenarios(program, module);
    let mut base = Vec::new();
    for change in changes {
        let first = change.path.split_once('.');
        let named = first.filter(|(name, _)| all.iter().any(|s| s.item.name.name == *name));
        match named {
            Some((name, _)) if name != scenario => {}
            Some((_, path)) => base.push(Change { path: path.to_owned(), ..change.clone() }),
            None => base.push(change.clone()),
        }
    }
    base
}

/// What all layouts are tried on.
struct Setting<'a> {
    scenario: &'a str,
    trains: bool,
    devices: f64,
    batch: f64,
}

impl Layouts {
    /// The scenario's own plan with other degrees: those that are open, or all.
    fn own<'p>(
        &mut self,
        checker: &mut Checker<'p>,
        object: &std::rc::Rc<Object<'p>>,
        open: &[String],
        setting: &Setting<'_>,
    ) {
        let Some(Value::Object(plan)) = checker.field_path(object, &["plan"]) else { return };
        let params = plan.slots.iter().map(|s| s.param.name.name.to_string());
        let params: Vec<String> =
            params.filter(|name| open.is_empty() || open.contains(name)).collect();
        if !params.is_empty() {
            self.add(&plan.name.to_string(), None, &params, setting);
        }
    }

    fn add(&mut self, name: &str, library: Option<&str>, params: &[String], setting: &Setting<'_>) {
        let number = self.list.len() + 1;
        let (plan, scenario, sweep) = (
            format!("AutomaticPlan{number}"),
            format!("automatic_{number}"),
            format!("automatic_sweep_{number}"),
        );
        let mut text = String::from("\n");
        let mut body = String::new();
        if let Some(path) = library {
            let path = path.replace('/', ".");
            text += &format!("use std.{path}.{{{name} as {plan}}}\n");
            body += &format!("  plan = {plan}()\n");
        }
        text += &format!("scenario {scenario} = {} with {{\n{body}}}\n", setting.scenario);
        text += &format!("sweep {sweep} of {scenario} {{\n");
        let degrees = listed(&degrees(setting.devices));
        for param in params {
            let values = match param.as_str() {
                "micro" | "micro_batch" => listed(&powers(setting.batch.min(16.0))),
                "chunks" => "[1, 2, 3, 4, 6, 8]".to_owned(),
                _ => degrees.clone(),
            };
            text += &format!("  vary plan.{param} in {values}\n");
        }
        if setting.trains {
            text += "  vary plan.recompute in [none, selective, full]\n";
        }
        // What is expected comes first: points are ranked by how much of it they miss.
        if !self.expectations.is_empty() {
            let misses: Vec<String> =
                self.expectations.iter().map(|e| format!("(if {e} then 0 else 1)")).collect();
            text += &format!("  minimize {}\n", misses.join(" + "));
        }
        let word = if self.maximize { "maximize" } else { "minimize" };
        text += &format!("  {word} {}\n  minimize devices\n}}\n", self.goal);
        self.list.push(Layout {
            name: name.to_owned(),
            library: library.map(str::to_owned),
            text,
            sweep,
        });
    }
}

/// Degrees that a machine can have: what divides its devices, and powers of two.
fn degrees(devices: f64) -> Vec<u64> {
    let devices = devices.clamp(1.0, 1e6) as u64;
    let mut all: Vec<u64> =
        (1..=devices.min(4096)).filter(|d| devices.is_multiple_of(*d)).collect();
    all.extend(powers(devices as f64));
    all.push(devices);
    all.sort_unstable();
    all.dedup();
    all
}

fn powers(most: f64) -> Vec<u64> {
    let mut list = vec![1];
    while list.last().is_some_and(|p| (*p * 2) as f64 <= most) {
        list.push(list.last().map_or(1, |p| p * 2));
    }
    list
}

fn listed(values: &[u64]) -> String {
    let values: Vec<String> = values.iter().map(u64::to_string).collect();
    format!("[{}]", values.join(", "))
}

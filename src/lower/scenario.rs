//! One scenario from its object to its tree of results.

use std::rc::Rc;

use super::bound::Bound;
use super::collective::CollectiveUse;
use super::disaggregated::Scene;
use super::formats::Formats;
use super::frame::Frame;
use super::phase::{PhaseCost, Setting};
use super::pipeline::Pipeline;
use super::results::Results;
use super::serving::Side;
use super::workload::Workload;
use crate::check::{
    BuiltModel, Checker, ItemRef, Machine, Object, Value, check_names, show_number,
};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op, Origin};
use crate::graph::{Laid, lay_out};
use crate::ir::encodes::Encodes;
use crate::ir::{Plan, System};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;

/// What was expected of a scenario, and whether it holds.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The condition as written.
    pub text: String,
    /// The condition.
    pub holds: ExprId,
    /// Where it stands.
    pub place: Place,
}

/// A lowered scenario.
#[derive(Clone)]
pub struct Lowered {
    /// Its name.
    pub name: Name,
    /// The model's name.
    pub model: Name,
    /// The system's name.
    pub system: Name,
    /// The plan's name, with its mesh: `Tp(tp: 8)`.
    pub plan: String,
    /// Whether it trains; else it serves.
    pub trains: bool,
    /// Why its model generates nothing, where it serves and that is so.
    pub encodes: Option<Encodes>,
    /// The number formats in force.
    pub formats: Formats,
    /// The tree of results.
    pub results: Results,
    /// Collectives of each phase.
    pub collectives: Vec<(String, Vec<CollectiveUse>)>,
    /// What was expected.
    pub expectations: Vec<Expectation>,
    /// What a sweep must respect: a reason, and the condition that it holds.
    pub constraints: Vec<(String, ExprId)>,
    /// Where the scenario is declared.
    pub place: Place,
    /// The model that was laid out.
    pub ir: Rc<crate::ir::Model>,
    /// Where every tensor lies.
    pub laid: Rc<Laid>,
    /// What every step of each pass costs, once.
    pub costs: Vec<(&'static str, PhaseCost)>,
    /// What takes most of each phase, for any values.
    pub bounds: Vec<(&'static str, Bound)>,
    /// How passes go through the stages of a pipeline: of a step of training, or of each phase.
    pub pipelines: Vec<(&'static str, Pipeline)>,
    /// The plan that laid it out.
    pub mapping: Plan,
    /// The phase that it lays out, where each has its own.
    pub mapped: Option<&'static str>,
    /// The machine.
    pub machine: System,
}

impl Lowered {
    /// What it does, as metrics name it.
    #[must_use]
    pub fn workload(&self) -> Workload {
        match (self.trains, &self.encodes) {
            (true, _) => Workload::Train,
            (false, Some(_)) => Workload::Encode,
            (false, None) => Workload::Generate,
        }
    }

    /// One without anything in it.
    pub(super) fn empty(place: Place) -> Self {
        Self {
            name: Name::new(""),
            model: Name::new(""),
            system: Name::new(""),
            plan: String::new(),
            trains: false,
            encodes: None,
            formats: Formats::default(),
            results: Results::default(),
            collectives: Vec::new(),
            expectations: Vec::new(),
            constraints: Vec::new(),
            place,
            ir: Rc::default(),
            laid: Rc::default(),
            costs: Vec::new(),
            bounds: Vec::new(),
            pipelines: Vec::new(),
            mapping: Plan::default(),
            mapped: None,
            machine: System::default(),
        }
    }
}

/// Lowers a scenario; `None` where something essential is missing (reported).
pub fn lower<'p>(
    checker: &mut Checker<'p>,
    scenario: &Rc<Object<'p>>,
    overrides: Option<&Rc<Object<'p>>>,
) -> Option<Lowered> {
    let item = scenario.item?;
    let place = item.name_place();
    checker.set_runtime(None);
    let errors = checker.baseline.take().unwrap_or(checker.errors());
    // A misspelt field is not missing too.
    let misspelt = checker.errors() > errors;
    if checker.missing_fields(scenario, item, misspelt) {
        return None;
    }
    let model = checker.object_field(scenario, "model");
    let system = checker.object_field(scenario, "system");
    let machine = system.as_ref().and_then(|system| checker.machine(system));
    if checker.open_plan(scenario).is_some() {
        return None;
    }
    let plan_object = checker.object_field(scenario, "plan");
    if checker.rests_on_unread(item) {
        return checker.workload_alone(scenario, misspelt);
    }
    let wrong_plan = plan_object.is_none() && scenario.has(&[Name::new("plan")]);
    let plan = match &plan_object {
        Some(object) => checker.plan(object, machine.as_ref()),
        None => Some(Plan::default()),
    };
    let plan = plan.filter(|_| !wrong_plan);
    let (Some(model), Some(system), Some(machine), Some(plan)) = (model, system, machine, plan)
    else {
        return checker.workload_alone(scenario, misspelt);
    };
    // Results would not follow a setting that its item does not have, wherever that is declared.
    let parts = [&model, &system, &machine.chip].into_iter().chain(&machine.links);
    for part in parts.chain(plan_object.iter()) {
        check_names(checker, part);
    }
    if let Some(plan) = &plan_object
        && checker.has_phases(plan)
    {
        let scene = Scene { scenario, overrides, model, machine, item, errors, misspelt };
        return checker.lower_phases(&scene, plan);
    }
    checker.warn_of_other_chips(&machine, place);
    let runtime = checker.runtime_of(scenario, &machine, overrides);
    checker.set_runtime(runtime);
    checker.check_runtime();
    let trains = scenario.has(&[Name::new("train")]);
    let rules = trains.then(|| checker.training_rules(scenario, plan_object.as_ref()));
    let wrong_rules = rules == Some(None);
    // The rest is checked without rules that are wrong.
    let training = rules.map(Option::unwrap_or_default);
    let Some(prepared) = checker.prepared(scenario, &model, training.as_ref()) else {
        return checker.workload_alone(scenario, misspelt);
    };
    let (built, formats) = (&prepared.built, prepared.beside.clone());
    let laid = lay_out(&built.model, &plan, &mut checker.graph);
    let mut constraints = Vec::new();
    let sound = checker.check_plan(built, &plan, &laid, &machine, place, &mut constraints);
    let setting = prepared.setting(&plan, &machine, &laid, place);
    if !sound || plan.wrong_sizes || wrong_rules || checker.errors() > errors {
        let asked = (scenario, plan_object.as_ref());
        return checker.workload_beside(asked, &setting, (training, formats), misspelt);
    }
    let mut lowered = Lowered {
        name: scenario.name,
        model: model.name,
        system: system.name,
        plan: checker.describe_plan(&plan),
        trains: training.is_some(),
        formats: prepared.kept.clone(),
        constraints,
        ..Lowered::empty(place)
    };
    checker.parameters(built, &mut lowered.results, place);
    match training {
        None => {
            let side = Side { setting: &setting, plan: plan_object.as_ref(), runtime: None };
            checker.serving(scenario, &side, None, &machine, &mut lowered)?;
        }
        Some(training) => {
            let plan = plan_object.as_ref();
            checker.training(scenario, plan, &setting, training, formats, &mut lowered)?;
        }
    }
    if checker.errors() > errors {
        return None;
    }
    checker.concluded(scenario, item, &[&setting], &mut lowered);
    lowered.ir = prepared.model.clone();
    drop(setting);
    lowered.laid = Rc::new(laid);
    (lowered.mapping, lowered.machine) = (plan, machine.system);
    Some(lowered)
}

/// The model of a scenario that has no results, as far as it can be built.
pub fn model_alone<'p>(
    checker: &mut Checker<'p>,
    scenario: &Rc<Object<'p>>,
) -> Option<Rc<crate::ir::Model>> {
    let model = checker.object_field(scenario, "model")?;
    checker.built_alone(scenario, &model)
}

impl<'p> Checker<'p> {
    /// What follows from the results: metrics, whether they fit, what was expected.
    pub(super) fn concluded(
        &mut self,
        scenario: &Rc<Object<'p>>,
        item: ItemRef<'p>,
        settings: &[&Setting<'_, 'p>],
        lowered: &mut Lowered,
    ) {
        self.metrics(scenario, item, lowered);
        if !lowered.trains
            && let Some(Value::Num(batch)) = self.field_path(scenario, &["serve", "batch"])
        {
            for setting in settings {
                self.limit_batch(setting, batch, &mut lowered.results);
            }
        }
        for (root, setting) in ["memory", "memory.prefill"].into_iter().zip(settings) {
            self.fit(root, setting, lowered);
        }
        self.expectations(scenario, lowered);
        self.figures_to_compare(scenario, lowered);
        self.results = None;
    }

    /// Whether something essential is not set; reported unless it may be there, misspelt.
    fn missing_fields(
        &mut self,
        scenario: &Rc<Object<'p>>,
        item: ItemRef<'p>,
        misspelt: bool,
    ) -> bool {
        let mut missing = false;
        if misspelt {
            let has = |field: &str| scenario.has(&[Name::new(field)]);
            return !has("model") || !has("system") || !(has("serve") || has("train"));
        }
        for field in ["model", "system"] {
            if !scenario.has(&[Name::new(field)]) {
                missing = true;
                self.report(Diagnostic::new(
                    codes::MISSING_FIELD,
                    format!("scenario `{}` has no `{field}`", scenario.name),
                    item.name_place(),
                    format!("write `{field} = …` into its body"),
                ));
            }
        }
        let has = |workload: &str| scenario.has(&[Name::new(workload)]);
        if has("serve") && has("train") {
            missing = true;
            let at = |workload: &str| {
                let entry = scenario
                    .entries
                    .iter()
                    .find(|e| e.path.first().is_some_and(|n| *n == workload));
                entry.map_or(item.name_place(), |e| e.place)
            };
            let (serve, train) = (at("serve"), at("train"));
            let title = format!("scenario `{}` has two workloads", scenario.name);
            self.report(
                Diagnostic::new(codes::DUPLICATE_NAME, title, train, "and this one")
                    .and(serve, "this workload")
                    .note("write one scenario for each: `other = this with { … }`"),
            );
        }
        if !scenario.has(&[Name::new("serve")]) && !scenario.has(&[Name::new("train")]) {
            missing = true;
            self.report(
                Diagnostic::new(
                    codes::MISSING_FIELD,
                    format!("scenario `{}` has no workload", scenario.name),
                    item.name_place(),
                    "write `serve { batch = …  prompt = …  output = … }` into its body",
                )
                .note("or `train { batch = …  seq = …  tokens = …  optimizer = adam }`"),
            );
        }
        missing
    }

    fn object_field(&mut self, scenario: &Rc<Object<'p>>, name: &str) -> Option<Rc<Object<'p>>> {
        match self.field(scenario, Name::new(name))? {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// What of a scenario's plan is left open: no degree by name where it is the plan itself.
    pub fn open_plan(&mut self, scenario: &Rc<Object<'p>>) -> Option<Vec<Name>> {
        let auto = |value: Option<Value<'p>>| match value {
            Some(Value::Word(name)) => name == crate::check::AUTO,
            _ => false,
        };
        let plan = self.field(scenario, Name::new("plan"));
        let Some(Value::Object(plan)) = plan else { return auto(plan).then(Vec::new) };
        let params: Vec<Name> = plan.slots.iter().map(|s| s.param.name.name).collect();
        let open: Vec<Name> =
            params.into_iter().filter(|name| auto(self.field(&plan, *name))).collect();
        (!open.is_empty()).then_some(open)
    }

    /// The runtime in force: the chip's own, amended by the scenario's and by overrides.
    pub(super) fn runtime_of(
        &mut self,
        scenario: &Rc<Object<'p>>,
        machine: &Machine<'p>,
        overrides: Option<&Rc<Object<'p>>>,
    ) -> Option<Rc<Object<'p>>> {
        let own = match self.field(&machine.chip.clone(), Name::new("runtime")) {
            Some(Value::Object(object)) => Some(object),
            _ => None,
        };
        let chosen = self.object_field(scenario, "runtime");
        let mut layers = [own, chosen, overrides.cloned()].into_iter().flatten();
        let mut merged = Object::clone(&*layers.next()?);
        for layer in layers {
            merged = merged.amended(layer.entries.clone());
        }
        Some(Rc::new(merged))
    }

    pub(super) fn describe_plan(&self, plan: &Plan) -> String {
        let Some(name) = plan.name else { return "one device".into() };
        let mesh: Vec<String> = plan
            .mesh
            .iter()
            .map(|(_, m)| {
                format!("{}: {}", m.name, crate::check::show_number(self.graph.value(m.size)))
            })
            .collect();
        if mesh.is_empty() { name.to_string() } else { format!("{name}({})", mesh.join(", ")) }
    }

    /// `parameters.*`: every weight once, in every round that has it.
    pub(crate) fn parameters(
        &mut self,
        built: &BuiltModel<'p>,
        results: &mut Results,
        place: Place,
    ) {
        let saved = self.frame.replace(Frame::whole(&built.model, place));
        let (mut total, mut active) = (None, None);
        for (tensor, rounds) in &built.model.weights {
            let t = &built.model.tensors[*tensor];
            let Value::Num(size) = self.frame_size(&t.axes, false, t.place) else { continue };
            let name = format!(
                "{}.{}",
                t.scope.path.iter().map(|n| n.text()).collect::<Vec<_>>().join("."),
                t.name
            );
            let origin = Origin::inferred(
                Name::new(name.trim_start_matches('.')),
                t.place,
                "elements of this weight",
            );
            let size = self.graph.named(size, origin);
            // One token uses of a sparse axis what it picks, and of the rest everything.
            let mut used = size;
            for axis in &t.axes {
                let axis = &built.model.axes[*axis];
                let (Some(sparse), crate::ir::AxisSize::Fixed(extent)) = (&axis.sparse, axis.size)
                else {
                    continue;
                };
                let each = self.graph.div(used, extent);
                used = self.graph.mul(each, sparse.present);
            }
            for (sum, size) in [(&mut total, size), (&mut active, used)] {
                let all = match rounds {
                    Some(rounds) => self.graph.mul(size, *rounds),
                    None => size,
                };
                *sum = self.plus(*sum, Some(all));
            }
        }
        self.frame = saved;
        if let Some(total) = total {
            let rule = "the sum over all weights";
            let total = results.put(&mut self.graph, "parameters.total", total, place, rule);
            let rule = "what one token uses: all weights, of experts only those that it picks";
            let active = active.unwrap_or(total);
            let active = if active == total {
                total
            } else {
                self.result_node("parameters.active", active, place, rule)
            };
            results.number("parameters.active", active);
        }
    }

    /// Devices of the plan, as a bare number.
    pub(super) fn bare_devices(&mut self, setting: &Setting<'_, 'p>) -> ExprId {
        let devices = self.devices(setting);
        let rule = "the devices of the mesh";
        let origin = Origin::inferred(Name::new("devices"), setting.place, rule);
        self.graph.cast(devices, Dimension::NONE, origin)
    }

    /// Devices of the plan: its mesh, or one.
    pub(crate) fn devices(&mut self, setting: &Setting<'_, 'p>) -> ExprId {
        let one =
            self.counted(1.0, "devices", setting.place, "a plan without a mesh is one device");
        let devices = setting.plan.devices.unwrap_or(one);
        let origin =
            Origin::inferred(Name::new("devices"), setting.place, "the devices of the mesh");
        self.graph.cast(devices, Dimension::DEVICES, origin)
    }

    /// Every replica needs a sequence of its own.
    pub(super) fn enough_sequences(
        &mut self,
        setting: &Setting<'_, 'p>,
        replicas: ExprId,
        batch: ExprId,
    ) -> Option<()> {
        let enough = self.graph.binary(Op::Le, replicas, batch);
        if self.decide(enough) != Some(false) {
            return Some(());
        }
        let (have, want) = (self.graph.value(batch), self.graph.value(replicas));
        let (have, want) = (show_number(have), show_number(want));
        let at = self.graph.origin_of(batch).map_or(setting.place, |o| o.place);
        let mut diagnostic = Diagnostic::new(
            codes::BATCH_TOO_SMALL,
            format!("a batch of {have} cannot be shared by {want} replicas"),
            at,
            format!("{have} sequences"),
        );
        let input = setting.model.inputs.first().and_then(|i| setting.laid.layouts.get(i));
        for shard in input.into_iter().flat_map(|layout| &layout.shards) {
            if let Some(rule) = setting.plan.rules.get(shard.rule) {
                diagnostic = diagnostic.and(rule.place, format!("{want} replicas"));
            }
        }
        self.report(diagnostic.note(format!(
            "take a batch of at least {want}, or fewer replicas: the batch counts all of them \
             together"
        )));
        None
    }

    /// How many groups of devices share the requests: the shards of `batch`.
    pub(super) fn replicas(&mut self, setting: &Setting<'_, 'p>) -> Option<ExprId> {
        let input = setting.model.inputs.first()?;
        let layout = setting.laid.layouts.get(input)?;
        let batch = Name::new("batch");
        let counts: Vec<ExprId> = layout
            .shards
            .iter()
            .filter(|s| setting.model.axes[s.axis].size == crate::ir::AxisSize::Phase(batch))
            .map(|s| s.count)
            .collect();
        self.graph.product(counts)
    }
}

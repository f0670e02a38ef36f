//! `-e EXPR`: an expression with units, in the scope of a file and of its results.

use super::Evaluation;
use crate::check::{Checker, Env, ModuleId, Program, Scope, Site, Value};
use crate::expr::OriginKind;
use crate::lower::{Leaf, Results};
use crate::quantity::figure::{Figure, unit_of};
use crate::syntax::ast::{Expr, ItemKind};

/// An expression as a module of a program.
#[derive(Clone, Copy, Debug)]
pub struct Expression {
    /// The module that holds it.
    pub module: ModuleId,
}

impl Expression {
    /// Adds an expression to a program, before it is checked.
    pub fn add(program: &mut Program, text: &str) -> Self {
        let text = format!("const expression =\n  {}\n", text.replace(['\n', '\r'], " "));
        Self { module: program.add_command("<-e>", &text) }
    }

    fn expr(self, program: &Program) -> Option<(&Expr, Site)> {
        let items = program.items(self.module);
        let item = items.filter(|i| i.item.kind == ItemKind::Const).find(|i| !i.item.broken)?;
        let kind = OriginKind::Literal;
        let site = Site { module: item.module, file: item.file, offset: item.offset, kind };
        item.item.value.as_ref().map(|value| (value, site))
    }
}

/// Evaluates an expression; with an evaluation, names of its file and results of its scenarios are
/// in scope. `None` where something is wrong (reported on the checker).
pub fn expression<'p>(
    program: &'p Program,
    expression: Expression,
    evaluation: Option<&mut Evaluation<'p>>,
) -> (Option<Figure>, Vec<crate::Diagnostic>) {
    let mut found = program.syntax_diagnostics(expression.module);
    if !found.is_empty() {
        return (None, found);
    }
    let Some((expr, mut site)) = expression.expr(program) else { return (None, found) };
    let mut fresh;
    let checker = match evaluation {
        Some(evaluation) => {
            site.module = evaluation.module;
            evaluation.checker.results = Some(names(evaluation));
            &mut evaluation.checker
        }
        None => {
            fresh = Checker::new(program);
            &mut fresh
        }
    };
    let env = Env::module(site).inner(Scope::Results);
    let value = checker.eval(expr, &env);
    let figure = shown(checker, &value);
    checker.results = None;
    found.append(&mut checker.diagnostics);
    if found.is_empty() && figure.is_none() {
        let what = format!("{} is not a figure", value.describe());
        let place = site.place(expr.span);
        found.push(crate::Diagnostic::new(
            crate::diagnostic::codes::NOT_A_NUMBER,
            what,
            place,
            "a quantity, a condition or a text is wanted",
        ));
    }
    (figure, found)
}

fn shown<'p>(checker: &Checker<'p>, value: &Value<'p>) -> Option<Figure> {
    Some(match value {
        Value::Num(id) => {
            let graph = &checker.graph;
            let name = graph.origin_of(*id).map_or("", |o| o.name.text());
            let dimension = graph.dimension(*id);
            let shown = unit_of(name, dimension);
            Figure::Number { value: graph.value(*id), dimension, shown }
        }
        Value::Bool(id) => Figure::Flag(checker.graph.value(*id) != 0.0),
        Value::Truth(flag) => Figure::Flag(*flag),
        Value::Text(text) => Figure::Text(text.to_string()),
        Value::Word(word) => Figure::Text(word.to_string()),
        _ => return None,
    })
}

/// Results and inputs under the names of their scenarios; under their own where there is one.
fn names(evaluation: &mut Evaluation<'_>) -> Results {
    let mut names = Results::default();
    let single = evaluation.scenarios.len() == 1;
    for scenario in &evaluation.scenarios {
        let mut leaves: Vec<(String, Leaf)> = Vec::new();
        if let Some(lowered) = &scenario.lowered {
            leaves.extend(lowered.results.leaves.clone());
            if single {
                names.encodes.clone_from(&lowered.results.encodes);
                names.left_out.clone_from(&lowered.results.left_out);
            }
        }
        if let Some(object) = &scenario.object
            && let Some(Value::Object(serve)) = evaluation.checker.field_path(object, &["serve"])
        {
            for name in serve.field_names(&[]) {
                if let Some(Value::Num(id)) = evaluation.checker.field(&serve, name) {
                    leaves.push((format!("serve.{name}"), Leaf::Number(id)));
                }
            }
        }
        for (path, leaf) in leaves {
            if single {
                names.leaves.insert(path.clone(), leaf.clone());
            }
            names.leaves.insert(format!("{}.{path}", scenario.name), leaf);
        }
    }
    names
}

//! What came of a sweep, for people and for programs.
//!
//! In: an answer and what it is about. Out: a [`Summary`], plain data that can be written, read
//! again and merged, and its formats: text, JSON, a chart, a page.

mod chart;
mod merge;
mod page;
pub mod parquet;
pub mod rows;
mod text;

use serde::{Deserialize, Serialize};

pub use chart::chart;
pub use merge::{merge, read};
pub use page::page;
pub use text::text;

use crate::quantity::Dimension;
use crate::quantity::figure::Figure;
use crate::sweep::{Answer, Broken, Compiler, Ran, Space};

/// A sweep and what came of its points.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The version that wrote it.
    pub mesa: String,
    /// The sweep.
    pub sweep: String,
    /// The scenario that it varies.
    pub scenario: String,
    /// What is varied.
    pub axes: Vec<String>,
    /// Conditions as written.
    pub conditions: Vec<String>,
    /// What is wanted.
    pub goals: Vec<GoalText>,
    /// The columns of `rows`.
    pub outputs: Vec<Column>,
    /// Points of the whole sweep.
    pub points: u64,
    /// Which of them were looked at: from, to (without the last).
    pub ranges: Vec<(u64, u64)>,
    /// Points that hold everything.
    pub kept: u64,
    /// The others, by reason.
    pub left_out: Vec<LeftOut>,
    /// Of the kept: how many miss what the scenario expects.
    pub missed: Vec<Missed>,
    /// How many best points were wanted; the front if not said.
    pub top: Option<usize>,
    /// The best points, best first.
    pub rows: Vec<SummaryRow>,
    /// Points for a picture, the best not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cloud: Vec<CloudRow>,
}

/// A goal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GoalText {
    /// As written.
    pub text: String,
    /// The more, the better.
    pub maximize: bool,
}

/// A column of results.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Column {
    /// Its path, or the expression as written.
    pub name: String,
    /// The base unit.
    pub unit: String,
    /// Exponents of the base dimensions.
    pub dimension: Vec<i8>,
    /// Whether it is a condition.
    pub flag: bool,
}

/// Points that are left out for one reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeftOut {
    /// The code of what `mesa eval` says there; nothing for a condition of the sweep.
    pub code: Option<String>,
    /// The reason, the same for all of them.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: u64,
    /// Its settings.
    pub settings: Vec<String>,
    /// What is said there.
    pub example: Option<String>,
}

/// An expectation that points miss.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Missed {
    /// As written.
    pub text: String,
    /// How many of the kept points miss it.
    pub count: u64,
}

/// One of the best points.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SummaryRow {
    /// Its number.
    pub point: u64,
    /// How many points are as good, itself included.
    pub equal: u64,
    /// In the order of the axes.
    pub settings: Vec<String>,
    /// In the order of the outputs, in base units; nothing where there is no finite number.
    pub values: Vec<Option<f64>>,
}

/// A point of a picture.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CloudRow {
    /// The point.
    #[serde(flatten)]
    pub row: SummaryRow,
    /// Why it is left out.
    pub reason: Option<String>,
}

impl Column {
    /// A value as a person reads it.
    #[must_use]
    pub fn human(&self, value: Option<f64>) -> String {
        match value {
            None => "—".to_owned(),
            Some(value) if self.flag => if value == 0.0 { "no" } else { "yes" }.to_owned(),
            Some(value) => {
                let dimension = Dimension::from_exponents(&self.dimension);
                Figure::number(&self.name, value, dimension).human()
            }
        }
    }
}

impl Summary {
    /// The summary of a run. The reasons are looked up once more, at the first point of each.
    pub fn new(compiler: &mut Compiler, space: &Space, ran: &Ran, top: Option<usize>) -> Self {
        let definition = compiler.definition().clone();
        let (shown, outputs) = columns(&definition, ran);
        let row = |point: u64, equal: u64, values: &[f64]| SummaryRow {
            point,
            equal,
            settings: space.settings(point),
            values: shown
                .iter()
                .map(|i| values.get(*i).copied().filter(|v| v.is_finite()))
                .collect(),
        };
        let sorted = ran.answer.front.sorted();
        let rows: Vec<SummaryRow> =
            sorted.iter().map(|r| row(r.point, r.equal, &r.values)).collect();
        let left_out = left_out(compiler, space, &ran.answer);
        let first_expected =
            1 + definition.conditions.len() + definition.goals.len() + definition.columns.len();
        let expected = ran.outputs.iter().skip(first_expected);
        let missed = expected.zip(&ran.answer.missed);
        let missed = missed.filter(|(_, count)| **count > 0);
        let missed = missed.map(|(o, count)| Missed { text: o.name.clone(), count: *count });
        let reasons = compiler.reasons();
        let cloud = ran.answer.cloud().into_iter().map(|(point, standing, values)| CloudRow {
            row: row(point, 1, &values),
            reason: crate::report::sweep::reason(&definition, &reasons, standing),
        });
        let best: Vec<u64> = rows.iter().map(|r| r.point).collect();
        let cloud = cloud.filter(|c| !best.contains(&c.row.point)).collect();
        Self {
            mesa: env!("CARGO_PKG_VERSION").to_owned(),
            sweep: definition.name.clone(),
            scenario: definition.scenario.to_string(),
            axes: definition.axes.iter().map(|a| a.path.clone()).collect(),
            conditions: definition.conditions.clone(),
            goals: definition
                .goals
                .iter()
                .map(|g| GoalText { text: g.text.clone(), maximize: g.maximize })
                .collect(),
            outputs,
            points: ran.all,
            ranges: vec![(ran.from, ran.to)],
            kept: ran.answer.kept,
            left_out,
            missed: missed.collect(),
            top,
            rows,
            cloud,
        }
    }

    /// For programs; [`read`] reads it again.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).map_or_else(|_| String::new(), |text| text + "\n")
    }
}

/// The outputs that are shown, by position, and what they are: goals, then other columns.
fn columns(definition: &crate::sweep::Definition, ran: &Ran) -> (Vec<usize>, Vec<Column>) {
    let first = 1 + definition.conditions.len();
    let goals = definition.goals.len();
    let last = first + goals + definition.columns.len();
    let mut shown = Vec::new();
    let mut columns = Vec::new();
    for at in first..last {
        let Some(output) = ran.outputs.get(at) else { continue };
        if !output.known && at >= first + goals {
            continue;
        }
        shown.push(at);
        columns.push(Column {
            name: output.name.clone(),
            unit: output.dimension.unit(),
            dimension: output.dimension.exponents().to_vec(),
            flag: output.flag,
        });
    }
    (shown, columns)
}

/// Why a point is left out, in short.
pub(crate) fn reason(
    definition: &crate::sweep::Definition,
    reasons: &[crate::sweep::Reason],
    standing: crate::sweep::Standing,
) -> Option<String> {
    use crate::sweep::Standing;
    Some(match standing {
        Standing::Kept => return None,
        Standing::Broken(reason) => reasons.get(reason as usize)?.pattern.clone(),
        Standing::Unfit => "does not fit into memory".to_owned(),
        Standing::LeftOut(at) => format!("not {}", definition.conditions.get(at)?),
        Standing::Unknown => "a goal is no number".to_owned(),
    })
}

fn left_out(compiler: &mut Compiler, space: &Space, answer: &Answer) -> Vec<LeftOut> {
    let mut list = Vec::new();
    let mut push = |code: Option<&str>, reason: &str, broken: &Broken, example: Option<String>| {
        if broken.count > 0 {
            list.push(LeftOut {
                code: code.map(str::to_owned),
                reason: reason.to_owned(),
                count: broken.count,
                first: broken.first,
                settings: space.settings(broken.first),
                example,
            });
        }
    };
    let reasons = compiler.reasons();
    for (reason, broken) in reasons.iter().zip(&answer.broken) {
        if broken.count > 0 {
            let said = compiler.said(space, broken.first);
            let example = said.map_or(reason.example.clone(), |d| d.title);
            push(Some(reason.code.id()), &reason.pattern, broken, Some(example));
        }
    }
    let too_large = crate::diagnostic::codes::OUT_OF_MEMORY;
    push(Some(too_large.id()), "does not fit into memory", &answer.unfit, None);
    let conditions = compiler.definition().conditions.clone();
    for (condition, broken) in conditions.iter().zip(&answer.left_out) {
        push(None, &format!("not {condition}"), broken, None);
    }
    push(None, "a goal is no number there", &answer.unknown, None);
    list.sort_by(|a: &LeftOut, b| b.count.cmp(&a.count).then(a.reason.cmp(&b.reason)));
    list
}

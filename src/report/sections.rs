//! What a report shows, as tables: the same for a terminal and for documents.

use super::table::{Cell, Table, Tint};
use super::training;
use super::{Collective, Scenario};
use crate::lower::{MEMORY_PARTS, STORED_PARTS};
use crate::quantity::figure::Figure;
use crate::quantity::format::{HumanUnit, human};
use crate::source::Spot;

/// Phases with their words, in order.
const PHASES: [(&str, &str); 5] = [
    ("prefill", "prefill"),
    ("handover", "handover"),
    ("decode.first", "decode, first"),
    ("decode.mid", "decode, middle"),
    ("decode.last", "decode, last"),
];
/// The phases that tables of details show.
const DETAILED: [(&str, &str); 2] = [("prefill", "prefill"), ("decode.mid", "decode, middle")];
/// Roots of the tree that have a table, or are part of one.
const KNOWN: [&str; 21] = [
    "handover",
    "parameters",
    "prefill",
    "decode",
    "ttft",
    "tpot",
    "latency",
    "throughput",
    "memory",
    "layers",
    "devices",
    "machine",
    "step",
    "run",
    "mfu",
    "mfu_causal",
    "hfu",
    "power",
    "energy",
    "tokens_per_joule",
    "cost",
];
/// Columns of the bar of a memory part.
const BAR: usize = 32;
/// Rows of collectives shown of one phase.
const MOST: usize = 12;

pub(super) fn shown(scenario: &Scenario, path: &str) -> String {
    scenario.results.get(path).map_or_else(|| "—".to_owned(), Figure::human)
}

pub(super) fn value(scenario: &Scenario, path: &str) -> Option<f64> {
    scenario.results.get(path).and_then(Figure::value)
}

/// One line: what runs on what.
#[must_use]
pub fn headline(scenario: &Scenario) -> String {
    format!("{} on {}, plan {}", scenario.model, scenario.system, scenario.plan)
}

/// One line: how large a model with experts is, and how much of it one token uses.
#[must_use]
pub fn parameters(scenario: &Scenario) -> String {
    let all = value(scenario, "parameters.total");
    if all == value(scenario, "parameters.active") {
        return String::new();
    }
    let shown = |path| shown(scenario, path);
    let (all, active) = (shown("parameters.total"), shown("parameters.active"));
    format!("{all} parameters, of which a token uses {active}")
}

/// One line: the workload.
#[must_use]
pub fn workload(scenario: &Scenario) -> String {
    let part = |root: &str| {
        let inputs = scenario.inputs.iter().filter_map(|(path, figure)| {
            let name = path.strip_prefix(root)?.strip_prefix('.')?;
            Some(format!("{name} {}", figure.human()))
        });
        inputs.collect::<Vec<_>>().join(", ")
    };
    let parts = [part("serve"), part("train")];
    let parts: Vec<String> = parts.into_iter().filter(|p| !p.is_empty()).collect();
    parts.join("; ")
}

/// One line, `weights fp8, activations bf16, computed in bf16`: the formats in force, set or not.
#[must_use]
pub fn formats(scenario: &Scenario) -> String {
    let all = scenario.formats.iter().map(|(role, names)| {
        let role = if role == "compute" { "computed in" } else { role };
        format!("{role} {}", names.join(" and "))
    });
    all.collect::<Vec<_>>().join(", ")
}

/// All tables that have rows.
#[must_use]
pub fn tables(scenario: &Scenario) -> Vec<Table> {
    let trains = scenario.results.contains_key("step.time");
    let mut tables = match trains {
        true => vec![training::rates(scenario), training::step(scenario), memory(scenario)],
        false => vec![headlines(scenario), phases(scenario), memory(scenario)],
    };
    tables.extend(memories_elsewhere(scenario));
    tables.push(if trains { training::layers(scenario) } else { layers(scenario) });
    for (phase, word) in DETAILED.into_iter().chain(training::COLLECTIVES) {
        tables.push(collectives(scenario, phase, word));
    }
    tables.push(super::power::table(scenario));
    tables.push(metrics(scenario));
    tables.push(super::measured::table(scenario));
    tables.push(super::measured::sources(scenario));
    tables.push(expectations(scenario));
    tables.retain(|t| !t.rows.is_empty());
    tables
}

/// Whether nothing is generated: a request is one pass.
pub(super) fn encodes(scenario: &Scenario) -> bool {
    let has = |path: &str| scenario.results.contains_key(path);
    has("prefill.time") && !has("decode.mid.time")
}

/// Latency and throughput.
fn headlines(scenario: &Scenario) -> Table {
    let generating = [
        ("ttft", "time to first token", "throughput.system", "all users"),
        ("tpot", "time per output token", "throughput.user", "each user"),
        ("latency", "request, first to last token", "throughput.device", "each device"),
    ];
    let encoding = [
        ("latency", "request, nothing is generated", "throughput.system", "read, all requests"),
        ("", "", "throughput.device", "read, each device"),
        ("", "", "throughput.requests", "answered each second"),
    ];
    let rows = if encodes(scenario) { encoding } else { generating };
    let has = |path: &str| scenario.results.contains_key(path);
    let rows = rows.into_iter().filter(|(a, _, b, _)| has(a) || has(b));
    // Of pictures alone no tokens are read.
    let known = |path: &'static str| if has(path) { path } else { "" };
    let rows =
        rows.map(|(a, what, b, of)| (known(a), what, known(b), if has(b) { of } else { "" }));
    let shown = |path: &str| if path.is_empty() { String::new() } else { shown(scenario, path) };
    let rows = rows.map(|(a, what, b, of)| {
        vec![
            a.into(),
            Cell::tinted(shown(a), Tint::Strong),
            Cell::tinted(what, Tint::Dim),
            b.into(),
            Cell::tinted(shown(b), Tint::Strong),
            Cell::tinted(of, Tint::Dim),
        ]
    });
    let heads = vec!["", ">", "", "", ">", ""];
    Table {
        title: "Latency and throughput".into(),
        heads,
        rows: rows.collect(),
        ..Table::default()
    }
}

fn phases(scenario: &Scenario) -> Table {
    let columns = [
        "time",
        "compute_time",
        "memory_time",
        "communication.exposed",
        "overhead",
        "bound",
        "mfu",
        "mbu",
    ];
    let rows =
        PHASES.into_iter().filter(|(p, _)| scenario.results.contains_key(&format!("{p}.time")));
    let rows = rows.map(|(phase, word)| {
        let mut row: Vec<Cell> = vec![word.into()];
        for name in columns {
            let text = shown(scenario, &format!("{phase}.{name}"));
            let tint = if name == "time" { Tint::Strong } else { Tint::Plain };
            row.push(Cell::tinted(text, tint));
        }
        row
    });
    let heads = vec![
        "",
        ">time",
        ">compute",
        ">memory",
        ">communication",
        ">overhead",
        "bound by",
        ">MFU",
        ">MBU",
    ];
    let remark = match stages_work_together(scenario) {
        true => "parts are sums over all stages, which work at the same time",
        false => "",
    };
    Table { title: "Phases".into(), remark: remark.into(), heads, rows: rows.collect() }
}

fn memory(scenario: &Scenario) -> Table {
    let mut table = one_memory(scenario, "memory", &MEMORY_PARTS);
    if table.rows.is_empty() {
        return table;
    }
    table.title = "Memory of the fullest device".into();
    if let Some(batch) = value(scenario, "largest_batch") {
        table.remark += &match batch {
            b if b >= 1.0 => format!("; largest batch that fits: {}", human(b, HumanUnit::Plain)),
            _ => "; no batch fits".to_owned(),
        };
    }
    table
}

/// What lies outside of the devices: a table for each memory.
fn memories_elsewhere(scenario: &Scenario) -> Vec<Table> {
    let stores = scenario.results.keys().filter_map(|path| {
        let store = path.strip_prefix("memory.")?.strip_suffix(".capacity")?;
        (!store.contains('.')).then_some(store)
    });
    let table = |store: &str| {
        if store == "prefill" {
            let mut table = one_memory(scenario, "memory.prefill", &MEMORY_PARTS);
            table.title = "Memory of the fullest device that prefills".into();
            return table;
        }
        let mut table = one_memory(scenario, &format!("memory.{store}"), &STORED_PARTS);
        table.title = format!("Memory `{store}`, of all devices that share one");
        table
    };
    stores.map(table).collect()
}

/// What a memory holds, by part, and what is left or missing.
fn one_memory(scenario: &Scenario, root: &str, parts: &[&str]) -> Table {
    let mut table = Table { heads: vec!["", ">", ">", ""], ..Table::default() };
    let of = |part: &str| value(scenario, &format!("{root}.{part}"));
    let (Some(capacity), Some(total)) = (of("capacity"), of("total")) else { return table };
    let bytes = |v: f64| human(v, HumanUnit::Bytes);
    table.remark = format!("{} of {}", bytes(total), bytes(capacity));
    let mut row = |name: &str, amount: f64, tint: Tint| {
        let share = amount / capacity;
        table.rows.push(vec![
            name.into(),
            Cell::tinted(bytes(amount), tint),
            self::share(share).into(),
            bar(share).into(),
        ]);
    };
    for part in parts {
        if let Some(amount) = of(part).filter(|v| *v != 0.0) {
            row(part, amount, Tint::Plain);
        }
    }
    if total <= capacity {
        row("free", capacity - total, Tint::Good);
    } else {
        row("missing", total - capacity, Tint::Bad);
    }
    table
}

/// A share in percent, without digits that nobody needs.
pub(super) fn share(share: f64) -> String {
    if share > 0.0 && share < 0.000_1 {
        return "<0.01%".to_owned();
    }
    human(share, HumanUnit::Percent)
}

/// A share as a bar; at least a sliver of what is not nothing.
fn bar(share: f64) -> String {
    if !share.is_finite() || share <= 0.0 {
        return String::new();
    }
    let eighths = libm::round(share.min(1.0) * (BAR * 8) as f64).max(1.0) as usize;
    let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    "█".repeat(eighths / 8) + parts.get(eighths % 8).copied().unwrap_or_default()
}

/// The phases that tables of details show and that there are.
fn detailed(scenario: &Scenario) -> Vec<(&'static str, &'static str)> {
    let phases = if encodes(scenario) { DETAILED.get(..1) } else { DETAILED.get(..) };
    phases.unwrap_or_default().to_vec()
}

/// Seconds of a layer in a phase, and how many of them are collectives.
type TimeAndComm = (f64, Option<f64>);

/// Time of each kind of layer, collectives included, with its share of the phase.
fn layers(scenario: &Scenario) -> Table {
    let mut names: Vec<&str> = Vec::new();
    for path in scenario.results.keys() {
        let name = path.strip_prefix("layers.").and_then(|r| r.split('.').next());
        names.extend(name.filter(|n| !names.contains(n)));
    }
    let both = |parts: [String; 2]| match parts.map(|p| value(scenario, &p)) {
        [None, None] => None,
        [a, b] => Some((a.unwrap_or(0.0) + b.unwrap_or(0.0), b)),
    };
    let mut rows: Vec<(&str, Vec<Option<TimeAndComm>>)> = Vec::new();
    let detailed = detailed(scenario);
    let mut add = |name, figure: &dyn Fn(&str) -> Option<TimeAndComm>| {
        rows.push((name, detailed.iter().map(|(phase, _)| figure(phase)).collect()));
    };
    for name in names {
        add(name, &|phase| {
            let layer = format!("layers.{name}.{phase}");
            both([format!("{layer}.time"), format!("{layer}.communication.exposed")])
        });
    }
    if !rows_are_empty(scenario) {
        add("transfers", &|phase| {
            value(scenario, &format!("{phase}.offload.exposed")).map(|v| (v, None))
        });
        add("overhead", &|phase| value(scenario, &format!("{phase}.overhead")).map(|v| (v, None)));
    }
    rows.retain(|(_, figures)| figures.iter().flatten().any(|(time, _)| *time != 0.0));
    let whole = |at: usize, phase: &str| {
        let each = rows.iter().filter_map(|(_, figures)| figures.get(at).copied().flatten());
        let sum: f64 = each.map(|(time, _)| time).sum();
        let time = value(scenario, &format!("{phase}.time")).unwrap_or(f64::NAN);
        if together(sum, time) { sum } else { time }
    };
    let wholes: Vec<f64> = (0..).zip(&detailed).map(|(at, (phase, _))| whole(at, phase)).collect();
    let cells = rows.iter().map(|(name, figures)| {
        let mut row: Vec<Cell> = vec![(*name).into()];
        for (figure, whole) in figures.iter().zip(&wholes) {
            let Some((time, comm)) = *figure else {
                row.extend([const { "" }; 3].map(Cell::from));
                continue;
            };
            row.push(human(time, HumanUnit::Seconds).into());
            row.push(share(time / whole).into());
            let comm = comm.filter(|c| *c != 0.0);
            let comm = comm.map_or(String::new(), |c| human(c, HumanUnit::Seconds));
            row.push(Cell::tinted(comm, Tint::Dim));
        }
        row
    });
    let mut heads =
        vec!["", ">prefill", ">share", ">of it comm", ">decode, middle", ">share", ">of it comm"];
    heads.truncate(1 + 3 * detailed.len());
    let remark = match stages_work_together(scenario) {
        true => "all rounds of all stages, collectives included; shares of their sum",
        false => "all rounds, collectives included",
    };
    Table { title: "Layers".into(), remark: remark.into(), heads, rows: cells.collect() }
}

/// Whether parts that take `sum` one after another run side by side, as the stages of a pipeline do.
fn together(sum: f64, time: f64) -> bool {
    sum > time * (1.0 + 1e-6)
}

/// Whether the stages of a pipeline work at the same time in some phase: each part of it is then a
/// sum over all of them.
fn stages_work_together(scenario: &Scenario) -> bool {
    PHASES.iter().any(|(phase, _)| {
        let part = |name: &str| value(scenario, &format!("{phase}.{name}")).unwrap_or(0.0);
        let parts = ["compute_time", "memory_time"].map(&part).into_iter();
        let kernels = parts.fold(0.0, f64::max);
        let sum = kernels + part("communication.exposed") + part("overhead");
        together(sum, part("time"))
    })
}

fn rows_are_empty(scenario: &Scenario) -> bool {
    !scenario.results.keys().any(|p| p.starts_with("layers."))
}

fn collectives(scenario: &Scenario, phase: &str, word: &str) -> Table {
    let all: Vec<&Collective> = scenario.collectives.iter().filter(|c| c.phase == phase).collect();
    let total: f64 = all.iter().map(|c| c.total).sum();
    let mut rows: Vec<Vec<Cell>> = all.iter().take(MOST).map(|c| collective(c)).collect();
    if all.len() > MOST {
        let more = format!("… {} more", all.len() - MOST);
        let mut row: Vec<Cell> = vec![Cell::default(); 8];
        if let Some(cell) = row.get_mut(1) {
            *cell = Cell::tinted(more, Tint::Dim);
        }
        rows.push(row);
    }
    let heads = vec![">", "", "tensor", "over", ">message", "link, algorithm", ">time", "from"];
    let title = format!("Collectives in {word}");
    let mut remark = human(total, HumanUnit::Seconds);
    // The stages of a pipeline send once for each group of requests that goes through them.
    let once: f64 = all.iter().map(|c| c.count).sum();
    let groups = value(scenario, &format!("{phase}.communication.count")).map(|n| n / once);
    if let Some(groups) = groups.filter(|g| *g > 1.0) {
        let groups = human(groups, HumanUnit::Plain);
        remark += &format!("  for each of {groups} groups of requests");
    }
    Table { title, remark, heads, rows }
}

fn collective(c: &Collective) -> Vec<Cell> {
    let algorithm = c.algorithm.replace('_', "-");
    let link = [c.link.as_str(), algorithm.as_str()];
    let link: Vec<&str> = link.into_iter().filter(|t| !t.is_empty()).collect();
    vec![
        format!("{} ×", human(c.count, HumanUnit::Plain)).into(),
        c.kind.clone().into(),
        c.tensor.clone().into(),
        format!("{} {}", c.axis, human(c.size, HumanUnit::Plain)).into(),
        human(c.message, HumanUnit::Bytes).into(),
        link.join(" ").into(),
        human(c.total, HumanUnit::Seconds).into(),
        Cell::tinted(short(&c.model), Tint::Dim),
    ]
}

/// `attention.mesa:41`: the file without its folders.
fn short(spot: &Spot) -> String {
    let name = spot.file.rsplit(['/', '\\']).next().unwrap_or(&spot.file);
    format!("{name}:{}", spot.line)
}

/// Metrics of the library and of the file that no other table has.
fn metrics(scenario: &Scenario) -> Table {
    let own = |path: &&String| {
        let root = path.split('.').next().unwrap_or(path);
        !KNOWN.contains(&root) && root != "largest_batch"
    };
    let rows =
        scenario.results.keys().filter(own).map(|path| {
            vec![path.as_str().into(), Cell::tinted(shown(scenario, path), Tint::Strong)]
        });
    Table {
        title: "Metrics".into(),
        heads: vec!["", ">"],
        rows: rows.collect(),
        ..Table::default()
    }
}

fn expectations(scenario: &Scenario) -> Table {
    let rows = scenario.expectations.iter().map(|e| {
        let (mark, tint) = if e.holds { ("✓", Tint::Good) } else { ("✗", Tint::Bad) };
        let figure = e.figure.as_ref().map_or(String::new(), |f| format!("is {}", f.human()));
        vec![
            Cell::tinted(mark, tint),
            e.text.as_str().into(),
            Cell::tinted(figure, if e.holds { Tint::Plain } else { Tint::Bad }),
            Cell::tinted(short(&e.at), Tint::Dim),
        ]
    });
    let heads = vec!["", "", "", ""];
    Table { title: "Expected".into(), heads, rows: rows.collect(), ..Table::default() }
}

//! The timeline as a picture that stands for itself.

use super::{Chart, Window};
use crate::drawing::page::{LEFT, Page, below, escaped};
use crate::drawing::seconds;
use crate::pipeline::{Kind, Pass, Schedule, Slot};

/// Where rows start and how wide they are.
const ROWS: f64 = 96.0;
const WIDTH: f64 = 1080.0;
/// Between the start and the end, where the middle is left out.
const GAP: f64 = 34.0;
/// A character of a label.
const CHAR: f64 = 6.0;

const LIGHT: &str = "\
.mid{text-anchor:middle}.right{text-anchor:end}.small{font-size:10px}\
.idle{fill:#eceef1}.forward{fill:#a9c7f7}.forward1{fill:#d3e2fb}\
.backward{fill:#f3b680}.backward1{fill:#f9dabb}.input{fill:#f3b680}.input1{fill:#f9dabb}\
.weights{fill:#b5d9b0}.weights1{fill:#d6ecd3}.slot{stroke:#ffffff;stroke-width:0.6}\
.tick{stroke:#9ca3af;stroke-width:1}.gap{fill:#ffffff}";
const DARK: &str = "\
.idle{fill:#1f2937}.forward{fill:#24477f}.forward1{fill:#3f73c4}\
.backward{fill:#7a4a20}.backward1{fill:#b8712f}.input{fill:#7a4a20}.input1{fill:#b8712f}\
.weights{fill:#2c5a29}.weights1{fill:#48893f}.slot{stroke:#111827}\
.tick{stroke:#6b7280}.gap{fill:#111827}";

/// An SVG document.
#[must_use]
pub fn text(chart: &Chart) -> String {
    let scale = Scale::of(chart);
    let devices = chart.pipeline.devices;
    let row = match devices {
        0..=16 => 28.0,
        17..=32 => 20.0,
        _ => 13.0,
    };
    let notes = chart.notes();
    let top = below(notes.len()) + 36.0;
    let bottom = top + row * devices as f64;
    let (w, h) = (ROWS + WIDTH + 40.0, bottom + 44.0);
    let page =
        Page { size: [w, h], title: &chart.title(), notes: &notes, light: LIGHT, dark: DARK };
    let mut out = page.opened();
    out += &legend(chart, top - 22.0);
    for (device, slots) in chart.timeline.devices.iter().enumerate() {
        let y = top + row * device as f64;
        let (label, h) = (y + row / 2.0 + 3.5, row - 3.0);
        out += &format!(
            "<text class=\"dim right\" x=\"{:.1}\" y=\"{label:.1}\">device {device}</text>\n\
             <rect class=\"idle\" x=\"{ROWS}\" y=\"{y:.1}\" width=\"{WIDTH}\" height=\"{h:.1}\"/>\n",
            ROWS - 8.0
        );
        for slot in slots {
            for part in scale.parts(slot) {
                out += &drawn(chart, slot, part, y, h);
            }
        }
    }
    out += &scale.cut(chart, top - 8.0, bottom);
    out += &scale.axis(chart, bottom);
    out + "</svg>\n"
}

struct Scale {
    /// Pixels for a second.
    pixels: f64,
    window: Window,
    cut: bool,
}

impl Scale {
    fn of(chart: &Chart) -> Self {
        let end = chart.timeline.end();
        let digits = chart.pipeline.micro_batches.saturating_sub(1).to_string().len() as f64;
        let readable = (digits * CHAR + 5.0) / chart.shortest();
        let back = chart.first_back();
        let seen = if back > 0.0 { WIDTH * 0.5 / back } else { f64::INFINITY };
        let pixels = readable.min(seen);
        if pixels * end <= WIDTH {
            let window = Window { head: end, tail: end };
            return Self { pixels: WIDTH / end, window, cut: false };
        }
        Self { pixels, window: chart.window((WIDTH - GAP) / pixels), cut: true }
    }

    fn x(&self, t: f64) -> f64 {
        if t <= self.window.head || !self.cut {
            ROWS + t * self.pixels
        } else {
            ROWS + GAP + (self.window.head + t - self.window.tail) * self.pixels
        }
    }

    /// The parts of a slot that are shown: from, until.
    fn parts(&self, slot: &Slot) -> Vec<[f64; 2]> {
        let Window { head, tail } = self.window;
        let mut parts = Vec::new();
        if slot.start < head {
            parts.push([ROWS + slot.start * self.pixels, ROWS + slot.end.min(head) * self.pixels]);
        }
        if self.cut && slot.end > tail {
            let before = ROWS + GAP + head * self.pixels;
            let at = |t: f64| before + (t - tail) * self.pixels;
            parts.push([at(slot.start.max(tail)), at(slot.end)]);
        }
        parts
    }

    /// What covers the middle, and says what is left out.
    fn cut(&self, chart: &Chart, top: f64, bottom: f64) -> String {
        if !self.cut {
            return String::new();
        }
        let x = ROWS + self.window.head * self.pixels;
        let middle = x + GAP / 2.0;
        let left = chart.left_out(self.window);
        let more = seconds(self.window.tail - self.window.head);
        let what = match left {
            0 => format!("{more} more"),
            n => format!("{more} more, {n} micro-batches"),
        };
        let y = f64::midpoint(top, bottom) + 4.0;
        format!(
            "<rect class=\"gap\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{GAP}\" height=\"{:.1}\"/>\n\
             <text class=\"dim mid\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>\n\
             <text class=\"dim mid\" x=\"{middle:.1}\" y=\"{y:.1}\">…</text>\n",
            bottom - top,
            top - 2.0,
            escaped(&what)
        )
    }

    /// Times below the rows.
    fn axis(&self, chart: &Chart, y: f64) -> String {
        let end = chart.timeline.end();
        let Window { head, tail } = self.window;
        let times = if self.cut {
            vec![0.0, head / 2.0, head, tail, end]
        } else {
            vec![0.0, end / 4.0, end / 2.0, end * 0.75, end]
        };
        let mut out = String::new();
        for (i, t) in times.iter().enumerate() {
            let x = if self.cut && i == 3 { self.x(*t) + GAP } else { self.x(*t) };
            let anchor = match i {
                2 if self.cut => "right",
                3 if self.cut => "left",
                4 => "right",
                _ if i > 0 => "mid",
                _ => "left",
            };
            out += &format!(
                "<line class=\"tick\" x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>\n\
                 <text class=\"dim small {anchor}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>\n",
                y + 5.0,
                y + 18.0,
                escaped(&seconds(*t))
            );
        }
        out
    }
}

fn drawn(chart: &Chart, slot: &Slot, [x, end]: [f64; 2], y: f64, h: f64) -> String {
    let w = (end - x).max(0.3);
    let mut out = format!("<g><title>{}</title>", escaped(&tip(chart, slot)));
    // Passes at the same time share the height.
    let each = h / slot.passes.len().max(1) as f64;
    for (i, pass) in slot.passes.iter().enumerate() {
        let y = y + each * i as f64;
        out += &format!(
            "<rect class=\"slot {}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{each:.1}\"/>",
            class(chart, *pass)
        );
        let name = pass.micro_batch % chart.pipeline.micro_batches.max(1);
        let label = name.to_string();
        if label.len() as f64 * CHAR + 2.0 <= w && each >= 10.0 {
            out += &format!(
                "<text class=\"mid small\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
                x + w / 2.0,
                y + each / 2.0 + 3.5
            );
        }
    }
    out + "</g>\n"
}

/// Its kind, lighter for every other chunk.
fn class(chart: &Chart, pass: Pass) -> String {
    let kind = match pass.kind {
        Kind::Forward => "forward",
        Kind::Backward => "backward",
        Kind::Input => "input",
        Kind::Weights => "weights",
    };
    let light = match chart.pipeline.schedule {
        Schedule::Decode => pass.micro_batch / chart.pipeline.micro_batches.max(1) % 2,
        _ => chart.chunk(pass) % 2,
    };
    if light == 1 { format!("{kind}1") } else { kind.to_owned() }
}

/// What a browser shows on a slot.
fn tip(chart: &Chart, slot: &Slot) -> String {
    let p = &chart.pipeline;
    let mut lines: Vec<String> = Vec::new();
    for pass in &slot.passes {
        let kind = pass.kind.word().replace('_', " of ");
        let name = pass.micro_batch % p.micro_batches.max(1);
        let mut line = match p.schedule {
            Schedule::Decode => {
                let step = pass.micro_batch / p.micro_batches.max(1);
                format!("group {name}, step {step}")
            }
            Schedule::Prefill => format!("group {name}"),
            _ => format!("{kind}, micro-batch {name}"),
        };
        line = format!("{line}, stage {}", pass.stage);
        lines.push(line);
    }
    lines.push(format!(
        "{} to {}: {}",
        seconds(slot.start),
        seconds(slot.end),
        seconds(slot.end - slot.start)
    ));
    lines.join("\n")
}

fn legend(chart: &Chart, y: f64) -> String {
    let p = &chart.pipeline;
    let mut words = match p.schedule {
        Schedule::Prefill | Schedule::Decode => vec![("forward", "a group of requests")],
        _ => vec![("forward", "forward"), ("backward", "backward")],
    };
    if p.schedule.splits() {
        words = vec![
            ("forward", "forward"),
            (
                "backward",
                if p.schedule == Schedule::DualPipe {
                    "backward, all of it or gradients of inputs"
                } else {
                    "gradients of inputs"
                },
            ),
            ("weights", "gradients of weights"),
        ];
    }
    if p.chunks > 1 {
        words.push(("forward1", "lighter: every other chunk of layers"));
    } else if p.schedule == Schedule::DualPipe {
        words.push(("forward1", "lighter: from the last device"));
    } else if p.schedule == Schedule::Decode {
        words.push(("forward1", "lighter: every other step"));
    }
    words.push(("idle", "idle"));
    let (mut out, mut x) = (String::new(), LEFT);
    for (class, word) in words {
        out += &format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"14\" height=\"11\"/>\n\
             <text class=\"dim\" x=\"{:.1}\" y=\"{y:.1}\">{word}</text>\n",
            y - 9.5,
            x + 19.0
        );
        x += 44.0 + word.chars().count() as f64 * CHAR;
    }
    out
}

//! The timeline for a terminal: a row for each device, a column for some time.

use super::{Chart, Window};
use crate::drawing::seconds;
use crate::pipeline::{Kind, Schedule, Slot};

/// Columns for passes.
const WIDTH: usize = 104;
/// Rows before some are left out.
const ROWS: usize = 20;

/// The chart as text.
#[must_use]
pub fn text(chart: &Chart) -> String {
    let mut out = format!("{}\n", chart.title());
    for note in chart.notes() {
        out += &format!("  {note}\n");
    }
    out.push('\n');
    let scale = Scale::of(chart);
    let devices = chart.pipeline.devices;
    let margin = "device ".len() + devices.saturating_sub(1).to_string().len();
    for (device, slots) in chart.timeline.devices.iter().enumerate() {
        let shown = devices <= ROWS || device < ROWS / 2 || device >= devices - ROWS / 2;
        if !shown {
            if device == ROWS / 2 {
                let left = devices - ROWS / 2 * 2;
                out += &format!("{:>margin$} … {left} more devices, each a pass later\n", "");
            }
            continue;
        }
        let head = format!("device {device}");
        out += &format!("{head:margin$} │{}│\n", scale.row(chart, slots));
    }
    out += &format!("{:margin$}  {}\n", "", scale.axis(chart));
    if let Some(gap) = scale.gap {
        let left = chart.left_out(scale.window);
        let what = match chart.pipeline.schedule {
            Schedule::Prefill | Schedule::Decode => "groups",
            _ => "micro-batches",
        };
        out += &format!("… {} in the same way", seconds(gap));
        if left > 0 {
            out += &format!(", and with it {left} {what}");
        }
        out.push('\n');
    }
    out + &legend(chart)
}

struct Scale {
    /// Columns for a second.
    columns: f64,
    window: Window,
    /// Seconds that are left out.
    gap: Option<f64>,
    head: usize,
    tail: usize,
}

impl Scale {
    /// As wide as labels need, less where that shows nothing come back, and no wider than all.
    fn of(chart: &Chart) -> Self {
        let label = chart.pipeline.micro_batches.saturating_sub(1).to_string().len();
        let end = chart.timeline.end();
        let readable = (label + 2) as f64 / chart.shortest();
        let back = chart.first_back();
        let seen = if back > 0.0 { WIDTH as f64 * 0.5 / back } else { f64::INFINITY };
        let columns = readable.min(seen).max(WIDTH as f64 / end);
        let window = chart.window(WIDTH as f64 / columns);
        let gap = (window.tail > window.head).then_some(window.tail - window.head);
        let round = |t: f64| libm::round(t * columns) as usize;
        let head = round(window.head);
        let tail = if gap.is_some() { round(end - window.tail) } else { 0 };
        Self { columns, window, gap, head, tail }
    }

    fn row(&self, chart: &Chart, slots: &[Slot]) -> String {
        let mut head = vec![' '; self.head];
        let mut tail = vec![' '; self.tail];
        for slot in slots {
            paint(&mut head, slot, 0.0, self.columns, &chart.label(slot));
            paint(&mut tail, slot, self.window.tail, self.columns, &chart.label(slot));
        }
        let [head, tail] = [head, tail].map(|cells| cells.into_iter().collect::<String>());
        if self.gap.is_some() { format!("{head} … {tail}") } else { head }
    }

    /// The times at the ends of what is shown.
    fn axis(&self, chart: &Chart) -> String {
        let end = seconds(chart.timeline.end());
        let Some(_) = self.gap else { return format!("0{end:>w$}", w = self.head) };
        let (until, from) = (seconds(self.window.head), seconds(self.window.tail));
        let from_width = (self.tail + 1).saturating_sub(from.chars().count());
        format!("0{until:>h$}   {from}{end:>from_width$}", h = self.head)
    }
}

/// A slot in the row: its label, then its kind.
fn paint(cells: &mut [char], slot: &Slot, from: f64, columns: f64, label: &str) {
    let column = |t: f64| libm::round((t - from) * columns);
    let (start, end) = (column(slot.start), column(slot.end));
    if end <= 0.0 || start >= cells.len() as f64 {
        return;
    }
    let fill = match slot.passes.as_slice() {
        [pass] => letter(pass.kind),
        _ => '≡',
    };
    let width = end - start;
    // Kinds of passes are labelled or not, whatever the columns that one happens to fall into.
    let fits = (label.len() + 1) as f64 <= (slot.end - slot.start) * columns + 1e-9
        && (label.len() as f64) < width;
    let mut label = label.chars();
    for i in 0..width as usize {
        let at = start + i as f64;
        let cell = if fits { label.next().unwrap_or(fill) } else { fill };
        if at >= 0.0
            && let Some(place) = cells.get_mut(at as usize)
        {
            *place = cell;
        }
    }
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::Forward => '─',
        Kind::Backward => '═',
        Kind::Input => '━',
        Kind::Weights => '~',
    }
}

fn legend(chart: &Chart) -> String {
    match chart.pipeline.schedule {
        Schedule::Prefill | Schedule::Decode => "─ a group's pass; blank is idle\n".to_owned(),
        Schedule::ZeroBubbleH1 | Schedule::ZeroBubbleH2 => {
            "─ forward, ━ gradients of inputs, ~ gradients of weights; blank is idle\n".to_owned()
        }
        Schedule::DualPipe => "─ forward, ═ backward, ≡ both at once, ━ gradients of inputs, ~ \
                               gradients of weights; blank is idle\n"
            .to_owned(),
        _ => "─ forward, ═ backward; blank is idle\n".to_owned(),
    }
}

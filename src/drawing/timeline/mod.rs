//! The pipeline as a timeline: which device runs which pass of which micro-batch, and when.
//!
//! In: a lowered scenario. Out: a [`Chart`], and one file for each way to write it: [`text`],
//! [`svg`], [`json`]. Where there are more passes than can be read, the middle is left out, and what
//! is left out is said.

pub mod json;
pub mod svg;
pub mod text;

use super::{Subject, seconds};
use crate::check::show_number;
use crate::expr::Graph;
use crate::lower::Lowered;
use crate::pipeline::{self, Kind, Pass, Pipeline, Schedule, Slot, Timeline};

/// A pipeline that was played through.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What is drawn.
    pub about: Subject,
    /// `step` in training, else the phase.
    pub phase: &'static str,
    /// The name of the schedule.
    pub schedule: String,
    /// What was played.
    pub pipeline: Pipeline,
    /// Who works when.
    pub timeline: Timeline,
    /// What the library's formula says of the same passes.
    pub formula: f64,
}

/// The part of the time that is shown: from the start until `head`, and from `tail` to the end.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Window {
    /// Until then.
    pub head: f64,
    /// From then on.
    pub tail: f64,
}

/// Plays the pipeline of a phase; an error says why there is none to see.
///
/// # Errors
///
/// Where the plan has no pipeline, the scenario has no such phase, or the schedule has no published
/// order for its numbers.
pub fn chart(graph: &Graph, lowered: &Lowered, phase: Option<&str>) -> Result<Chart, String> {
    let phases: Vec<&str> = lowered.pipelines.iter().map(|p| p.0).collect();
    if phases.is_empty() {
        return Err(format!(
            "the plan of `{}` has no pipeline: `shard layers over pp` makes one",
            lowered.name
        ));
    }
    let wanted = match phase {
        Some("decode") => "decode.mid",
        Some(phase) => phase,
        None => phases.first().copied().unwrap_or_default(),
    };
    let Some((phase, of)) = lowered.pipelines.iter().find(|p| p.0 == wanted) else {
        let phases = phases.join(", ");
        return Err(format!("`{}` has no timeline of `{wanted}`; it has {phases}", lowered.name));
    };
    let played = pipeline::of_lowered(graph, of)
        .and_then(|pipeline| Some((pipeline::simulate(&pipeline)?, pipeline)));
    let Some((timeline, pipeline)) = played else {
        let [stages, m] = [of.stages, of.micro_batches].map(|id| show_number(graph.value(id)));
        let name = of.schedule;
        let too_many = pipeline::passes(graph, of) > pipeline::MOST;
        return Err(match name.text() {
            _ if too_many => {
                format!("{m} micro-batches through {stages} stages are too many to play")
            }
            "dual_pipe" => format!(
                "`dual_pipe` has no published order for {m} micro-batches on {stages} stages; it \
                 takes an even number of stages, and at least twice as many micro-batches"
            ),
            name => format!("`{name}` has no order for {m} micro-batches on {stages} stages"),
        });
    };
    Ok(Chart {
        about: Subject::of(lowered),
        phase,
        schedule: of.schedule.text().to_owned(),
        pipeline,
        timeline,
        formula: graph.value(of.time),
    })
}

impl Chart {
    /// What stands above the picture.
    #[must_use]
    pub fn title(&self) -> String {
        let what = match self.pipeline.schedule {
            Schedule::Prefill => "prefill",
            Schedule::Decode => "decode",
            _ => "a step",
        };
        format!("{}: {what} of {} over its pipeline", self.about.scenario, self.about.model)
    }

    /// What the picture shows, in lines.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let p = &self.pipeline;
        let serves = matches!(p.schedule, Schedule::Prefill | Schedule::Decode);
        let what = if serves { "groups of requests" } else { "micro-batches" };
        let mut first = format!("{} on {}", self.about.plan, self.about.system);
        if !serves {
            first = format!("{first}, {}", p.schedule.title());
        }
        first = format!("{first}: {}", plural(p.devices, "stage"));
        if p.chunks > 1 {
            first = format!("{first} with {} each", plural(p.chunks, "chunk"));
        }
        first = format!("{first}, {} {what}", p.micro_batches);
        let mut lines = vec![first];
        let time = p.time(&self.timeline);
        let idle = 100.0 * self.idle();
        lines.push(match p.schedule {
            Schedule::Decode => format!(
                "a step follows another after {}, when all are under way; devices are idle for \
                 {idle:.1} % of it",
                seconds(time)
            ),
            Schedule::Prefill => {
                format!("all have passed after {}; devices are idle for {idle:.1} % of it", {
                    seconds(time)
                })
            }
            Schedule::ZeroBubbleH1 | Schedule::ZeroBubbleH2 => format!(
                "each device works for {} from its first pass to its last, then goes on to the \
                 next step; {idle:.1} % of it is idle",
                seconds(time)
            ),
            _ => format!("all passes take {}; devices are idle for {idle:.1} % of it", {
                seconds(time)
            }),
        });
        lines.extend(self.agreement(time));
        if !serves {
            lines.push("the update and collectives of the whole step come after it".to_owned());
        }
        lines
    }

    /// Where the formula of the library says otherwise.
    fn agreement(&self, time: f64) -> Option<String> {
        let error = self.formula / time - 1.0;
        (error.abs() > 5e-4).then(|| {
            format!(
                "the closed form that `step` is reckoned with says {}, {:.1} % {}",
                seconds(self.formula),
                100.0 * error.abs(),
                if error > 0.0 { "more" } else { "less" }
            )
        })
    }

    /// The share of the time in which devices wait, the mean over all.
    #[must_use]
    pub fn idle(&self) -> f64 {
        let p = &self.pipeline;
        let time = p.time(&self.timeline);
        let busy: f64 = (0..p.devices).map(|d| self.timeline.busy(d)).sum();
        (1.0 - busy / self.steps() / (time * p.devices as f64)).max(0.0)
    }

    /// Steps of decoding that were played; else it is one.
    fn steps(&self) -> f64 {
        if self.pipeline.schedule != Schedule::Decode {
            return 1.0;
        }
        let passes = self.timeline.devices.first().map_or(0, Vec::len);
        (passes / self.pipeline.micro_batches.max(1)) as f64
    }

    /// The shortest forward pass that takes time.
    fn shortest(&self) -> f64 {
        let times = self.pipeline.times.iter().map(|t| t[0]).filter(|t| *t > 0.0);
        times.fold(f64::INFINITY, f64::min).min(self.timeline.end())
    }

    /// When something first comes back to the first device.
    fn first_back(&self) -> f64 {
        let first = self.timeline.devices.first().into_iter().flatten();
        let mut back = first.filter(|s| s.passes.iter().any(|p| p.kind != Kind::Forward));
        back.next().map_or(0.0, |s| s.end)
    }

    /// What is shown where so much time has room: all of it, or the start and the end.
    #[must_use]
    pub fn window(&self, room: f64) -> Window {
        let end = self.timeline.end();
        if end <= room * (1.0 + 1e-9) {
            return Window { head: end, tail: end };
        }
        Window { head: room * 0.62, tail: end - room * 0.38 }
    }

    /// Micro-batches of which nothing is shown.
    #[must_use]
    pub fn left_out(&self, window: Window) -> usize {
        let count = self.pipeline.micro_batches * self.steps().max(1.0) as usize;
        let mut shown = vec![false; count];
        for slot in self.timeline.devices.iter().flatten() {
            if slot.start < window.head || slot.end > window.tail {
                for pass in &slot.passes {
                    shown.get_mut(pass.micro_batch).into_iter().for_each(|s| *s = true);
                }
            }
        }
        shown.iter().filter(|s| !**s).count()
    }

    /// What a slot is called: its micro-batches, and in decoding the request's group.
    fn label(&self, slot: &Slot) -> String {
        let name = |pass: &Pass| match self.pipeline.schedule {
            Schedule::Decode => pass.micro_batch % self.pipeline.micro_batches.max(1),
            _ => pass.micro_batch,
        };
        slot.passes.iter().map(|p| name(p).to_string()).collect::<Vec<_>>().join("+")
    }

    /// The chunk of layers on its device, if there are several.
    #[must_use]
    pub fn chunk(&self, pass: Pass) -> usize {
        match self.pipeline.schedule {
            Schedule::DualPipe => pass.direction,
            _ => pass.stage / self.pipeline.devices.max(1),
        }
    }
}

fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

//! Times of questions, the processor's share of them, and what they are held to.

use std::time::{Duration, Instant};

use crate::common::Client;

/// What was printed, and what missed its limit.
#[derive(Default)]
pub struct Book {
    pub missed: Vec<String>,
}

/// How long each of several took, and the processor time of the server for all of them.
pub struct Times {
    each: Vec<Duration>,
    processor: Duration,
}

impl Times {
    /// From before `one` until the moment that it gives: when its last message had come in.
    pub fn answered(
        client: &mut Client,
        count: usize,
        mut one: impl FnMut(&mut Client, usize) -> Instant,
    ) -> Self {
        let before = processor(client);
        let mut each = Vec::new();
        for i in 0..count {
            let start = Instant::now();
            let end = one(client, i);
            each.push(end.saturating_duration_since(start));
        }
        Self { each, processor: processor(client).saturating_sub(before) }
    }
    pub fn alone(each: Vec<Duration>) -> Self {
        Self { each, processor: Duration::ZERO }
    }
    fn at(&self, share: f64) -> f64 {
        let mut each = self.each.clone();
        each.sort();
        let i = ((each.len() as f64 * share) as usize).min(each.len() - 1);
        each[i].as_secs_f64() * 1e3
    }
}

impl Book {
    /// Prints a line and notes whether the limit, in milliseconds, holds for 95 of 100.
    pub fn enter(&mut self, what: &str, times: &Times, limit: f64) {
        let (half, most) = (times.at(0.5), times.at(0.95));
        let mark = if most <= limit { "" } else { "  MISSED" };
        let processor = times.processor.as_secs_f64() * 1e3 / times.each.len() as f64;
        println!(
            "{what:<58} median {half:7.2}  p95 {most:7.2}  processor {processor:6.2}  limit {limit:4.0} ms{mark}"
        );
        if most > limit {
            self.missed.push(what.to_owned());
        }
    }
}

/// What all threads of the server have run so far; nothing where the system does not say.
fn processor(client: &Client) -> Duration {
    let tasks = format!("/proc/{}/task", client.child.id());
    let tasks = std::fs::read_dir(tasks).into_iter().flatten().flatten();
    let times = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

/// Resident memory of the server in MB.
pub fn memory(client: &Client) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", client.child.id())).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1000
}

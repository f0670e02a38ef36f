//! One thread of a sweep: chunk after chunk of points, until there are no more or something is wrong.

use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::answer::Answer;
use super::code::Points;
use super::compile::Compiler;
use super::run::{AHEAD, CHUNK, Message, Shared, Writer};
use super::space::Space;
use super::worker::{Block, Worker};
use crate::diagnostic::Diagnostic;

/// One thread: chunk after chunk. What is wrong ends it.
pub(super) fn chunks_of(
    shared: &Shared<'_>,
    compiler: &mut Compiler,
    sender: &Sender<Message>,
    write: Option<Writer<'_>>,
) -> Result<(), Vec<Diagnostic>> {
    let mut thread = Thread::new(shared.space);
    thread.get_ready(shared, compiler)?;
    loop {
        let chunk = shared.next.fetch_add(1, Ordering::Relaxed);
        let from = shared.from + chunk * CHUNK;
        if from >= shared.to || !may_start(shared, chunk) {
            return Ok(());
        }
        let to = (from + CHUNK).min(shared.to);
        let mut answer = Answer::new(shared.definition, shared.top, shared.cloud);
        let mut rows = Vec::new();
        let best = shared.best.read().map(|b| b.clone()).ok();
        let numbers: Vec<u64> = match shared.sample {
            None => (from..to).collect(),
            Some(sample) => {
                let drawn = (from..to).map(|i| shared.space.sampled(sample, i));
                let mut drawn: Vec<u64> = drawn.collect();
                drawn.sort_unstable();
                drawn
            }
        };
        let mut rest = numbers.as_slice();
        while let Some(&first) = rest.first() {
            let end = shared.space.family_end(first);
            let (own, others) = rest.split_at(rest.partition_point(|n| *n < end));
            rest = others;
            if !thread.compute(shared, compiler, own, shared.sample.is_none())? {
                return Ok(());
            }
            answer.add(shared.definition, &thread.block, own, best.as_deref());
            if let Some(write) = write {
                write(own, &thread.block, &mut rows);
            }
        }
        let answer = Box::new(answer);
        if sender.send(Message::Done { chunk, answer, rows }).is_err() {
            return Ok(());
        }
    }
}

/// What a thread computes with.
struct Thread {
    worker: Worker,
    block: Block,
    columns: Vec<Vec<f64>>,
    combinations: Vec<u32>,
}

/// So few choices are looked at before the rest, all at once on several threads.
const FEW: u64 = 256;

/// How many points of each.
const LOOKS: u64 = 128;

impl Thread {
    fn new(space: &Space) -> Self {
        Self {
            worker: Worker::default(),
            block: Block::default(),
            columns: vec![Vec::new(); space.columns() - space.outer().columns],
            combinations: Vec::new(),
        }
    }

    /// Results of points of one combination of choices; false where the run ends.
    fn compute(
        &mut self,
        shared: &Shared<'_>,
        compiler: &mut Compiler,
        points: &[u64],
        follow: bool,
    ) -> Result<bool, Vec<Diagnostic>> {
        let Some(&first) = points.first() else { return Ok(true) };
        let Some(family) = shared.family(shared.space.family(first)) else { return Ok(false) };
        let Self { worker, block, columns, combinations } = self;
        columns.iter_mut().for_each(Vec::clear);
        combinations.clear();
        let (space, count) = (shared.space, points.len());
        match follow {
            true => space.fill_split(first, count as u64, combinations, columns),
            false => points.iter().for_each(|n| space.split(*n, combinations, columns)),
        }
        let outer = space.outer();
        let outer = (outer.columns > 0).then_some((outer.as_ref(), combinations.as_slice()));
        let mut wrong = None;
        let mut missing = |at: usize, seen: usize| {
            let point = points.get(at).copied().unwrap_or(first);
            match shared.make(compiler, &family, seen, point) {
                Ok(made) => made,
                Err(found) => {
                    wrong = Some(found);
                    false
                }
            }
        };
        let points = Points { count, outer, columns };
        let outputs = shared.outputs;
        let whole = worker.evaluate(&family.variants, points, outputs, block, &mut missing);
        wrong.map_or(Ok(whole), Err)
    }

    /// Makes the variants that many points need, each choice in a thread of its own.
    fn get_ready(
        &mut self,
        shared: &Shared<'_>,
        compiler: &mut Compiler,
    ) -> Result<(), Vec<Diagnostic>> {
        let families = shared.space.families();
        let each = shared.space.points() / families.max(1);
        if families > FEW || shared.to - shared.from < families * LOOKS * 8 {
            return Ok(());
        }
        // The choices that are asked for at all.
        let (first, last) = match shared.sample {
            Some(_) => (0, families - 1),
            None => (shared.space.family(shared.from), shared.space.family(shared.to - 1)),
        };
        loop {
            let family = first + shared.ready.fetch_add(1, Ordering::Relaxed);
            if family > last || shared.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            // Steps that share no factor with the usual sizes of axes.
            let step = (each / LOOKS).max(1) | 1;
            let mut points: Vec<u64> =
                (0..LOOKS).map(|i| family * each + i * step % each.max(1)).collect();
            points.sort_unstable();
            points.dedup();
            self.compute(shared, compiler, &points, false)?;
        }
    }
}

/// Waits until a chunk is not too far ahead; false where the run ends.
fn may_start(shared: &Shared<'_>, chunk: u64) -> bool {
    let Ok(mut taken) = shared.taken.lock() else { return false };
    loop {
        if shared.stop.load(Ordering::Relaxed) {
            return false;
        }
        if chunk < *taken + AHEAD {
            return true;
        }
        match shared.moved.wait_timeout(taken, Duration::from_millis(100)) {
            Ok((guard, _)) => taken = guard,
            Err(_) => return false,
        }
    }
}

//! All points of a sweep, on all cores.
//!
//! Threads (`thread.rs`) take chunks of points in order, and lower the scenario where a new structure
//! turns up; the main one takes in what they found. What is reported is always a whole run of points from
//! the first on, however early it is stopped. Memory does not grow with the number of points.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::answer::Answer;
use super::compile::{Compiler, Made};
use super::define::Definition;
use super::front::Front;
use super::space::{Sample, Space};
use super::thread::chunks_of;
use super::variant::{Outcome, Output};
use super::worker::{Block, Variants};
use crate::diagnostic::Diagnostic;

/// Points that a thread takes at a time.
pub(super) const CHUNK: u64 = 16_384;
/// How far threads may run ahead of what is taken in, in chunks.
pub(super) const AHEAD: u64 = 64;

/// A part of all points: the `index`-th of `count`, from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Which.
    pub index: u64,
    /// Of how many.
    pub count: u64,
}

/// Written by threads for each chunk: rows of a table.
pub type Writer<'a> = &'a (dyn Fn(&[u64], &Block, &mut Vec<u8>) + Sync);

/// How to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads; 0 for as many as there are cores.
    pub threads: usize,
    /// Which part of the points.
    pub part: Part,
    /// How many points of that part to pass over: they were done before.
    pub skip: u64,
    /// Points at random instead of all.
    pub sample: Option<Sample>,
    /// The best so many, instead of the front.
    pub top: Option<usize>,
    /// How many other points to keep for a picture.
    pub cloud: usize,
}

impl Default for Options {
    fn default() -> Self {
        let part = Part { index: 0, count: 1 };
        Self { threads: 0, part, skip: 0, sample: None, top: None, cloud: 0 }
    }
}

/// Set from outside to stop early.
#[derive(Clone, Debug, Default)]
pub struct Stop(pub Arc<AtomicBool>);

impl Stop {
    fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Points taken in.
    pub done: u64,
    /// Points to take in.
    pub all: u64,
    /// Since the start.
    pub elapsed: Duration,
}

/// What a run gives.
#[derive(Debug)]
pub struct Ran {
    /// What came of the points.
    pub answer: Answer,
    /// What the outputs are; empty where no point has results.
    pub outputs: Vec<Output>,
    /// The positions that were looked at: from, to (of the part and sample as asked).
    pub from: u64,
    /// Up to and without this one.
    pub to: u64,
    /// Where the part ends.
    pub end: u64,
    /// How many points all parts have.
    pub all: u64,
    /// Why nothing more was written.
    pub failed: Option<io::Error>,
}

/// What threads tell the main one.
pub(super) enum Message {
    /// Something is wrong with the sweep at every point alike; with the compiler that says so.
    Wrong(Vec<Diagnostic>, Box<Compiler>),
    /// A chunk is done.
    Done { chunk: u64, answer: Box<Answer>, rows: Vec<u8> },
    /// A thread ended.
    Ended,
}

/// One combination of choices.
#[derive(Default)]
pub(super) struct Family {
    pub(super) variants: Variants,
    /// Held while a variant is made, so that no two threads make the same one.
    making: Mutex<()>,
}

/// What all threads share.
pub(super) struct Shared<'a> {
    pub(super) space: &'a Space,
    pub(super) definition: &'a Definition,
    families: Mutex<FxHashMap<u64, Arc<Family>>>,
    /// What the outputs are, as soon as a point has results.
    known: Mutex<Vec<Output>>,
    pub(super) next: AtomicU64,
    /// How many choices were looked at.
    pub(super) ready: AtomicU64,
    pub(super) taken: Mutex<u64>,
    pub(super) moved: Condvar,
    /// Points that beat many, as a first sieve.
    pub(super) best: RwLock<Arc<Front>>,
    pub(super) stop: AtomicBool,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) sample: Option<Sample>,
    pub(super) top: Option<usize>,
    pub(super) cloud: usize,
    pub(super) outputs: usize,
}

/// Runs a sweep. `write` makes rows of points, `emit` gets them in order; a write that fails ends
/// the run in good order.
///
/// # Errors
/// What is wrong with the scenario whatever varies, or with what was found on the way.
pub fn run(
    compiler: &mut Compiler,
    space: &Space,
    options: &Options,
    stop: &Stop,
    write: Option<Writer<'_>>,
    emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Ran, Vec<Diagnostic>> {
    let definition = compiler.definition().clone();
    let all = options.sample.map_or(space.points(), |s| s.count);
    let bound = |i: u64| {
        let share = u128::from(all) * u128::from(i) / u128::from(options.part.count.max(1));
        u64::try_from(share).unwrap_or(all)
    };
    let (start, end) = (bound(options.part.index), bound(options.part.index + 1));
    let from = (start + options.skip).min(end);
    let shared = Shared {
        space,
        definition: &definition,
        families: Mutex::default(),
        known: Mutex::default(),
        next: AtomicU64::new(0),
        ready: AtomicU64::new(0),
        taken: Mutex::new(0),
        moved: Condvar::new(),
        best: RwLock::new(Arc::new(Front::new(None))),
        stop: AtomicBool::new(false),
        from,
        to: end,
        sample: options.sample,
        top: options.top,
        cloud: options.cloud,
        outputs: 1
            + definition.conditions.len()
            + definition.goals.len()
            + definition.columns.len()
            + EXPECTATIONS,
    };
    let chunks = (end - from).div_ceil(CHUNK);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = if options.threads == 0 { cores } else { options.threads };
    let threads = threads.min(chunks.max(1) as usize);
    let (sender, receiver) = mpsc::channel();
    let mut taking = Taking {
        answer: Answer::new(&definition, options.top, options.cloud),
        waiting: BTreeMap::new(),
        next: 0,
        wrong: None,
        failed: None,
        started: Instant::now(),
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, shared, mut compiler) = (sender.clone(), &shared, compiler.clone());
            scope.spawn(move || {
                if let Err(found) = chunks_of(shared, &mut compiler, &sender, write) {
                    let _ = sender.send(Message::Wrong(found, Box::new(compiler)));
                }
                let _ = sender.send(Message::Ended);
            });
        }
        drop(sender);
        taking.take_in(&receiver, threads, compiler, &shared, stop, emit, progress);
    });
    if let Some(wrong) = taking.wrong {
        return Err(wrong);
    }
    let to = (from + taking.next * CHUNK).min(end);
    let outputs = shared.known.into_inner().unwrap_or_default();
    let (answer, failed) = (taking.answer, taking.failed);
    Ok(Ran { answer, outputs, from, to, end, all, failed })
}

/// Room for expectations of the scenario: results that a point has or has not.
const EXPECTATIONS: usize = 16;

/// The main thread's side.
struct Taking {
    answer: Answer,
    waiting: BTreeMap<u64, (Box<Answer>, Vec<u8>)>,
    next: u64,
    wrong: Option<Vec<Diagnostic>>,
    failed: Option<io::Error>,
    started: Instant,
}

impl Taking {
    #[allow(clippy::too_many_arguments)] // the two sides of a run
    fn take_in(
        &mut self,
        receiver: &Receiver<Message>,
        threads: usize,
        compiler: &mut Compiler,
        shared: &Shared<'_>,
        stop: &Stop,
        emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
        progress: &mut dyn FnMut(Progress),
    ) {
        let mut running = threads;
        let mut shown = Instant::now();
        while running > 0 {
            if stop.asked() {
                shared.end();
            }
            let message = match receiver.recv_timeout(Duration::from_millis(100)) {
                Ok(message) => message,
                Err(mpsc::RecvTimeoutError::Timeout) => continue,
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            };
            match message {
                Message::Ended => running -= 1,
                Message::Wrong(found, other) => {
                    self.wrong = Some(found);
                    *compiler = *other;
                    shared.end();
                }
                Message::Done { chunk, answer, rows } => {
                    self.waiting.insert(chunk, (answer, rows));
                    self.drain(shared, emit);
                    if shown.elapsed() > Duration::from_millis(200) {
                        shown = Instant::now();
                        let done = (self.next * CHUNK).min(shared.to - shared.from);
                        let all = shared.to - shared.from;
                        progress(Progress { done, all, elapsed: self.started.elapsed() });
                    }
                }
            }
        }
        self.drain(shared, emit);
    }

    /// Takes in the chunks that are next.
    fn drain(&mut self, shared: &Shared<'_>, emit: &mut dyn FnMut(&[u8]) -> io::Result<()>) {
        let before = self.next;
        while self.failed.is_none()
            && let Some((answer, rows)) = self.waiting.remove(&self.next)
        {
            if !rows.is_empty()
                && let Err(error) = emit(&rows)
            {
                self.failed = Some(error);
                shared.end();
                break;
            }
            self.answer.merge(*answer);
            self.next += 1;
        }
        if self.next > before {
            if let Ok(mut best) = shared.best.write()
                && shared.top.is_none()
            {
                *best = Arc::new(self.answer.front.leaders());
            }
            if let Ok(mut taken) = shared.taken.lock() {
                *taken = self.next;
            }
            shared.moved.notify_all();
        }
    }
}

impl Shared<'_> {
    /// Tells all threads to end.
    fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.moved.notify_all();
    }

    pub(super) fn family(&self, family: u64) -> Option<Arc<Family>> {
        Some(self.families.lock().ok()?.entry(family).or_default().clone())
    }

    /// Makes the variant of a point, if nobody else has made it; `seen` are those that were tried.
    /// False where the run ends.
    pub(super) fn make(
        &self,
        compiler: &mut Compiler,
        family: &Family,
        seen: usize,
        point: u64,
    ) -> Result<bool, Vec<Diagnostic>> {
        let Ok(_making) = family.making.lock() else { return Ok(false) };
        if self.stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        if family.variants.read().is_ok_and(|list| list.len() > seen) {
            return Ok(true);
        }
        let variant = match compiler.make(self.space, point) {
            Made::Variant(variant) => variant,
            Made::Wrong(found) => return Err(found),
        };
        if let (Ok(mut known), Outcome::Results { outputs, .. }) =
            (self.known.lock(), &variant.outcome)
        {
            if known.is_empty() {
                known.clone_from(outputs);
            }
            // What some points have is a column, empty at the others.
            let lacking = known.iter_mut().zip(outputs).filter(|(is, own)| !is.known && own.known);
            lacking.for_each(|(is, own)| is.clone_from(own));
        }
        Ok(family.variants.write().map(|mut list| list.push(Arc::new(variant))).is_ok())
    }
}

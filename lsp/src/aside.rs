//! The thread that evaluates scenarios, so that no answer to typing waits for one.
//!
//! In: questions, each with the texts of the moment it was asked. Out: answers about exactly these
//! texts. What a scenario came to is kept until a text changes.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use mesa::Program;
use mesa::check::{ModuleId, Prints};
use mesa::ide::View;
use mesa::ide::facts::{Facts, facts};
use serde_json::Value;
use tower_lsp::jsonrpc::{Error, Result};

use crate::client::Outbox;
use crate::pipe::Reply;
use crate::session::Copy;
use crate::worker::STACK;

/// How to answer, once the scenarios can be evaluated.
pub(crate) type Ask = Box<dyn FnOnce(&mut Scenarios<'_>) -> Result<Value> + Send>;

/// A question that needs evaluation.
pub(crate) struct Question {
    pub(crate) ask: (String, u64, Ask),
    pub(crate) copy: Copy,
    pub(crate) reply: Reply,
}

/// What was found out about the texts of one moment, for one document.
#[derive(Default)]
struct Known {
    stamp: u64,
    facts: HashMap<String, Option<Arc<Facts>>>,
    prints: Option<Prints>,
}

/// A document whose scenarios can be evaluated.
pub(crate) struct Scenarios<'a> {
    pub(crate) copy: &'a Copy,
    pub(crate) program: &'a Program,
    pub(crate) module: ModuleId,
    known: &'a mut Known,
}

impl<'a> Scenarios<'a> {
    /// What a scenario comes to.
    pub(crate) fn of(&mut self, name: &str) -> Option<Arc<Facts>> {
        if let Some(known) = self.known.facts.get(name) {
            return known.clone();
        }
        let found = facts(self.program, self.module, name).map(Arc::new);
        self.known.facts.insert(name.to_owned(), found.clone());
        found
    }
    /// The document.
    pub(crate) fn view(&self) -> View<'a> {
        View::new(self.program, self.module)
    }
    /// The scenarios that what stands at a byte matters to, at most `most`.
    pub(crate) fn using(&mut self, byte: u32, most: usize) -> Vec<Arc<Facts>> {
        let view = self.view();
        let prints = self.known.prints.get_or_insert_with(|| Prints::of(view.program));
        let names = mesa::ide::facts::scenarios_using(&view, prints, byte);
        names.iter().take(most).filter_map(|name| self.of(name.text())).collect()
    }
}

/// Starts the thread; it ends when its queue does.
pub(crate) fn start(_: Outbox) -> Sender<Question> {
    let (sender, receiver) = channel();
    let run = move || serve(&receiver);
    if let Err(error) = Builder::new().name("aside".into()).stack_size(STACK).spawn(run) {
        eprintln!("mesa-lsp cannot start to evaluate: {error}");
    }
    sender
}

fn serve(questions: &Receiver<Question>) {
    let mut known: HashMap<String, Known> = HashMap::new();
    let mut programs: HashMap<String, (u64, Option<(Program, ModuleId)>)> = HashMap::new();
    while let Ok(Question { ask: (name, stamp, ask), copy, reply }) = questions.recv() {
        if reply.is_cancelled() {
            reply.send(Err(Error::request_cancelled()));
            continue;
        }
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let program = match programs.get(&name) {
                Some((at, _)) if *at == stamp => None,
                _ => Some(copy.texts.program(&name)),
            };
            if let Some(program) = program {
                programs.retain(|_, (_, p)| p.is_some());
                programs.insert(name.clone(), (stamp, program));
                known.insert(name.clone(), Known { stamp, ..Known::default() });
            }
            let own = known.entry(name.clone()).or_default();
            debug_assert_eq!(own.stamp, stamp);
            let Some((_, Some((program, module)))) = programs.get(&name) else {
                return Ok(Value::Null);
            };
            ask(&mut Scenarios { copy: &copy, program, module: *module, known: own })
        }));
        if answer.is_err() {
            known.remove(&name);
            programs.remove(&name);
        }
        reply.send(answer.unwrap_or_else(|_| Err(Error::internal_error())));
        // A few documents are enough to remember.
        if programs.len() > 8 {
            programs.retain(|other, _| *other == name);
            known.retain(|other, _| *other == name);
        }
    }
}

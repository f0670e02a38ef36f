//! The thread that evaluates scenarios, so that no answer to typing waits for one.
//!
//! In: questions, each about the program of the moment it was asked. Out: answers about exactly
//! this. What a scenario came to is kept until something that it uses is edited; what was asked
//! about one version of a document is evaluated for the next before anybody asks.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use mesa::Program;
use mesa::check::ModuleId;
use mesa::ide::facts::Facts;
use mesa::ide::shelf::Shelf;
use mesa::ide::{Loaded, View};
use mesa::name::Name;
use serde_json::Value;
use tower_lsp::jsonrpc::{Error, Result};

use crate::client::{Out, Outbox};
use crate::pipe::Reply;
use crate::session::Copy;
use crate::worker::STACK;

/// How to answer, once the scenarios can be evaluated.
pub(crate) type Ask = Box<dyn FnOnce(&mut Scenarios<'_>) -> Result<Value> + Send>;

/// A document at one moment.
pub(crate) struct Moment {
    pub(crate) name: String,
    pub(crate) stamp: u64,
    pub(crate) loaded: Arc<Loaded>,
}

/// What the thread is told.
pub(crate) enum Question {
    /// A question that needs evaluation.
    Asked { moment: Moment, ask: Ask, copy: Copy, reply: Reply },
    /// There is a new version of a document.
    Edited(Moment),
    /// A document was closed.
    Closed(String),
}

/// What was found out about one document.
#[derive(Default)]
struct Known {
    stamp: u64,
    loaded: Option<Arc<Loaded>>,
    shelf: Shelf,
}

/// A document whose scenarios can be evaluated.
pub(crate) struct Scenarios<'a> {
    pub(crate) copy: &'a Copy,
    pub(crate) program: &'a Program,
    pub(crate) module: ModuleId,
    shelf: &'a mut Shelf,
    /// When whoever asked has waited long enough.
    deadline: Instant,
    /// Those that were left out for that.
    late: &'a mut Vec<Name>,
}

impl<'a> Scenarios<'a> {
    /// What a scenario comes to.
    pub(crate) fn of(&mut self, name: &str) -> Option<Arc<Facts>> {
        self.shelf.facts(self.program, self.module, name)
    }
    /// What its lens says.
    pub(crate) fn lens(&mut self, name: &str) -> Option<String> {
        self.shelf.lens(self.program, self.module, name)
    }
    /// How a result of a scenario came about, in Markdown.
    pub(crate) fn derivation(&mut self, scenario: &str, path: &str) -> Arc<str> {
        self.shelf.derivation(self.program, self.module, scenario, path)
    }
    /// The document.
    pub(crate) fn view(&self) -> View<'a> {
        View::new(self.program, self.module)
    }
    /// The scenarios that what stands at a byte matters to, at most `most`.
    pub(crate) fn using(&mut self, byte: u32, most: usize) -> Vec<Arc<Facts>> {
        let names = self.names_using(byte);
        names.iter().take(most).filter_map(|name| self.of(name.text())).collect()
    }
    /// What they are called.
    pub(crate) fn names_using(&self, byte: u32) -> Vec<Name> {
        self.shelf.using(&self.view(), byte)
    }
    /// What a scenario comes to. A client that asks again when it is told to does not get one that
    /// is not known in time, and gets it when it asks again.
    pub(crate) fn soon(&mut self, name: Name) -> Option<Arc<Facts>> {
        let wait = !self.copy.peer.refresh_hints || Instant::now() < self.deadline;
        if wait || self.shelf.is_known(self.program, self.module, name) {
            return self.of(name.text());
        }
        self.late.push(name);
        None
    }
}

/// Starts the thread; it ends when its queue does.
pub(crate) fn start(outbox: Outbox) -> Sender<Question> {
    let (sender, receiver) = channel();
    let (known, queue, edited) = (HashMap::new(), VecDeque::new(), Vec::new());
    let aside = Aside { known, queue, edited, late: VecDeque::new(), outbox };
    let run = move || aside.serve(&receiver);
    if let Err(error) = Builder::new().name("aside".into()).stack_size(STACK).spawn(run) {
        eprintln!("mesa-lsp cannot start to evaluate: {error}");
    }
    sender
}

/// Documents that are remembered, at most.
const MOST: usize = 8;
/// How long a question about many scenarios waits for those that are not known yet.
const PATIENCE: Duration = Duration::from_millis(20);

struct Aside {
    known: HashMap<String, Known>,
    queue: VecDeque<Question>,
    /// Documents in which something may be left to evaluate before it is asked for.
    edited: Vec<String>,
    /// Scenarios of documents that an answer was given without.
    late: VecDeque<(String, Name)>,
    outbox: Outbox,
}

impl Aside {
    fn serve(mut self, questions: &Receiver<Question>) {
        loop {
            self.queue.extend(questions.try_iter());
            match self.queue.pop_front() {
                Some(question) => self.take(question),
                None if self.catch_up() || self.ahead() => {}
                None => match questions.recv() {
                    Ok(question) => self.queue.push_back(question),
                    Err(_) => return,
                },
            }
        }
    }

    fn take(&mut self, question: Question) {
        match question {
            Question::Closed(name) => {
                self.known.remove(&name);
            }
            Question::Edited(moment) => {
                // Only what was asked about before is looked at again.
                if self.known.contains_key(&moment.name) && !self.is_old(&moment) {
                    self.edited.retain(|name| *name != moment.name);
                    self.edited.push(moment.name.clone());
                    self.at(moment);
                }
            }
            Question::Asked { reply, .. } if reply.is_cancelled() => {
                reply.send(Err(Error::request_cancelled()));
            }
            Question::Asked { moment, ask, copy, reply } => {
                let name = moment.name.clone();
                let deadline = Instant::now() + PATIENCE;
                let mut late = Vec::new();
                let answer = catch_unwind(AssertUnwindSafe(|| {
                    let loaded = moment.loaded.clone();
                    let known = self.at(moment);
                    let (program, module) = (&loaded.program, loaded.module);
                    let (shelf, late) = (&mut known.shelf, &mut late);
                    ask(&mut Scenarios { copy: &copy, program, module, shelf, deadline, late })
                }));
                self.late.retain(|(other, _)| *other != name);
                self.late.extend(late.into_iter().map(|scenario| (name.clone(), scenario)));
                if answer.is_err() {
                    self.known.remove(&name);
                }
                reply.send(answer.unwrap_or_else(|_| Err(Error::internal_error())));
                // A few documents are enough to remember.
                if self.known.len() > MOST {
                    self.known.retain(|other, _| *other == name);
                }
            }
        }
    }

    /// Whether another version of the document waits in the queue.
    fn is_old(&self, moment: &Moment) -> bool {
        self.queue.iter().any(|question| match question {
            Question::Edited(other) => other.name == moment.name,
            _ => false,
        })
    }

    /// What is known of a document, at this moment of it.
    fn at(&mut self, moment: Moment) -> &mut Known {
        let known = self.known.entry(moment.name).or_default();
        if known.loaded.is_none() || known.stamp != moment.stamp {
            let Loaded { program, module, .. } = &*moment.loaded;
            known.shelf.renew_with(program, *module, moment.loaded.prints().clone());
            known.stamp = moment.stamp;
            known.loaded = Some(moment.loaded);
        }
        known
    }

    /// Evaluates one scenario that an answer was given without, and has the client ask again after
    /// the last; whether there was one.
    fn catch_up(&mut self) -> bool {
        let Some((name, scenario)) = self.late.pop_front() else { return false };
        let done = catch_unwind(AssertUnwindSafe(|| {
            let Some(known) = self.known.get_mut(&name) else { return };
            let Some(Loaded { program, module, .. }) = known.loaded.as_deref() else { return };
            known.shelf.again(program, *module, scenario);
        }));
        if done.is_err() {
            self.known.remove(&name);
        }
        if self.late.is_empty() {
            let _ = self.outbox.send(Out::RefreshHints);
        }
        true
    }

    /// Evaluates one scenario that is likely to be asked for again; whether there was one.
    fn ahead(&mut self) -> bool {
        let Some(name) = self.edited.last().cloned() else { return false };
        let Some(known) = self.known.get_mut(&name) else {
            self.edited.pop();
            return true;
        };
        let done = catch_unwind(AssertUnwindSafe(|| {
            let Some(Loaded { program, module, .. }) = known.loaded.as_deref() else {
                return false;
            };
            let scenario = known.shelf.outdated(program, *module);
            scenario.map(|s| known.shelf.again(program, *module, s)).is_some()
        }));
        match done {
            Ok(true) => {}
            Ok(false) => {
                self.edited.pop();
            }
            Err(_) => {
                self.edited.pop();
                self.known.remove(&name);
            }
        }
        true
    }
}

//! What the launcher's thread does: children, templates, and their ends.

use super::launcher::{Errand, Failure, OnExit, Order, Way, executable, run_executable};
use super::preload;
use super::template::{Origin, Pending, Said, Template, name_of};
use super::{VARIABLE, bootstrap};
use procession_os::copy;
use procession_os::exit_watch::Watcher;
use procession_os::own_thread::OwnThread;
use procession_os::process::{Child, Exit};
use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// The child at which a template begins to pay: for one or two it does not.
const TEMPLATE_FROM: u64 = 3;

/// Why a copy of the program cannot be forked.
const COPY_GONE: &str =
    "the copy of the program that the workers are forked from has ended, and cannot be made again";

/// The launcher's thread at work.
pub(super) struct Desk<'a> {
    watcher: &'a Watcher,
    /// Those that were not reaped, by the token of their watch; and who is to be told of their ends,
    /// until they were.
    children: HashMap<u64, (Arc<Child>, Option<OnExit>)>,
    /// Those that were not reaped, by the token of their watch; the next one watches the channel.
    templates: HashMap<u64, Template>,
    /// Those that have ended and have no status yet, and when that is no longer waited for; the
    /// earliest first.
    withheld: VecDeque<(Instant, u64)>,
    next_token: u64,
    launched: u64,
    /// Of a template that could not be forked: another one like it could not either.
    refused: Option<Origin>,
    /// How copies of the program ended that are not dismissed, and whether they had been ready.
    lost_copies: HashMap<u64, (Exit, bool)>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(watcher: &'a Watcher) -> Self {
        Self {
            watcher,
            children: HashMap::new(),
            templates: HashMap::new(),
            withheld: VecDeque::new(),
            next_token: 0,
            launched: 0,
            refused: None,
            lost_copies: HashMap::new(),
        }
    }

    /// Works for as long as the process lives.
    pub(super) fn serve(mut self, own: &mut OwnThread, errands: &Receiver<Errand>) {
        let mut tokens = Vec::new();
        loop {
            while let Ok(errand) = errands.try_recv() {
                self.run(errand);
            }
            let timeout =
                self.withheld.front().map(|(due, _)| due.saturating_duration_since(Instant::now()));
            if own.rest(|| self.watcher.wait(&mut tokens, timeout)).is_err() {
                // Nothing can be watched any more: a defect of the system, not of a child. Poll.
                tokens.clear();
                tokens.extend(self.children.keys());
                tokens.extend(self.templates.keys().flat_map(|token| [*token, token + 1]));
                std::thread::sleep(Duration::from_millis(10));
            }
            tokens.extend(self.no_longer_withheld());
            for token in tokens.drain(..) {
                if self.children.contains_key(&token) {
                    self.bury(token);
                } else if self.templates.contains_key(&token) {
                    self.bury_template(token);
                } else if token > 0 && self.templates.contains_key(&(token - 1)) {
                    self.hear(token - 1);
                }
            }
        }
    }

    fn run(&mut self, errand: Errand) {
        match errand {
            Errand::Launch(order) => self.launch(order),
            Errand::Retire(way) => {
                let late = self.templates.values_mut().filter(|it| it.is_forked_by(way));
                late.for_each(Template::retire);
            }
            Errand::Keep { child, on_exit, reply } => {
                let token = self.token();
                let watched = self.watcher.add(&child, token);
                match &watched {
                    Ok(()) => drop(self.children.insert(token, (child, Some(on_exit)))),
                    Err(_) => child.end(),
                }
                let _ = reply.send(watched);
            }
            Errand::Adopt(template) => {
                // One that is not watched is dead, and its orders are not answered.
                let _ = self.keep_template(*template);
            }
            Errand::Dismiss(number) => {
                self.lost_copies.remove(&number);
                if let Some(token) = self.find(&Origin::Copy(number)) {
                    self.templates.get_mut(&token).into_iter().for_each(Template::retire);
                }
                let copies = self.templates.values_mut();
                let dismissed = copies.filter(|it| it.origin == Origin::Copy(number));
                dismissed.for_each(|it| it.is_dismissed = true);
            }
        }
    }

    fn launch(&mut self, order: Order) {
        self.launched += 1;
        match order.way {
            // What is forked where it is asked for is no errand.
            Way::Spawn | Way::Here => self.spawn(order),
            Way::Copy(number) => match self.find(&Origin::Copy(number)) {
                Some(token) => self.fork(token, order),
                None => self.mourn(number, order),
            },
            Way::Preferred if self.has_refused(&origin()) => self.spawn(order),
            Way::Template | Way::Preferred => match self.template() {
                Ok(token) => self.fork(token, order),
                Err(error) => answer(order, Failure::System(error)),
            },
            Way::Fastest => self.launch_fastest(order),
        }
    }

    /// Answers an order for a child of a copy that is no more, with how it ended.
    fn mourn(&mut self, number: u64, order: Order) {
        let dying = self.templates.values_mut().find(|it| it.origin == Origin::Copy(number));
        match (dying, self.lost_copies.get(&number)) {
            (Some(template), _) => {
                template.waiting.push_back(Pending { on_exit: order.on_exit, reply: order.reply });
            }
            (None, Some((exit, was_ready))) => {
                let (exit, was_ready) = (*exit, *was_ready);
                answer(order, Failure::Lost { exit, was_ready });
            }
            (None, None) => answer(order, Failure::Refused(COPY_GONE.to_owned())),
        }
    }

    fn launch_fastest(&mut self, order: Order) {
        let origin = origin();
        match self.find(&origin) {
            Some(token) if self.templates[&token].is_ready => self.fork(token, order),
            Some(_) => self.spawn(order),
            None => {
                self.spawn(order);
                if self.launched >= TEMPLATE_FROM && !self.has_refused(&origin) {
                    // For those that come; if there is none, they are spawned, too.
                    let _ = self.start_template(origin);
                }
            }
        }
    }

    fn has_refused(&self, origin: &Origin) -> bool {
        self.refused.as_ref() == Some(origin)
    }

    /// Makes a child by running the executable.
    fn spawn(&mut self, order: Order) {
        let value = OsString::from(bootstrap::call_for(&order.control));
        let variables = [(OsString::from(VARIABLE), Some(value))];
        let child = run_executable(executable().as_deref(), &variables, &order.control);
        self.keep(child, Pending { on_exit: order.on_exit, reply: order.reply });
    }

    /// Watches over a new child, and hands it to whoever ordered it.
    fn keep(&mut self, child: io::Result<Child>, pending: Pending) {
        let token = self.token();
        let watched = child.and_then(|child| match self.watcher.add(&child, token) {
            Ok(()) => Ok(Arc::new(child)),
            Err(error) => {
                // A child that nobody watches must not be.
                child.end();
                Err(error)
            }
        });
        if let Ok(child) = &watched {
            self.children.insert(token, (child.clone(), Some(pending.on_exit)));
        }
        // A caller that is gone has no use for the answer.
        let _ = pending.reply.send(watched.map_err(Failure::System));
    }

    /// Two tokens that were not used: this one and the next.
    fn token(&mut self) -> u64 {
        self.next_token += 2;
        self.next_token
    }

    /// A child has ended.
    fn bury(&mut self, token: u64) {
        let Some((child, on_exit)) = self.children.get_mut(&token) else { return };
        let Some(exit) = exit_of(child) else { return self.wait_for_status(token) };
        let on_exit = on_exit.take();
        // The system tells when its tracer lets go of it, and then it can be reaped.
        if exit != Exit::Withheld {
            // Its descriptor leaves the watcher before the last owner closes it.
            self.watcher.remove(child);
            self.children.remove(&token);
        }
        if let Some(on_exit) = on_exit {
            on_exit(exit);
        }
    }

    /// Has a child or a template that has ended, and has no status, looked at once more.
    fn wait_for_status(&mut self, token: u64) {
        if !self.withheld.iter().any(|(_, it)| *it == token) {
            self.withheld.push_back((Instant::now() + Child::WITHHELD_PATIENCE, token));
        }
    }

    /// The tokens of those whose status is no longer waited for.
    fn no_longer_withheld(&mut self) -> impl Iterator<Item = u64> + use<> {
        let now = Instant::now();
        let due = self.withheld.iter().take_while(|(due, _)| *due <= now).count();
        self.withheld.drain(..due).map(|(_, token)| token).collect::<Vec<_>>().into_iter()
    }

    /// The template of that origin that takes orders.
    fn find(&self, origin: &Origin) -> Option<u64> {
        let mut templates = self.templates.iter();
        let found = templates.find(|(_, it)| !it.is_retired && it.origin == *origin);
        found.map(|(token, _)| *token)
    }

    /// The template, which is started if there is none.
    fn template(&mut self) -> io::Result<u64> {
        let origin = origin();
        match self.find(&origin) {
            Some(token) => Ok(token),
            None => self.start_template(origin),
        }
    }

    fn start_template(&mut self, origin: Origin) -> io::Result<u64> {
        let Origin::Program { executable, preload } = origin else {
            return Err(io::Error::other(COPY_GONE));
        };
        preload::seal();
        // One of another executable is of no more use.
        let idle = self.templates.values_mut().filter(|it| it.waiting.is_empty());
        idle.filter(|it| it.is_forked_by(Way::Template)).for_each(Template::retire);
        self.keep_template(Template::start(executable, preload)?)
    }

    /// Watches over a new template and its channel.
    fn keep_template(&mut self, template: Template) -> io::Result<u64> {
        let token = self.token();
        let watched = self.watcher.add(&template.child, token).and_then(|()| {
            let channel = self.watcher.add_control(&template.control, token + 1);
            channel.inspect_err(|_| self.watcher.remove(&template.child))
        });
        if let Err(error) = watched {
            template.child.end();
            return Err(error);
        }
        self.templates.insert(token, template);
        Ok(token)
    }

    /// Makes a child by forking a template.
    fn fork(&mut self, token: u64, order: Order) {
        let template = &self.templates[&token];
        let (token, changes) = match template.changes() {
            Some(changes) => (token, changes),
            // Another template inherits all of it.
            None => {
                let origin = template.origin.clone();
                self.templates.get_mut(&token).into_iter().for_each(Template::retire);
                match self.start_template(origin) {
                    Ok(token) => (token, procession_os::surroundings::Changes::default()),
                    Err(error) => return answer(order, Failure::System(error)),
                }
            }
        };
        let Some(template) = self.templates.get_mut(&token) else { return };
        let sent = template.order(&order.control, &order.leash, &changes);
        match sent {
            Ok(()) => {
                template.waiting.push_back(Pending { on_exit: order.on_exit, reply: order.reply });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                answer(order, Failure::System(error));
            }
            // It has ended, and the news of it is on the way, or it is of no use.
            Err(_) => {
                template.retire();
                template.waiting.push_back(Pending { on_exit: order.on_exit, reply: order.reply });
            }
        }
    }

    /// A template has something to say.
    fn hear(&mut self, token: u64) {
        loop {
            let Some(template) = self.templates.get_mut(&token) else { return };
            match template.hear() {
                Said::Forked(pid, pending) => self.keep(copy::adopt(pid), pending),
                Said::NotForked(why, pending) => {
                    // Another one has what this one lacks, such as limits that were raised since.
                    if template.is_forked_by(Way::Template) {
                        template.retire();
                    }
                    let _ = pending.reply.send(Err(Failure::NotForked(why)));
                }
                Said::Nothing => return,
                Said::Closed => {
                    // Reported for as long as it is watched.
                    self.watcher.remove_control(&template.control);
                    return template.retire();
                }
            }
        }
    }

    /// A template has ended.
    fn bury_template(&mut self, token: u64) {
        let Some(template) = self.templates.get(&token) else { return };
        let Some(exit) = exit_of(&template.child) else { return self.wait_for_status(token) };
        // What it had said counts.
        self.hear(token);
        let Some(template) = self.templates.remove(&token) else { return };
        self.watcher.remove_control(&template.control);
        if exit == Exit::Withheld {
            // It is reaped as children are, then.
            self.children.insert(token, (template.child.clone(), None));
        } else {
            self.watcher.remove(&template.child);
        }
        if template.refusal.is_some() {
            self.refused = Some(template.origin.clone());
        }
        if let (Origin::Copy(number), false) = (&template.origin, template.is_dismissed) {
            self.lost_copies.insert(*number, (exit, template.is_ready));
        }
        if !template.waiting.is_empty() {
            self.end_strays(template.child.pid());
        }
        for pending in template.waiting.iter().map(|pending| &pending.reply) {
            let _ = pending.send(Err(template.failure(exit)));
        }
    }

    /// Ends children that a template had made when it ended, and had not told of.
    fn end_strays(&self, template: u32) {
        let known: Vec<u32> = self.children.values().map(|(child, _)| child.pid()).collect();
        for stray in copy::adopt_strays(&name_of(template), |pid| known.contains(&pid)) {
            stray.end();
        }
    }
}

fn origin() -> Origin {
    Origin::Program { executable: executable(), preload: preload::code() }
}

fn answer(order: Order, failure: Failure) {
    // A caller that is gone has no use for the answer.
    let _ = order.reply.send(Err(failure));
}

/// How a child ended; `None` when it has not.
fn exit_of(child: &Child) -> Option<Exit> {
    child.try_reap().unwrap_or(Some(Exit::Unknown))
}

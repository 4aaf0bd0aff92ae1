//! The one thread that launches children and watches for their ends.
//!
//! A child asks the kernel to kill it when its parent dies, and for the kernel the parent is the
//! *thread* that launched it. So every launch is done by this thread, which lives as long as the
//! process. It is also the one place that reaps, so no exit status is collected twice.

use crate::error::{Error, Result};
use parking_lot::Mutex;
use procession_os::control::Control;
use procession_os::exit_watch::Watcher;
use procession_os::process::{Child, Exit, Launch};
use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

static EXECUTABLE: Mutex<Option<PathBuf>> = Mutex::new(None);
static LAUNCHER: Mutex<Option<Arc<Launcher>>> = Mutex::new(None);

/// Starts children from another executable than this process's own; `None` goes back to that.
///
/// It must be the same build as this program: a child that is not refuses to work, and the pool
/// says so. (`multiprocessing.set_executable`.)
pub fn set_executable(path: Option<PathBuf>) {
    *EXECUTABLE.lock() = path;
}

type OnExit = Box<dyn FnOnce(Exit) + Send>;

struct Order {
    variables: Vec<(OsString, Option<OsString>)>,
    control: Control,
    on_exit: OnExit,
    reply: Sender<io::Result<Arc<Child>>>,
}

struct Launcher {
    /// The process that the thread belongs to: a forked copy of it has no such thread.
    pid: u32,
    watcher: Arc<Watcher>,
    orders: Mutex<Sender<Order>>,
}

impl Launcher {
    fn get() -> Result<Arc<Self>> {
        let mut launcher = LAUNCHER.lock();
        if let Some(known) = &*launcher
            && known.pid == std::process::id()
        {
            return Ok(known.clone());
        }
        let cannot = |source| Error::system("cannot start the launcher thread", source);
        let watcher = Arc::new(Watcher::new().map_err(cannot)?);
        let (orders, incoming) = channel();
        let seen = watcher.clone();
        std::thread::Builder::new()
            .name("procession-launcher".into())
            .stack_size(256 * 1024)
            .spawn(move || run(&seen, &incoming))
            .map_err(cannot)?;
        let fresh = Arc::new(Self { pid: std::process::id(), watcher, orders: Mutex::new(orders) });
        *launcher = Some(fresh.clone());
        Ok(fresh)
    }
}

/// Launches a child with the given variables and control channel; `on_exit` runs on the launcher's
/// thread when it ends, and must be brief.
pub(super) fn launch(
    variables: Vec<(OsString, Option<OsString>)>,
    control: Control,
    on_exit: OnExit,
) -> Result<Arc<Child>> {
    let launcher = Launcher::get()?;
    let (reply, answer) = channel();
    let order = Order { variables, control, on_exit, reply };
    let gone = || Error::usage("the launcher thread is gone: the process is exiting");
    launcher.orders.lock().send(order).map_err(|_| gone())?;
    launcher.watcher.wake();
    let child = answer.recv().map_err(|_| gone())?;
    child.map_err(|source| {
        let what = match &*EXECUTABLE.lock() {
            Some(path) => format!("cannot launch a child process from {}", path.display()),
            None => "cannot launch a child process".to_owned(),
        };
        Error::system(what, source)
    })
}

fn run(watcher: &Watcher, orders: &Receiver<Order>) {
    let mut children: HashMap<u64, (Arc<Child>, OnExit)> = HashMap::new();
    let mut next_token = 0;
    let mut exited = Vec::new();
    loop {
        while let Ok(order) = orders.try_recv() {
            next_token += 1;
            let launched = fulfil(watcher, &order, next_token);
            if let Ok(child) = &launched {
                children.insert(next_token, (child.clone(), order.on_exit));
            }
            // A caller that is gone has no use for the answer.
            let _ = order.reply.send(launched);
        }
        exited.clear();
        if watcher.wait(&mut exited).is_err() {
            // Nothing can be watched any more: a defect of the system, not of a child. Poll.
            exited.extend(children.keys());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        for token in exited.drain(..) {
            let Some((child, _)) = children.get(&token) else { continue };
            let exit = match child.try_reap() {
                Ok(Some(exit)) => exit,
                Ok(None) => continue,
                Err(_) => Exit::Unknown,
            };
            // Its descriptor leaves the watcher before the last owner closes it.
            watcher.remove(child);
            if let Some((_, on_exit)) = children.remove(&token) {
                on_exit(exit);
            }
        }
    }
}

fn fulfil(watcher: &Watcher, order: &Order, token: u64) -> io::Result<Arc<Child>> {
    let executable = EXECUTABLE.lock().clone();
    let child = procession_os::process::launch(&Launch {
        executable: executable.as_deref(),
        arguments: &std::env::args_os().skip(1).collect::<Vec<_>>(),
        variables: &order.variables,
        control: &order.control,
    })?;
    if let Err(error) = watcher.add(&child, token) {
        // A child that nobody watches must not be.
        child.kill()?;
        return Err(error);
    }
    Ok(Arc::new(child))
}

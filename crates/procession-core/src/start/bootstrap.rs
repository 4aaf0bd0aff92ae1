//! What a process does first: find out whether it is a child, and become a worker if it is.

use super::{VARIABLE, serve};
use crate::authkey;
use crate::error::{Error, Result};
use crate::face::{self, Code, Face};
use crate::info;
use crate::message::{Boot, Parcel};
use crate::worker;
use procession_ipc::lane::WorkerLane;
use procession_os::control::{Control, Received};
use procession_os::handle::Handle;
use procession_os::leash::{self, Leash};
use procession_os::memory::Memory;
use procession_os::process::exit_now;
use std::error::Error as _;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

/// Exit code of a child that cannot work; its reason went to the parent.
pub const REFUSED: i32 = 113;

const UNKNOWN: u8 = 0;
const PARENT: u8 = 1;
const WORKER: u8 = 2;

/// How far this process has come: who called what first.
static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Whether this process's children become workers before their `main`, which is not ours.
static BOOTS_EARLY: AtomicBool = AtomicBool::new(false);

/// The call of a child of this process, for the variable: this process, where the child becomes a
/// worker, and its end of the control channel.
pub(super) fn call_for(childs_end: &Control) -> String {
    let boots_early = BOOTS_EARLY.load(Ordering::Relaxed);
    let boot_point = if boots_early { "early" } else { "main" };
    format!("{} {boot_point} {}", std::process::id(), childs_end.inherit_token())
}

/// A child's call: what the parent put into the variable, and the channel that came with it.
struct Summons {
    parent_pid: u32,
    early: bool,
    control: Control,
}

/// The call of this process, if it boots at this point.
///
/// The channel is what tells a child: a descendant that was not started by procession inherits the
/// variable alone. The parent's pid does not: it may be dead already, and a child that took itself
/// for the program then would run `main` once more.
fn summons(early_only: bool) -> Option<Summons> {
    let value = std::env::var(VARIABLE).ok()?;
    let mut words = value.split(' ');
    let parent_pid = words.next()?.parse().ok()?;
    let early = words.next()? == "early";
    if early_only && !early {
        return None;
    }
    let control = Control::from_inherited(words.next()?).ok()?;
    Some(Summons { parent_pid, early, control })
}

/// Becomes a worker and never returns, if this process is a child; returns in a parent.
///
/// Called by `#[procession::main]` and `procession::init()`, as the first thing in `main`.
pub fn init(face: &'static dyn Face) {
    face::install(face);
    if STATE.load(Ordering::Relaxed) == UNKNOWN {
        if let Some(summons) = summons(false) {
            become_child(summons);
        }
        end_if_cut_off();
        STATE.store(PARENT, Ordering::Relaxed);
    }
}

/// Ends this process if it is a child whose channel is gone: what ran before has closed it. It must not
/// take itself for the program, and start children of its own that do the same.
///
/// A program that a worker runs has the variable, too, but not that parent: its own is the worker. One
/// that takes a worker's place (`exec`) has both, and no lane; it is ended as well.
fn end_if_cut_off() {
    let caller = std::env::var(VARIABLE).ok();
    let parent = caller.and_then(|value| value.split(' ').next()?.parse().ok());
    if parent == Some(procession_os::process::parent_pid()) {
        exit_now(REFUSED);
    }
}

/// As [`init`], for a process whose `main` is not ours, such as a test harness: children boot
/// before their `main`.
pub fn init_early(face: &'static dyn Face) {
    face::install(face);
    BOOTS_EARLY.store(true, Ordering::Relaxed);
    STATE.store(PARENT, Ordering::Relaxed);
}

/// Called before `main`: becomes a worker if this process is the child of an early parent.
pub fn before_main(face: &'static dyn Face) {
    if let Some(summons) = summons(true) {
        face::install(face);
        become_child(summons);
    }
}

/// Makes sure that this process may start children: that it is no child that missed its call.
pub(super) fn require_parent() -> Result<()> {
    if STATE.load(Ordering::Relaxed) != UNKNOWN {
        return Ok(());
    }
    if let Some(summons) = summons(false) {
        refuse_missing_init(&summons.control);
    }
    end_if_cut_off();
    Err(Error::usage(
        "this program cannot start processes yet: put `#[procession::main]` on its `main` \
         (or call `procession::init()` as the first statement there; in tests, \
         `#[procession::test]`)",
    ))
}

fn refuse_missing_init(control: &Control) -> ! {
    refuse(
        control,
        "the program's `main` lacks `#[procession::main]` (or a call of `procession::init()` as its \
         first statement): add it, so that a child becomes a worker instead of running `main` again"
            .into(),
    )
}

/// Tells the parent why this child does not work, and ends it.
pub(crate) fn refuse(control: &Control, why: String) -> ! {
    // If this cannot be sent either, the exit code is all the parent gets.
    let _ = control.send(&Parcel::Refusal(why).to_bytes(), &[]);
    exit_now(REFUSED)
}

/// What a child is told to be.
enum Calling {
    Worker(Boot, Vec<WorkerLane>),
    /// To be forked, after this was called.
    Template(Option<Code>),
}

fn become_child(summons: Summons) -> ! {
    STATE.store(WORKER, Ordering::Relaxed);
    // A worker's own children come from the same executable.
    BOOTS_EARLY.store(summons.early, Ordering::Relaxed);
    let control = summons.control;
    bind_life(summons.parent_pid);
    if procession_os::signal::prepare_worker().is_err() {
        refuse(&control, "a child cannot set its signal handlers".into());
    }
    match receive_calling(&control) {
        Calling::Worker(boot, lanes) => work(boot, lanes, control),
        Calling::Template(preload) => {
            info::become_child("Template".to_owned());
            // What follows runs in the copies of this process.
            take_up(serve::serve(control, preload, Some(summons.parent_pid)))
        }
    }
}

/// How many times what this process remembers was forked: 0 unless it is a copy of the program, with
/// what that had done.
static COPIES: AtomicU32 = AtomicU32::new(0);

/// Tells a process from the one that it is a copy of: what was made under another number is that one's.
pub(crate) fn copies() -> u32 {
    COPIES.load(Ordering::Relaxed)
}

/// Becomes a worker in a copy of the program.
pub(super) fn become_copy(control: Control) -> ! {
    enter_copy(&control);
    take_up(control)
}

/// Becomes a template in a copy of the program, and a worker in its copies.
pub(super) fn become_template_copy(control: Control) -> ! {
    enter_copy(&control);
    info::become_child("Template".to_owned());
    // The thread that forked it may end before the program does, so their lives are not bound to that.
    take_up(serve::serve(control, None, None))
}

fn enter_copy(control: &Control) {
    COPIES.fetch_add(1, Ordering::Relaxed);
    STATE.store(WORKER, Ordering::Relaxed);
    if procession_os::signal::prepare_worker().is_err() {
        refuse(control, "a child cannot set its signal handlers".into());
    }
}

/// Becomes the worker that the boot parcel says.
fn take_up(control: Control) -> ! {
    match receive_calling(&control) {
        Calling::Worker(boot, lanes) => work(boot, lanes, control),
        Calling::Template(_) => refuse(&control, "a copy is no template".into()),
    }
}

/// Ends this worker. What the program had registered to be done at its own end is not done by a
/// copy of it.
pub(crate) fn exit(code: i32) -> ! {
    if copies() > 0 {
        procession_os::copy::flush();
        exit_now(code);
    }
    std::process::exit(code)
}

/// Ends this child's life with its parent's, from here on by the kernel's hand.
fn bind_life(parent_pid: u32) {
    match procession_os::process::bind_life_to_parent(parent_pid) {
        Ok(true) => {}
        Ok(false) => exit_now(REFUSED),
        Err(_) => {} // The leash does the same.
    }
}

fn work(boot: Boot, lanes: Vec<WorkerLane>, control: Control) -> ! {
    // The process itself is named when the program knows of it.
    authkey::set_authkey(boot.authkey.clone());
    info::become_child_of(boot.name.clone(), boot.parent.clone());
    if let Err(why) = boot.limits.apply() {
        refuse(&control, why);
    }
    worker::run(&boot, lanes, control)
}

fn receive_calling(control: &Control) -> Calling {
    receive_boot(control).unwrap_or_else(|why| refuse(control, why))
}

/// Puts this child on its leash, unless it was born on it.
fn put_on_leash(handle: Option<Handle>) -> std::result::Result<(), String> {
    let leash = handle.map(Leash::from_handle).ok_or("a child got no leash")?;
    if leash::is_worn() {
        return Ok(());
    }
    match leash.wear() {
        Ok(true) => Ok(()),
        Ok(false) => exit_now(REFUSED), // The parent is gone.
        Err(_) => Ok(()),               // The control channel's end says the same.
    }
}

fn receive_boot(control: &Control) -> std::result::Result<Calling, String> {
    let (mut bytes, mut handles) = (Vec::new(), Vec::new());
    match control.recv(&mut bytes, &mut handles, true) {
        Ok(Received::Message) => {}
        Ok(Received::Empty | Received::Closed) => exit_now(REFUSED), // The parent is gone.
        Err(error) => return Err(format!("a child cannot read its control channel: {error}")),
    }
    let received = Parcel::from_bytes(&bytes).ok_or("a child got no boot parcel")?;
    let own = procession_os::image::identity();
    if &received.identity != own.as_bytes() {
        let parents = procession_os::image::Identity::from_bytes(received.identity);
        return Err(format!(
            "the child runs another build than the parent: the parent is {parents}, the child {own} \
             ({}); run the executable that was started, unchanged",
            std::env::current_exe().map_or_else(|_| "?".into(), |path| path.display().to_string()),
        ));
    }
    let boot = match received.parcel {
        Some(Parcel::Boot(boot)) => boot,
        Some(Parcel::Template(preload)) => {
            put_on_leash(handles.pop())?;
            return Ok(Calling::Template(preload));
        }
        _ => return Err("a child got a boot parcel that makes no sense".into()),
    };
    put_on_leash(handles.pop())?;
    let mut lanes = vec![take_lane(std::mem::take(&mut handles))?];
    for _ in 1..boot.threads {
        match control.recv(&mut bytes, &mut handles, true) {
            Ok(Received::Message) => lanes.push(take_lane(std::mem::take(&mut handles))?),
            Ok(Received::Empty | Received::Closed) => exit_now(REFUSED), // The parent is gone.
            Err(error) => return Err(format!("a child cannot read its control channel: {error}")),
        }
    }
    Ok(Calling::Worker(boot, lanes))
}

fn take_lane(handles: Vec<Handle>) -> std::result::Result<WorkerLane, String> {
    let mut memory = handles.into_iter().map(Memory::accept);
    let mut next = || -> std::result::Result<Memory, String> {
        let memory = memory.next().ok_or("a child got no lane")?;
        memory.map_err(|error| format!("a child cannot take its lane: {error}"))
    };
    let (memory_a, memory_b) = (next()?, next()?);
    WorkerLane::attach(&memory_a, &memory_b).map_err(|error| match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}

//! Marks of life as robust futexes.
//!
//! A thread can give the kernel a list of words that it shall look after when the thread ends
//! (`set_robust_list(2)`, `Documentation/locking/robust-futexes.rst`): each that holds the thread's id gets
//! the bit `FUTEX_OWNER_DIED` in place of it, and if `FUTEX_WAITERS` was set one sleeper is woken. The C
//! library does that for its robust mutexes, and has the list of each of its threads. So a process that has
//! marks has a thread of its own for them, which registers another list and sleeps as long as the process
//! lives.
//!
//! | bits of a mark | meaning |
//! |---|---|
//! | 0..30 | id of the thread whose list it is on; 0 nobody |
//! | 30 | `FUTEX_OWNER_DIED`: does not live; with an id: taken, and not announced |
//! | 31 | `FUTEX_WAITERS`: somebody may sleep on it |
//!
//! The list runs through *nodes*, which are private memory: another process could otherwise tear off the
//! rest of it. The kernel finds a node's word at a fixed distance, so the nodes lie in pages before the
//! mapping, [`NODES_BYTES`] before their marks.
//!
//! | the process ends after | the mark |
//! |---|---|
//! | the node was named as pending | is still free |
//! | the mark was taken | was named as pending, so the kernel looks after it as well |
//! | the node was put on the list, one store | is on the list, and perhaps also pending |
//! | (leaving) the node was taken off, one store | pending |
//! | (leaving) the mark was set free | is free |

use std::io;
use std::mem::offset_of;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use super::memory::Mapping;
use super::wait;
use crate::life::{MARK_BYTES, MARKS};
use crate::own_thread;

const ID: u32 = 0x3fff_ffff;
const DIED: u32 = 1 << 30;
const WAITERS: u32 = 1 << 31;

/// Distance of a node from its mark, and the bytes that nodes take.
pub(super) const NODES_BYTES: usize = MARKS * MARK_BYTES;

/// A place in the list; holds the address of the next, or of the head.
type Node = AtomicPtr<u8>;

const _: () = assert!(size_of::<Node>() <= MARK_BYTES);

/// `struct robust_list_head` of the kernel.
#[repr(C)]
#[derive(Debug)]
struct Head {
    first: Node,
    word_offset: isize,
    pending: Node,
}

/// The thread that the marks hang on, and its list.
#[derive(Debug)]
struct Life {
    head: Head,
    /// Its id, once it runs and has registered the list.
    thread: AtomicU32,
    /// 0 it has not come up, 1 it has, 2 it could not, 3 it is not needed.
    state: AtomicU32,
    /// Held by who changes the list.
    list: Mutex<()>,
}

const STARTING: u32 = 0;
const RUNNING: u32 = 1;
const FAILED: u32 = 2;
const SUPERFLUOUS: u32 = 3;

/// This process's; null before there is one. It is never freed.
static LIFE: AtomicPtr<Life> = AtomicPtr::new(ptr::null_mut());

static EPOCH: AtomicU32 = AtomicU32::new(1);

pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

pub(crate) fn is_alive(mark: u32) -> bool {
    mark & DIED == 0 && mark & ID != 0
}

pub(crate) fn is_free(mark: u32) -> bool {
    mark & ID == 0
}

pub(crate) fn prepare_to_sleep(mark: &AtomicU32) -> u32 {
    let seen = mark.load(Ordering::Acquire);
    if !is_alive(seen) || seen & WAITERS != 0 {
        return seen;
    }
    match mark.compare_exchange(seen, seen | WAITERS, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => seen | WAITERS,
        Err(now) => now,
    }
}

/// A forked copy has neither the thread nor what hung on it.
pub(super) fn begin_anew() {
    LIFE.store(ptr::null_mut(), Ordering::Relaxed);
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

/// Has the [`epoch`] change in each copy of this process from now on, whoever forks it.
pub(super) fn count_copies() {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // SAFETY: the handler is a function of this library, which is never unloaded, and does
        // nothing but two atomic stores.
        unsafe { libc::pthread_atfork(None, None, Some(after_fork)) };
    });
}

extern "C" fn after_fork() {
    begin_anew();
}

impl Life {
    /// This process's, if it ever took a mark.
    fn if_any() -> Option<&'static Life> {
        // SAFETY: only `start` stores an address here, of a value that is never freed.
        unsafe { LIFE.load(Ordering::Acquire).as_ref() }
    }

    /// This process's; starts its thread if need be.
    fn get() -> io::Result<&'static Life> {
        Self::if_any().map_or_else(Self::start, Ok)
    }

    fn start() -> io::Result<&'static Life> {
        count_copies();
        let life: &'static mut Life = Box::leak(Box::new(Life {
            head: Head {
                first: Node::default(),
                word_offset: isize::try_from(NODES_BYTES).map_err(io::Error::other)?,
                pending: Node::default(),
            },
            thread: AtomicU32::new(0),
            state: AtomicU32::new(STARTING),
            list: Mutex::new(()),
        }));
        // An empty list is one whose head leads to itself.
        *life.head.first.get_mut() = ptr::from_ref(&life.head).cast_mut().cast();
        let life: &'static Life = life;
        own_thread::spawn("procession-life", 64 * 1024, move |own| {
            life.come_up();
            while life.state.load(Ordering::Relaxed) == RUNNING {
                own.rest(|| {
                    // Woken by nobody but the loser of a race; or for no reason.
                    let _ = wait::wait(&life.state, RUNNING, None);
                });
            }
        })?;
        while life.state.load(Ordering::Acquire) == STARTING {
            let _ = wait::wait(&life.state, STARTING, None);
        }
        if life.state.load(Ordering::Relaxed) == FAILED {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the system does not look after a thread's words when it ends (set_robust_list)",
            ));
        }
        let own = ptr::from_ref(life).cast_mut();
        match LIFE.compare_exchange(ptr::null_mut(), own, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(life),
            Err(other) => {
                life.state.store(SUPERFLUOUS, Ordering::Relaxed);
                wait::wake_all(&life.state);
                // SAFETY: as in `if_any`.
                Ok(unsafe { &*other })
            }
        }
    }

    /// On its own thread: registers the list.
    fn come_up(&self) {
        // SAFETY: the head is laid out as the kernel says, and as long; it lives for ever, and so does
        // each node while it is on the list (`leave`). The list that the C library had registered for
        // this thread is empty and stays so: the thread runs nothing that locks a robust mutex.
        let result = unsafe {
            libc::syscall(libc::SYS_set_robust_list, ptr::from_ref(&self.head), size_of::<Head>())
        };
        let id = rustix::thread::gettid().as_raw_pid().cast_unsigned();
        self.thread.store(id, Ordering::Relaxed);
        self.state.store(if result == 0 { RUNNING } else { FAILED }, Ordering::Release);
        wait::wake_all(&self.state);
    }

    /// Gives one mark up. The list's lock is held.
    fn let_go(&self, mapping: &Mapping, at: usize) {
        let (mark, node) = (mark(mapping, at), node(mapping, at));
        self.head.pending.store(ptr::from_ref(node).cast_mut().cast(), Ordering::SeqCst);
        self.unlink(node);
        mark.store(DIED, Ordering::SeqCst);
        self.head.pending.store(ptr::null_mut(), Ordering::SeqCst);
        wait::wake_all(mark);
    }

    fn head_address(&self) -> *mut u8 {
        ptr::from_ref(&self.head).cast_mut().cast::<u8>().wrapping_add(offset_of!(Head, first))
    }

    /// A node on the list that lies in this range of addresses.
    fn node_in(&self, nodes: Range<usize>) -> Option<usize> {
        let mut next = self.head.first.load(Ordering::Relaxed);
        while next != self.head_address() {
            if nodes.contains(&next.addr()) {
                return Some(next.addr() - nodes.start);
            }
            // SAFETY: as in `unlink`.
            next = unsafe { Node::from_ptr(next.cast()) }.load(Ordering::Relaxed);
        }
        None
    }

    /// Takes a node off the list, if it is on it.
    fn unlink(&self, node: &Node) {
        let address = ptr::from_ref(node).cast_mut().cast::<u8>();
        let mut place = &self.head.first;
        loop {
            let next = place.load(Ordering::Relaxed);
            if next == address {
                place.store(node.load(Ordering::Relaxed), Ordering::Release);
                return;
            }
            if next == self.head_address() {
                return;
            }
            // SAFETY: what is on the list is a node of a mapping that is still mapped: it leaves the
            // list before that ends. Nobody else changes the list: its lock is held.
            place = unsafe { Node::from_ptr(next.cast()) };
        }
    }
}

fn mark(mapping: &Mapping, at: usize) -> &AtomicU32 {
    assert!(
        mapping.has_marks() && at + MARK_BYTES <= NODES_BYTES && at + MARK_BYTES <= mapping.len()
    );
    // SAFETY: the address is inside of the mapping and aligned, and the word is only accessed as an atomic.
    unsafe { AtomicU32::from_ptr(mapping.as_ptr().wrapping_add(at).cast()) }
}

fn node(mapping: &Mapping, at: usize) -> &Node {
    assert!(mapping.has_marks() && at + MARK_BYTES <= NODES_BYTES);
    // SAFETY: a mapping with marks has `NODES_BYTES` of private memory before it, which belong to it, live
    // as long, and hold nothing but nodes; the address is aligned, and zero is a valid pointer.
    unsafe { Node::from_ptr(mapping.as_ptr().wrapping_sub(NODES_BYTES).wrapping_add(at).cast()) }
}

pub(crate) fn take(mapping: &Mapping, at: usize) -> io::Result<bool> {
    let life = Life::get()?;
    let (mark, node) = (mark(mapping, at), node(mapping, at));
    let _list = life.list.lock().unwrap_or_else(PoisonError::into_inner);
    let address = ptr::from_ref(node).cast_mut().cast::<u8>();
    life.head.pending.store(address, Ordering::SeqCst);
    let seen = mark.load(Ordering::Relaxed);
    let own = DIED | life.thread.load(Ordering::Relaxed);
    let is_taken = is_free(seen)
        && mark.compare_exchange(seen, own, Ordering::SeqCst, Ordering::Relaxed).is_ok();
    if is_taken {
        node.store(life.head.first.load(Ordering::Relaxed), Ordering::Relaxed);
        life.head.first.store(address, Ordering::SeqCst);
    }
    life.head.pending.store(ptr::null_mut(), Ordering::SeqCst);
    Ok(is_taken)
}

pub(crate) fn announce(mapping: &Mapping, at: usize) {
    // ORDER(announce): what was stored behind the mark is seen by who sees that it lives.
    mark(mapping, at).fetch_and(!DIED, Ordering::Release);
}

pub(crate) fn leave(mapping: &Mapping, at: usize) {
    if let Some(life) = Life::if_any() {
        let _list = life.list.lock().unwrap_or_else(PoisonError::into_inner);
        life.let_go(mapping, at);
    }
}

/// Gives up all marks in a mapping that is about to go.
pub(super) fn leave_all(mapping: &Mapping) {
    let Some(life) = Life::if_any() else { return };
    let start = mapping.as_ptr().addr() - NODES_BYTES;
    let _list = life.list.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(at) = life.node_in(start..start + NODES_BYTES) {
        life.let_go(mapping, at);
    }
}

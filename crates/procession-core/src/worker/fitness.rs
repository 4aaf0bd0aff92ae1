//! Whether this worker may go on, or is to be replaced before it runs anything more.
//!
//! All threads of a process go together. The first that finds a reason notes it for all; each says so on
//! its own lane after what it runs, and begins nothing from then on. What it was sent runs elsewhere.

use crate::message::Retirement;
use procession_os::limits::OwnMemory;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Time between two looks at the memory: a look is a system call.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What one thread knows of its process's fitness.
#[derive(Debug, Clone)]
pub(super) struct Fitness {
    /// `None` when nothing but its parent ends this process.
    terms: Option<Arc<Terms>>,
    /// Whether this thread has begun anything: one that starts with too much memory runs one task.
    has_begun: bool,
    /// When it last looked at the memory.
    looked: Option<Instant>,
    /// Whether it has told the parent.
    is_told: bool,
}

/// What the threads share.
#[derive(Debug)]
struct Terms {
    on_panic: bool,
    /// Where memory is looked at, and how many bytes it may have.
    memory: Option<(OwnMemory, u64)>,
    /// Nothing more is begun.
    is_over: AtomicBool,
}

impl Fitness {
    /// That of a process that is to be replaced at these times.
    ///
    /// # Errors
    /// When it is to look at its memory and cannot.
    pub(super) fn new(retirement: Retirement) -> io::Result<Self> {
        let memory = match retirement.memory_bytes_max {
            Some(bytes_max) => Some((OwnMemory::open()?, bytes_max)),
            None => None,
        };
        let terms = (retirement.on_panic || memory.is_some()).then(|| {
            let on_panic = retirement.on_panic;
            Arc::new(Terms { on_panic, memory, is_over: AtomicBool::new(false) })
        });
        Ok(Self { terms, has_begun: false, looked: None, is_told: false })
    }

    /// Something is begun.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// Whether nothing more is to be begun. Looks at the memory if that was not done of late.
    #[inline]
    pub(super) fn is_over(&mut self) -> bool {
        match &self.terms {
            None => false,
            Some(terms) => terms.is_over(self.has_begun, &mut self.looked),
        }
    }

    /// A task has panicked.
    pub(super) fn note_panic(&self) {
        if let Some(terms) = &self.terms
            && terms.on_panic
        {
            terms.is_over.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the parent was told.
    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    /// Notes that the parent is told.
    pub(super) fn tell(&mut self) {
        self.is_told = true;
    }
}

impl Terms {
    fn is_over(&self, has_begun: bool, looked: &mut Option<Instant>) -> bool {
        if self.is_over.load(Ordering::Relaxed) {
            return true;
        }
        let Some((memory, bytes_max)) = self.memory.as_ref().filter(|_| has_begun) else {
            return false;
        };
        let now = Instant::now();
        if looked.is_some_and(|looked| now.duration_since(looked) < LOOK_EVERY) {
            return false;
        }
        *looked = Some(now);
        // A task may have closed the descriptor: who cannot be watched any more is replaced, too.
        let is_over = memory.private_bytes().map_or(true, |bytes| bytes > *bytes_max);
        if is_over {
            self.is_over.store(true, Ordering::Relaxed);
        }
        is_over
    }
}

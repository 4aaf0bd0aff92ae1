//! The worker's control channel after the boot: the parent's bulk segments come over it.
//!
//! A worker has a second thread, which reads the channel, from the first such segment on; most never
//! have one. A thread would take as long to start as the process.

use crate::message::Parcel;
use crate::start::bootstrap;
use parking_lot::{Condvar, Mutex};
use procession_ipc::bulk::BulkView;
use procession_os::control::{Control, Received};
use procession_os::handle::Handle;
use procession_os::memory::Memory;
use procession_os::own_thread::{self, OwnThread};
use procession_os::process::exit_now;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// Exit code of a worker whose parent is gone. Nobody is left to read it.
const ORPHANED: i32 = 114;

/// Bytes of the longest message that the parent sends after the boot.
const MESSAGE_BYTES: usize = 64;

/// The parent's bulk segments that have arrived.
#[derive(Debug)]
pub(super) struct Views {
    control: Arc<Control>,
    inner: Mutex<Inner>,
    arrived: Condvar,
}

#[derive(Debug)]
struct Inner {
    views: HashMap<u64, Arc<BulkView>>,
    /// Whether the control thread was started.
    is_read: bool,
}

/// Takes charge of the channel. Its end is the parent's, so it is read from now on where nothing else
/// ends this process then.
pub(super) fn start(control: Arc<Control>) -> io::Result<Arc<Views>> {
    let is_read = !bootstrap::is_leashed();
    let inner = Mutex::new(Inner { views: HashMap::new(), is_read });
    let views = Arc::new(Views { control, inner, arrived: Condvar::new() });
    if is_read {
        views.start_thread()?;
    }
    Ok(views)
}

impl Views {
    /// A segment of the parent's. Its descriptor was sent before the frame that names it, so the
    /// wait is short; the control thread ends it, or the process.
    pub(super) fn get(self: &Arc<Self>, id: u64) -> Arc<BulkView> {
        let mut inner = self.inner.lock();
        if !inner.is_read {
            inner.is_read = true;
            if self.start_thread().is_err() {
                // The frame cannot be read; better to be replaced than to hang.
                exit_now(ORPHANED);
            }
        }
        loop {
            if let Some(view) = inner.views.get(&id) {
                return view.clone();
            }
            self.arrived.wait(&mut inner);
        }
    }

    /// Tells the parent why this worker does not work, and ends it.
    pub(super) fn refuse(&self, why: String) -> ! {
        bootstrap::refuse(&self.control, why)
    }

    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        let views = self.clone();
        // A second thread that allocates gets a heap of its own, and that is not cheap.
        let bytes = Vec::with_capacity(MESSAGE_BYTES);
        own_thread::spawn("procession-control", 64 * 1024, move |own| views.read(own, bytes))
    }

    fn insert(&self, id: u64, memory: Option<Handle>) -> io::Result<()> {
        let missing = || io::Error::from(io::ErrorKind::InvalidData);
        let memory = Memory::accept(memory.ok_or_else(missing)?)?;
        let view = BulkView::map(&memory)?;
        self.inner.lock().views.insert(id, view);
        self.arrived.notify_all();
        Ok(())
    }

    fn read(&self, own: &mut OwnThread, mut bytes: Vec<u8>) {
        loop {
            let mut handles = Vec::new();
            // It may allocate, so it does not rest itself.
            if own.rest(|| self.control.wait()).is_err() {
                exit_now(ORPHANED);
            }
            match self.control.recv(&mut bytes, &mut handles, false) {
                Ok(Received::Message) => {}
                Ok(Received::Empty) => continue,
                // The parent is gone, or this end is closed: either way nobody wants this worker.
                Ok(Received::Closed) | Err(_) => exit_now(ORPHANED),
            }
            match Parcel::from_bytes(&bytes).and_then(|received| received.parcel) {
                Some(Parcel::Bulk(id)) => {
                    if self.insert(id, handles.into_iter().next()).is_err() {
                        // The frame that names it cannot be read; better to be replaced than to hang.
                        exit_now(ORPHANED);
                    }
                }
                Some(Parcel::BulkGone(id)) => {
                    self.inner.lock().views.remove(&id);
                }
                Some(_) | None => {}
            }
        }
    }
}

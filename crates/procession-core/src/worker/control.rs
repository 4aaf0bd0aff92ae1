//! The worker's small second thread: it reads the control channel and ends the process when the
//! parent is gone.

use crate::message::Parcel;
use parking_lot::{Condvar, Mutex};
use procession_ipc::bulk::BulkView;
use procession_os::control::{Control, Received};
use procession_os::handle::Handle;
use procession_os::memory::Memory;
use procession_os::process::exit_now;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// Exit code of a worker whose parent is gone. Nobody is left to read it.
const ORPHANED: i32 = 114;

/// The parent's bulk segments that have arrived.
#[derive(Debug, Default)]
pub(super) struct Views {
    views: Mutex<HashMap<u64, Arc<BulkView>>>,
    arrived: Condvar,
}

impl Views {
    /// A segment of the parent's. Its descriptor was sent before the frame that names it, so the
    /// wait is short; the control thread ends it, or the process.
    pub(super) fn get(&self, id: u64) -> Arc<BulkView> {
        let mut views = self.views.lock();
        loop {
            if let Some(view) = views.get(&id) {
                return view.clone();
            }
            self.arrived.wait(&mut views);
        }
    }

    fn insert(&self, id: u64, memory: Option<Handle>) -> io::Result<()> {
        let missing = || io::Error::from(io::ErrorKind::InvalidData);
        let memory = Memory::accept(memory.ok_or_else(missing)?)?;
        self.views.lock().insert(id, BulkView::map(&memory)?);
        self.arrived.notify_all();
        Ok(())
    }
}

/// Starts the control thread.
pub(super) fn start(control: Arc<Control>) -> io::Result<Arc<Views>> {
    let views = Arc::new(Views::default());
    let filled = views.clone();
    std::thread::Builder::new()
        .name("procession-control".into())
        .stack_size(64 * 1024)
        .spawn(move || read(&control, &filled))?;
    Ok(views)
}

fn read(control: &Control, views: &Views) {
    let mut bytes = Vec::new();
    loop {
        let mut handles = Vec::new();
        match control.recv(&mut bytes, &mut handles, true) {
            Ok(Received::Message) => {}
            Ok(Received::Empty) => continue,
            // The parent is gone, or this end is closed: either way nobody wants this worker.
            Ok(Received::Closed) | Err(_) => exit_now(ORPHANED),
        }
        match Parcel::from_bytes(&bytes).and_then(|received| received.parcel) {
            Some(Parcel::Bulk(id)) => {
                if views.insert(id, handles.into_iter().next()).is_err() {
                    // The frame that names it cannot be read; better to be replaced than to hang.
                    exit_now(ORPHANED);
                }
            }
            Some(Parcel::BulkGone(id)) => {
                views.views.lock().remove(&id);
            }
            Some(_) | None => {}
        }
    }
}

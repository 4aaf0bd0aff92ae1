//! The worker's control channel after the boot: the parent's bulk segments and attachments come over
//! it, and the news that they are gone.
//!
//! Whatever a frame mentions went ahead over this channel, so who misses something reads the channel and
//! then has it, or it was never sent: nobody waits. Besides, a worker has a second thread, which reads
//! what is not missed: ends of attachments and segments, and the channel's own. It is there from the
//! first segment or attachment on; most workers never have one. A thread would take as long to start as
//! the process.

use crate::attachment::{self, FaceValue, Label, Source};
use crate::message::Parcel;
use crate::start::bootstrap;
use parking_lot::Mutex;
use procession_ipc::bulk::BulkView;
use procession_os::control::{Control, Received};
use procession_os::handle::Handle;
use procession_os::leash;
use procession_os::memory::Memory;
use procession_os::own_thread::{self, OwnThread};
use procession_os::process::{exit_now, parent_pid};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Exit code of a worker whose control channel is gone: the parent is, or the worker has closed its end.
pub(super) const ORPHANED: i32 = 114;

/// Time between two looks for the parent where its end is not told.
const PARENT_CHECK: Duration = Duration::from_millis(100);

/// What a look into the channel finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    /// There may be more later.
    Open,
    /// Something in this process has closed this end.
    CutOff,
}

/// Why a worker cannot have a large payload.
const NO_ROOM: &str = "the worker has no descriptor or no memory left for a large payload";

/// Bytes of most messages that the parent sends after the boot.
const MESSAGE_BYTES: usize = 256;

/// The channel, and the parent's bulk segments that have arrived.
#[derive(Debug)]
pub(super) struct Views {
    control: Arc<Control>,
    views: Mutex<HashMap<u64, Arc<BulkView>>>,
    /// Whether the control thread was started.
    is_watched: Mutex<bool>,
    /// Held while the channel is read and what came is put where it belongs: a message's memory.
    reader: Mutex<Vec<u8>>,
}

/// Takes charge of the channel. Its end is the parent's, so it is watched from now on where nothing else
/// ends this process then.
pub(super) fn start(control: Arc<Control>) -> io::Result<Arc<Views>> {
    let views = Arc::new(Views {
        control,
        views: Mutex::default(),
        is_watched: Mutex::new(false),
        // A second thread that allocates gets a heap of its own, and that is not cheap.
        reader: Mutex::new(Vec::with_capacity(MESSAGE_BYTES)),
    });
    attachment::connect(views.clone());
    if !leash::is_worn() {
        views.watch()?;
    }
    Ok(views)
}

impl Views {
    /// Reads the channel if this segment of the parent's is not here yet. That it is not even then is no
    /// error here: the request that names it may have been taken back.
    pub(super) fn fetch(self: &Arc<Self>, id: u64) {
        if self.find(id).is_none() {
            self.read_parcels();
        }
    }

    /// Whether this process still has its end of the channel.
    pub(super) fn is_connected(&self) -> bool {
        self.control.is_open()
    }

    /// A segment of the parent's, whose descriptor was sent before the frame that names it.
    pub(super) fn get(self: &Arc<Self>, id: u64) -> Arc<BulkView> {
        if let Some(view) = self.find(id) {
            return view;
        }
        self.read_parcels();
        // Without it the frame cannot be read; better to be replaced than to hang.
        self.find(id).unwrap_or_else(|| self.refuse(NO_ROOM.to_owned()))
    }

    fn find(&self, id: u64) -> Option<Arc<BulkView>> {
        self.views.lock().get(&id).cloned()
    }

    /// Reads all that has been sent, and has what comes later read by the control thread.
    pub(super) fn read_parcels(self: &Arc<Self>) {
        self.read_all();
        // Without a thread for it, what is gone is given up with the next parcel. Where the channel's end
        // must be minded there is one since the start.
        let _ = self.watch();
    }

    /// Tells the parent why this worker does not work, and ends it.
    pub(super) fn refuse(&self, why: String) -> ! {
        bootstrap::refuse(&self.control, why)
    }

    /// Makes sure that the control thread runs.
    fn watch(self: &Arc<Self>) -> io::Result<()> {
        let mut is_watched = self.is_watched.lock();
        if !*is_watched {
            let (views, parent) = (self.clone(), parent_pid());
            let watch = move |own: &mut OwnThread| {
                loop {
                    // It may allocate, so it does not rest itself.
                    if own.rest(|| views.control.wait()).is_err() {
                        exit_now(ORPHANED);
                    }
                    if views.try_read_all() == Channel::CutOff {
                        outlive_no_parent(parent);
                    }
                }
            };
            own_thread::spawn("procession-control", 64 * 1024, watch)?;
            *is_watched = true;
        }
        Ok(())
    }

    /// Reads all that has been sent by now, for somebody who needs it.
    fn read_all(&self) {
        if self.try_read_all() == Channel::CutOff {
            exit_now(ORPHANED);
        }
    }

    /// Reads all that has been sent by now.
    fn try_read_all(&self) -> Channel {
        let mut bytes = self.reader.lock();
        loop {
            let mut handles = Vec::new();
            match self.control.recv(&mut bytes, &mut handles, false) {
                Ok(Received::Message) => self.take(&bytes, handles),
                Ok(Received::Empty) => return Channel::Open,
                // Lost for want of descriptors: who needs it will find out.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => attachment::note_loss(),
                Err(_) if !self.is_connected() => return Channel::CutOff,
                // The parent is gone: nobody wants this worker.
                Ok(Received::Closed) | Err(_) => exit_now(ORPHANED),
            }
        }
    }

    fn take(&self, bytes: &[u8], handles: Vec<Handle>) {
        match Parcel::from_bytes(bytes).and_then(|received| received.parcel) {
            Some(Parcel::Bulk(id)) => {
                if self.insert(id, handles.into_iter().next()).is_err() {
                    // The frame that names it cannot be read; better to be replaced than to hang.
                    self.refuse(NO_ROOM.to_owned());
                }
            }
            Some(Parcel::BulkGone(id)) => {
                self.views.lock().remove(&id);
            }
            Some(Parcel::Attachments(labels)) => receive(labels, handles),
            Some(Parcel::AttachmentsGone(ids)) => {
                drop_values(ids.into_iter().filter_map(attachment::release).collect());
            }
            Some(_) | None => {}
        }
    }

    fn insert(&self, id: u64, memory: Option<Handle>) -> io::Result<()> {
        let missing = || io::Error::from(io::ErrorKind::InvalidData);
        let memory = Memory::accept(memory.ok_or_else(missing)?)?;
        let view = BulkView::map(&memory)?;
        self.views.lock().insert(id, view);
        Ok(())
    }
}

/// Ends this process when the parent has ended, which is seen by the process's having another one. All
/// that is left to do when something in this process has closed the channel: what runs may go on, and who
/// needs the channel will find out.
fn outlive_no_parent(parent: u32) -> ! {
    while parent_pid() == parent {
        std::thread::sleep(PARENT_CHECK);
    }
    exit_now(ORPHANED)
}

impl Source for Views {
    fn read(&self) {
        self.read_all();
    }
}

fn receive(labels: Vec<Label>, handles: Vec<Handle>) {
    let mut handles = handles.into_iter();
    for label in labels {
        let own = 1 + label.more.unwrap_or(0);
        let own = handles.by_ref().take(own).collect();
        attachment::receive(label, own);
    }
}

/// Drops what the face has made of attachments. That runs the user's code, for which the control thread
/// has neither the stack nor the time.
fn drop_values(values: Vec<FaceValue>) {
    if !values.is_empty() {
        // If there is no thread to be had they are dropped here.
        let _ = std::thread::Builder::new().spawn(move || drop(values));
    }
}

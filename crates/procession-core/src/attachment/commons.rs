//! Memory that all who have it may write.

use procession_ipc::roster::{ROSTER_BYTES, Roster};
use procession_ipc::segment::Segment;
use procession_os::handle::{BorrowedHandle, Handle, lend};
use procession_os::memory::Memory;
use std::io;
use std::sync::Arc;

/// Most handles beside the memory's.
pub const MORE_MAX: usize = 7;

/// Memory that all who have it may write, and who they are.
#[derive(Debug)]
pub struct Commons {
    memory: Memory,
    roster: Arc<Roster>,
    handles: Vec<Handle>,
}

impl Commons {
    pub(super) fn create(bytes: usize, handles: Vec<Handle>) -> io::Result<Self> {
        check(handles.len())?;
        let bytes = bytes.checked_add(ROSTER_BYTES).ok_or(io::ErrorKind::OutOfMemory)?;
        let (memory, mapping) = Memory::create_shared("procession-commons", bytes)?;
        drop(mapping);
        Self::new(memory, handles)
    }

    pub(super) fn accept(memory: Handle, handles: Vec<Handle>) -> io::Result<Self> {
        check(handles.len())?;
        Self::new(Memory::accept(memory)?, handles)
    }

    fn new(memory: Memory, handles: Vec<Handle>) -> io::Result<Self> {
        let segment = Segment::new(memory.map_with_marks()?);
        Ok(Self { memory, roster: Arc::new(Roster::new(Arc::new(segment))), handles })
    }

    /// Who takes part, and the memory itself: the commons begin behind the roster.
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// The memory.
    pub fn segment(&self) -> &Arc<Segment> {
        self.roster.segment()
    }

    /// What came with the memory.
    pub fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// The memory's handle.
    pub(super) fn handle(&self) -> BorrowedHandle<'_> {
        self.memory.handle()
    }

    /// The memory's handle, and what goes with it.
    pub(super) fn all_handles(&self) -> impl Iterator<Item = BorrowedHandle<'_>> {
        std::iter::once(self.memory.handle()).chain(self.handles.iter().map(lend))
    }
}

fn check(more: usize) -> io::Result<()> {
    if more > MORE_MAX {
        let message = format!("{more} handles cannot go with shared memory, but {MORE_MAX}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

//! What a pool has done.

/// Counts of what a pool has done and has to do. A task of the map family is one item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Tasks handed in.
    pub submitted: u64,
    /// Tasks that returned a value.
    pub succeeded: u64,
    /// Tasks that ended without a value, for whatever reason.
    pub failed: u64,
    /// Of those, tasks lost with their worker.
    pub lost: u64,
    /// Tasks taken back from a worker that had not begun them.
    pub taken_back: u64,
    /// Workers launched in the place of one that died.
    pub respawns: u64,
    /// How often a piece of shared data was sent to a worker process: once to each that needed it.
    pub shared: u64,
    /// Workers that live now, be they processes or threads.
    pub workers: usize,
}

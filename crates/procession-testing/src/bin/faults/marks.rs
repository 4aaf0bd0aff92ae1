//! Marks that processes leave for one another: files in a folder of the driver's. A worker that has
//! closed everything, or is about to die, can still leave and find them.

use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Time between two looks for a mark.
const LOOK: Duration = Duration::from_micros(300);

/// What is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mark {
    /// The neighbour of what breaks runs.
    Standing,
    /// The neighbour may go on.
    Open,
    /// The pool was closed.
    Closed,
    /// A worker has something to do when SIGTERM comes.
    Listening,
    /// What waits in an idle worker is to break now.
    Strike,
    /// It is about to.
    Striking,
    /// It has broken, and the worker is still there.
    Struck,
}

/// The marks of one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Marks {
    folder: PathBuf,
    driver: u32,
}

impl Marks {
    /// No marks yet, in a folder that is made for them.
    pub(crate) fn new(number: usize) -> Self {
        let driver = std::process::id();
        let folder = folder_of(driver).join(number.to_string());
        fs::create_dir_all(&folder).expect("a temporary folder can be made");
        Self { folder, driver }
    }

    fn path(&self, mark: Mark) -> PathBuf {
        self.folder.join(format!("{mark:?}"))
    }

    /// Leaves a mark.
    pub(crate) fn leave(&self, mark: Mark) {
        fs::write(self.path(mark), []).expect("a mark can be left");
    }

    pub(crate) fn is_there(&self, mark: Mark) -> bool {
        self.path(mark).exists()
    }

    /// Waits for a mark. Whoever waits is ended by the pool or by the driver's alarm.
    pub(crate) fn meet(&self, mark: Mark) {
        while !self.is_there(mark) {
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until the driver's thread sleeps.
    pub(crate) fn meet_sleep(&self) {
        let path = format!("/proc/{0}/task/{0}/stat", self.driver);
        let sleeps = |stat: String| {
            stat.rsplit_once(')').is_some_and(|(_, state)| state.trim_start().starts_with('S'))
        };
        while !fs::read_to_string(&path).is_ok_and(sleeps) {
            std::thread::sleep(LOOK);
        }
    }

    /// Takes the folder away.
    pub(crate) fn clear(&self) {
        fs::remove_dir_all(&self.folder).expect("the marks are ours");
    }
}

/// Where a driver and its children meet.
pub(crate) fn folder_of(driver: u32) -> PathBuf {
    std::env::temp_dir().join(format!("procession-faults-{driver}"))
}

/// Where a driver says what is to break before the hello.
pub(crate) fn early_note(driver: u32) -> PathBuf {
    folder_of(driver).join("early")
}

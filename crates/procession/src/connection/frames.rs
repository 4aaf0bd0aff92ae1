//! Whole items over a stream of bytes: each behind its length, eight bytes, little end first.

use parking_lot::Mutex;
use procession_ipc::queue::{Got, Put};
use procession_os::stream::Stream;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

const LENGTH_BYTES: usize = 8;
/// Items up to this size are sent in one piece with their length.
const ONE_PIECE_BYTES: usize = 64 << 10;
/// Memory is taken in steps of so much at most: a length alone is no reason to.
const STEP_BYTES: usize = 16 << 20;

/// One end of a stream.
#[derive(Debug)]
pub(crate) struct Frames {
    stream: Stream,
    /// Held by who sends, for one item; what it sends, if that is small.
    sending: Mutex<Vec<u8>>,
    receiving: Mutex<Partial>,
}

/// What has come of the next item.
#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    /// How many of them have come.
    come: usize,
    /// There is nothing more, or what comes cannot be told apart any more.
    is_over: bool,
}

impl Frames {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, sending: Mutex::default(), receiving: Mutex::default() }
    }

    pub(crate) fn send(&self, item: &[u8]) -> io::Result<Put> {
        let length = (item.len() as u64).to_le_bytes();
        let mut whole = self.sending.lock();
        let mut stream = &self.stream;
        let sent = if item.len() <= ONE_PIECE_BYTES {
            whole.clear();
            whole.extend_from_slice(&length);
            whole.extend_from_slice(item);
            stream.write_all(&whole)
        } else {
            stream.write_all(&length).and_then(|()| stream.write_all(item))
        };
        match sent {
            Ok(()) => Ok(Put::Done),
            Err(error) if is_end(&error) => Ok(Put::Closed),
            Err(error) => {
                // Nobody can tell the rest of this item from the next.
                self.stream.shut_down();
                Err(error)
            }
        }
    }

    pub(crate) fn recv(&self, item: &mut Vec<u8>, timeout: Option<Duration>) -> io::Result<Got> {
        let mut partial = self.receiving.lock();
        let got = self.read(&mut partial, timeout)?;
        if got == Got::Item {
            item.clear();
            item.extend_from_slice(&partial.bytes[LENGTH_BYTES..]);
            partial.bytes.truncate(ONE_PIECE_BYTES);
            partial.bytes.shrink_to(ONE_PIECE_BYTES);
            partial.come = 0;
        }
        Ok(got)
    }

    pub(super) fn poll(&self, timeout: Duration) -> io::Result<Got> {
        self.read(&mut self.receiving.lock(), Some(timeout))
    }

    /// Reads until an item is whole.
    fn read(&self, partial: &mut Partial, timeout: Option<Duration>) -> io::Result<Got> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        while !partial.is_over {
            let wanted = partial.wanted()?;
            if partial.come == wanted {
                return Ok(Got::Item);
            }
            // No time at all would be for ever.
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            self.stream.set_read_timeout(left.map(|left| left.max(Duration::from_micros(1))))?;
            let end = wanted.min(partial.come + STEP_BYTES);
            partial.bytes.resize(end, 0);
            match (&self.stream).read(&mut partial.bytes[partial.come..]) {
                Ok(0) => partial.is_over = true,
                Ok(count) => partial.come += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if left.is_some_and(|left| left.is_zero()) {
                        return Ok(Got::Empty);
                    }
                }
                Err(error) if is_end(&error) => partial.is_over = true,
                Err(error) => return Err(error),
            }
        }
        Ok(Got::Closed)
    }
}

impl Partial {
    /// How many bytes the item has, with its length, as far as that is known.
    fn wanted(&mut self) -> io::Result<usize> {
        let Some(length) = self.bytes[..self.come].first_chunk::<LENGTH_BYTES>() else {
            return Ok(LENGTH_BYTES);
        };
        let length = usize::try_from(u64::from_le_bytes(*length)).ok();
        let all = length.and_then(|length| length.checked_add(LENGTH_BYTES));
        all.filter(|all| isize::try_from(*all).is_ok()).ok_or_else(|| {
            self.is_over = true;
            io::Error::new(ErrorKind::InvalidData, "the other side has sent what is no item")
        })
    }
}

/// Whether the other side is gone.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

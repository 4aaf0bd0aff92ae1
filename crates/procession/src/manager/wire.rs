//! What is said between a manager and those who call it: frames of a kind, two numbers, and a payload.

/// What a caller asks for.
pub(super) mod ask {
    /// Who it is: a number for its process; the payload is its build's identity. Comes first, and once.
    pub(crate) const HELLO: u8 = 0;
    /// An object: the code of who makes it, and 0; the payload is arguments.
    pub(crate) const MAKE: u8 = 1;
    /// A call: the object, and the method's code; the payload is arguments.
    pub(crate) const CALL: u8 = 2;
    /// A proxy is sent to another process: the object, and a number for it.
    pub(crate) const LEND: u8 = 3;
    /// It has arrived: the object, and that number.
    pub(crate) const ADOPT: u8 = 4;
    /// A process has dropped its last handle of a proxy: the object.
    pub(crate) const DROP: u8 = 5;
}

/// What a manager answers.
pub(super) mod answer {
    /// What was returned, encoded; of an object that was made, its number.
    pub(crate) const VALUE: u8 = 0;
    /// It panicked: a report.
    pub(crate) const PANIC: u8 = 1;
    /// Arguments or result cannot be decoded or encoded: why.
    pub(crate) const CODEC: u8 = 2;
    /// There is no such object.
    pub(crate) const GONE: u8 = 3;
    /// It does not talk to this caller: why.
    pub(crate) const REFUSED: u8 = 4;
}

/// Bytes before a payload.
pub(super) const HEAD_BYTES: usize = 24;

/// Begins a frame.
pub(super) fn begin(frame: &mut Vec<u8>, kind: u8, first: u64, second: u64) {
    frame.clear();
    frame.extend_from_slice(&u64::from(kind).to_le_bytes());
    frame.extend_from_slice(&first.to_le_bytes());
    frame.extend_from_slice(&second.to_le_bytes());
}

/// A frame's parts; `None` if it is too short for one.
pub(super) fn split(frame: &[u8]) -> Option<(u8, u64, u64, &[u8])> {
    let (head, payload) = frame.split_first_chunk::<HEAD_BYTES>()?;
    let mut words = head
        .chunks_exact(8)
        .map(|word| word.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)));
    let (kind, first, second) = (words.next()?, words.next()?, words.next()?);
    Some((u8::try_from(kind).ok()?, first, second, payload))
}

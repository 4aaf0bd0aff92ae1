//! What helper processes do that the limits and rivals start from this executable.

use crate::harness::Outcome;
use crate::ours::items::{Point, work_on_all};
use crate::ours::work;
use crate::rivals::ipc_channel;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

/// The part that a helper plays, its first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Exits at once.
    Exit,
    /// Sends each message back, from standard input to standard output.
    Echo,
    /// Answers each number with so many bytes.
    Make,
    /// Sends each number back over ipc-channel.
    IpcNumbers,
    /// Sends each vector of bytes back over ipc-channel.
    IpcBytes,
    /// Sends each vector of numbers back over ipc-channel.
    IpcFloats,
    /// Sends each piece of shared memory back over ipc-channel, copied.
    IpcShared,
    /// Answers each number with so many bytes over ipc-channel.
    IpcMake,
    /// Answers each vector of bytes with its length over ipc-channel.
    IpcLength,
    /// Does the work of each vector of integers over ipc-channel.
    IpcSquares,
    /// The same with small structs.
    IpcPoints,
    /// The same with strings.
    IpcStrings,
}

const ROLES: [(Role, &str); 12] = [
    (Role::Exit, "role:exit"),
    (Role::Echo, "role:echo"),
    (Role::Make, "role:make"),
    (Role::IpcNumbers, "role:ipc-numbers"),
    (Role::IpcBytes, "role:ipc-bytes"),
    (Role::IpcFloats, "role:ipc-floats"),
    (Role::IpcShared, "role:ipc-shared"),
    (Role::IpcMake, "role:ipc-make"),
    (Role::IpcLength, "role:ipc-length"),
    (Role::IpcSquares, "role:ipc-squares"),
    (Role::IpcPoints, "role:ipc-points"),
    (Role::IpcStrings, "role:ipc-strings"),
];

impl Role {
    /// How it is named on the command line.
    pub(crate) fn argument(self) -> &'static str {
        ROLES.iter().find(|(role, _)| *role == self).map_or("", |(_, name)| name)
    }
}

/// Plays the role that this process was started for; `None` when it is the bench itself.
pub(crate) fn run() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next()?;
    let (role, _) = ROLES.into_iter().find(|(_, name)| *name == first)?;
    if role == Role::Exit {
        return Some(ExitCode::SUCCESS);
    }
    let server = arguments.next().unwrap_or_default();
    let played = match role {
        Role::Exit => Ok(()),
        Role::Echo => answer(|_| {}).map_err(Into::into),
        Role::Make => answer(make).map_err(Into::into),
        Role::IpcNumbers => ipc_channel::serve(server, work::echo),
        Role::IpcBytes => ipc_channel::serve(server, work::bytes_back),
        Role::IpcFloats => ipc_channel::serve(server, work::floats_back),
        Role::IpcShared => ipc_channel::serve(server, ipc_channel::copy_shared),
        Role::IpcMake => ipc_channel::serve(server, work::make_bytes),
        Role::IpcLength => ipc_channel::serve(server, work::length_of),
        Role::IpcSquares => ipc_channel::serve(server, work_on_all::<u64>),
        Role::IpcPoints => ipc_channel::serve(server, work_on_all::<Point>),
        Role::IpcStrings => ipc_channel::serve(server, work_on_all::<String>),
    };
    Some(match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{first}: {error}");
            ExitCode::FAILURE
        }
    })
}

/// Answers messages until the end of the input, each with itself as changed.
fn answer(change: fn(&mut Vec<u8>)) -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut message = Vec::new();
    while receive(&mut input, &mut message)? {
        change(&mut message);
        send(&mut output, &message)?;
    }
    Ok(())
}

/// Makes as many bytes of a number as it says.
fn make(message: &mut Vec<u8>) {
    let count = <[u8; 8]>::try_from(message.as_slice()).map_or(0, u64::from_le_bytes);
    *message = work::make_bytes(count);
}

/// Writes a message behind its length.
fn send(output: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = (message.len() as u64).to_le_bytes();
    if message.len() <= 64 {
        output.write_all(&[&length, message].concat())?;
    } else {
        output.write_all(&length)?;
        output.write_all(message)?;
    }
    output.flush()
}

/// Reads a message; `false` at the end of the input.
fn receive(input: &mut impl Read, message: &mut Vec<u8>) -> io::Result<bool> {
    let mut length = [0; 8];
    match input.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    }
    message.resize(u64::from_le_bytes(length) as usize, 0);
    input.read_exact(message)?;
    Ok(true)
}

/// A helper as the bench holds it, with pipes to and from it; ended and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Helper {
    child: Child,
    input: Option<ChildStdin>,
    output: io::BufReader<ChildStdout>,
    answer: Vec<u8>,
}

impl Helper {
    pub(crate) fn start(role: Role, arguments: &[String]) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(role.argument())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("a child without its pipe")?;
        Ok(Self { child, input, output: io::BufReader::new(output), answer: Vec::new() })
    }

    /// The helper's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a message and waits for what comes back. The helper reads all of it before it answers, so
    /// that neither side waits for the other's reading while the pipes are full.
    pub(crate) fn exchange(&mut self, message: &[u8]) -> Outcome<&[u8]> {
        let input = self.input.as_mut().ok_or("a child without its pipe")?;
        send(input, message)?;
        if !receive(&mut self.output, &mut self.answer)? {
            return Err("the helper is gone".into());
        }
        Ok(&self.answer)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.input.take());
        // Its input has ended, and so does it; one that does not is ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Which executable this is, and whether an address belongs to its code.
//!
//! An image is what the loader maps from one file: the executable, or a shared library. All
//! questions here are about the image that contains this crate. Two processes whose images have the
//! same [`Identity`] have the same code at the same distance from [`anchor`].

use std::collections::hash_map::RandomState;
use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher, DefaultHasher, Hasher};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::sys;

/// What names an image: equal identities mean equal code.
///
/// The first byte says how it was found: from the linker's build id, from a build id too long to be
/// taken as it is, from the contents of the file, or not at all, in which case it is random and
/// equals no other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity([u8; 32]);

/// The first byte of an [`Identity`].
#[derive(Clone, Copy)]
enum Kind {
    Unknown = 0,
    BuildId = 1,
    LongBuildId = 2,
    Contents = 3,
}

impl Identity {
    /// The identity as bytes, for a peer.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The identity that a peer sent as bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Identity {
        Identity(bytes)
    }

    fn new(kind: Kind, value: &[u8]) -> Identity {
        let mut bytes = [0; 32];
        let (first, rest) = bytes.split_at_mut(1);
        first[0] = kind as u8;
        rest[..value.len()].copy_from_slice(value);
        Identity(bytes)
    }

    fn of_build_id(build_id: &[u8]) -> Identity {
        if build_id.len() < 32 {
            return Self::new(Kind::BuildId, build_id);
        }
        let mut digest = Digest::new();
        digest.write(build_id);
        Self::new(Kind::LongBuildId, &digest.finish())
    }

    fn of_contents(mut contents: impl Read) -> io::Result<Identity> {
        let mut digest = Digest::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match contents.read(&mut buffer) {
                Ok(0) => return Ok(Self::new(Kind::Contents, &digest.finish())),
                Ok(count) => digest.write(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn unknown() -> Identity {
        let noise = [(); 3].map(|()| RandomState::new().hash_one(std::process::id()));
        Self::new(Kind::Unknown, noise.map(u64::to_le_bytes).as_flattened())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

/// A 128-bit hash of a stream, with its length: two runs of the standard library's hash that begin
/// differently. It tells builds apart; it is no defence against someone who forges one.
struct Digest {
    hashers: [DefaultHasher; 2],
    bytes: u64,
}

impl Digest {
    fn new() -> Digest {
        let hashers = [1, 2].map(|prefix| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(prefix);
            hasher
        });
        Digest { hashers, bytes: 0 }
    }

    fn write(&mut self, bytes: &[u8]) {
        for hasher in &mut self.hashers {
            hasher.write(bytes);
        }
        self.bytes += bytes.len() as u64;
    }

    fn finish(self) -> [u8; 24] {
        let [one, two] = self.hashers.map(|hasher| hasher.finish());
        let words = [one, two, self.bytes].map(u64::to_le_bytes);
        let mut value = [0; 24];
        value.copy_from_slice(words.as_flattened());
        value
    }
}

/// What the system knows about an image.
#[derive(Debug)]
pub(crate) struct Image {
    /// The linker's build id.
    pub(crate) build_id: Option<Vec<u8>>,
    /// The addresses of its code.
    pub(crate) code: Vec<Range<usize>>,
    /// Where to read the file it came from.
    pub(crate) file: PathBuf,
}

/// Its address is what [`anchor`] gives. A static, for its address is unique, whereas functions can
/// be duplicated and merged.
static ANCHOR: u64 = 0x70_72_6f_63_65_73_73_00;

/// The address of a fixed place in this image.
#[must_use]
pub fn anchor() -> usize {
    (&raw const ANCHOR).addr()
}

/// The identity of this image, found at the first call.
///
/// A build id is taken at its word: who passes a constant one to the linker makes different builds
/// look the same.
#[must_use]
pub fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| identify(image()))
}

fn identify(image: Option<&Image>) -> Identity {
    match image {
        Some(Image { build_id: Some(build_id), .. }) => Identity::of_build_id(build_id),
        Some(image) => identify_file(&image.file),
        None => std::env::current_exe()
            .map_or_else(|_| Identity::unknown(), |file| identify_file(&file)),
    }
}

fn identify_file(file: &Path) -> Identity {
    File::open(file).and_then(Identity::of_contents).unwrap_or_else(|_| Identity::unknown())
}

/// Whether `address` is in the code of this image. False for everything if the system cannot tell.
#[must_use]
pub fn contains(address: usize) -> bool {
    image().is_some_and(|image| image.code.iter().any(|code| code.contains(&address)))
}

fn image() -> Option<&'static Image> {
    static IMAGE: OnceLock<Option<Image>> = OnceLock::new();
    IMAGE.get_or_init(|| sys::image::image_of(anchor())).as_ref()
}

#[cfg(test)]
mod tests;

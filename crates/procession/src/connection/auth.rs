//! How two processes prove to each other that they have the same key, without telling it.
//!
//! Each sends random bytes, and then a keyed hash (HMAC-SHA-256, RFC 2104) of its role and both sides' bytes. Who has
//! not the key cannot make one, and what was said before, or by the other side, is of no use: the bytes are
//! fresh and the roles differ. (Python's `deliver_challenge` and `answer_challenge` do the same in two rounds.)
//!
//! | from | what |
//! |---|---|
//! | client | magic, 32 random bytes |
//! | listener | 32 random bytes, hash of "listener", the client's bytes, the listener's |
//! | client | hash of "client", the client's bytes, the listener's |
//! | listener | 1 |

use hmac::{Hmac, KeyInit, Mac};
use procession_core::authkey::AuthKey;
use procession_os::stream::Stream;
use sha2::Sha256;
use std::io::{self, Read, Write};
use std::time::Duration;

const MAGIC: [u8; 8] = *b"procesn\x02";
const NONCE_BYTES: usize = 32;
const HASH_BYTES: usize = 32;
const WELCOME: u8 = 1;

/// Longest wait for each step: who comes and says nothing must not keep others from coming.
const PATIENCE: Duration = Duration::from_secs(5);

type Nonce = [u8; NONCE_BYTES];

/// Why the other side was refused.
fn refused(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, what)
}

fn hash(key: &AuthKey, role: &str, client: &Nonce, listener: &Nonce) -> io::Result<Hmac<Sha256>> {
    let mut hash = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(io::Error::other)?;
    hash.update(role.as_bytes());
    hash.update(client);
    hash.update(listener);
    Ok(hash)
}

fn fresh() -> io::Result<Nonce> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(nonce)
}

fn check(hash: Hmac<Sha256>, said: &[u8; HASH_BYTES]) -> io::Result<()> {
    // Takes as long whichever byte differs.
    hash.verify_slice(said).map_err(|_| refused("the other side has another key"))
}

fn with_patience(stream: &Stream, talk: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let talked = talk().map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            refused("the other side has hung up: it has another key, maybe")
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            refused("the other side does not say who it is")
        }
        _ => error,
    });
    talked?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)
}

/// The listener's side.
pub(super) fn admit(stream: &Stream, key: &AuthKey) -> io::Result<()> {
    with_patience(stream, || {
        let mut stream = stream;
        let (mut magic, mut client) = ([0; MAGIC.len()], Nonce::default());
        stream.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Err(refused("the other side speaks something else"));
        }
        stream.read_exact(&mut client)?;
        let own = fresh()?;
        let proof = hash(key, "listener", &client, &own)?.finalize().into_bytes();
        stream.write_all(&[&own[..], &proof].concat())?;
        let mut said = [0; HASH_BYTES];
        stream.read_exact(&mut said)?;
        check(hash(key, "client", &client, &own)?, &said)?;
        stream.write_all(&[WELCOME])
    })
}

/// The client's side.
pub(super) fn introduce(stream: &Stream, key: &AuthKey) -> io::Result<()> {
    with_patience(stream, || {
        let mut stream = stream;
        let own = fresh()?;
        stream.write_all(&[&MAGIC[..], &own].concat())?;
        let (mut listener, mut said) = (Nonce::default(), [0; HASH_BYTES]);
        stream.read_exact(&mut listener)?;
        stream.read_exact(&mut said)?;
        check(hash(key, "listener", &own, &listener)?, &said)?;
        let proof = hash(key, "client", &own, &listener)?.finalize().into_bytes();
        stream.write_all(&proof)?;
        let mut welcome = [0];
        stream.read_exact(&mut welcome)?;
        if welcome == [WELCOME] { Ok(()) } else { Err(refused("the other side did not let it in")) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use procession_os::stream::{Place, StreamListener};
    use std::thread;

    fn talk(
        keys: [&str; 2],
        client: impl FnOnce(&Stream, &AuthKey) -> io::Result<()>,
    ) -> [io::Result<()>; 2] {
        let name = format!("procession-test-{}-{:?}", std::process::id(), thread::current().id());
        let listener = StreamListener::bind(&Place::Local(name)).unwrap();
        let [listeners, clients] = keys.map(AuthKey::new);
        thread::scope(|scope| {
            let admitted = scope.spawn(|| admit(&listener.accept().unwrap(), &listeners));
            let stream = Stream::connect(&listener.place().unwrap()).unwrap();
            let introduced = client(&stream, &clients);
            drop(stream);
            [admitted.join().unwrap(), introduced]
        })
    }

    #[test]
    fn two_with_the_same_key_let_each_other_in() {
        assert!(talk(["secret", "secret"], introduce).iter().all(Result::is_ok));
    }

    #[test]
    fn another_key_is_refused_by_both() {
        let [admitted, introduced] = talk(["secret", "guess"], introduce);
        assert_eq!(admitted.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(introduced.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn who_sends_the_listeners_own_words_back_is_refused() {
        let [admitted, _] = talk(["secret", ""], |mut stream, _| {
            stream.write_all(&[&MAGIC[..], &[1; NONCE_BYTES]].concat())?;
            let mut said = [0; NONCE_BYTES + HASH_BYTES];
            stream.read_exact(&mut said)?;
            stream.write_all(&said[NONCE_BYTES..])?;
            stream.read_exact(&mut [0])
        });
        assert_eq!(admitted.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn who_says_something_else_is_refused() {
        let [admitted, _] =
            talk(["secret", ""], |mut stream, _| stream.write_all(b"GET / HTTP/1.1\r\n"));
        assert_eq!(admitted.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}

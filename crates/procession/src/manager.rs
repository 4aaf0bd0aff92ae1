//! Objects that live in a process of their own, and are called from others.

mod client;
mod collections;
mod method;
mod proxy;
mod server;
mod wire;

pub use collections::{DictProxy, ListProxy, Namespace};
pub use method::{ByMut, ByRef, Method};
pub use proxy::Proxy;

use crate::args::Args;
use crate::connection::{Address, pipe_one_way};
use crate::entry;
use crate::process::Process;
use crate::queue::Item;
use crate::target::Target;
use client::Server;
use procession_core::authkey::AuthKey;
use procession_core::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

/// A process that has objects for others: Python's `multiprocessing.Manager`.
///
/// An object is any value; what is called are its own methods, or any function whose first parameter is a
/// reference to it. Nothing is declared: [`create`](Self::create) takes the function that makes the object, and
/// [`Proxy::call`] the method. Proxies are arguments like any other, and are passed on as one likes. An
/// object goes with the last proxy of it, and with the manager.
///
/// ```
/// use procession::{Manager, Pool, Proxy};
///
/// struct Account {
///     balance: i64,
/// }
///
/// impl Account {
///     fn new(balance: i64) -> Self {
///         Self { balance }
///     }
///
///     fn deposit(&mut self, amount: i64) {
///         self.balance += amount;
///     }
///
///     fn balance(&self) -> i64 {
///         self.balance
///     }
/// }
///
/// fn pay_in(account: Proxy<Account>, amount: i64) -> procession::Result<()> {
///     account.call(Account::deposit, (amount,))
/// }
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let manager = Manager::new()?;
///     let account = manager.create(Account::new, (100,))?;
///     let pool = Pool::new(2)?;
///     pool.starmap(pay_in, (1..=10).map(|amount| (account.clone(), amount)))?;
///     assert_eq!(account.call(Account::balance, ())?, 155);
///     Ok(())
/// }
/// ```
///
/// # Calls
///
/// Each runs on a thread of the manager that serves its caller's connection. Methods of `&mut self` have the
/// object to themselves, those of `&self` run side by side. A method that panics is its caller's error, and the
/// object stays as the panic has left it. When the manager ends or is killed, calls fail at once.
///
/// # Who may call
///
/// Whoever has this program's [key](crate::authkey()), and is of the same build: functions are named by where
/// they lie in it. What is sent stays in the machine.
#[derive(Debug)]
pub struct Manager {
    server: Arc<Server>,
    /// The process, if this is the manager that has started it.
    process: Option<Process<()>>,
}

impl Manager {
    /// Starts a manager.
    ///
    /// # Errors
    /// When its process cannot be started, with the reason.
    pub fn new() -> Result<Self> {
        let (address, told) = pipe_one_way::<String>()?;
        let mut process = Process::new(server::serve, (told,)).name("Manager");
        process.start()?;
        match address.recv() {
            Ok(address) => {
                let address = Address::local(address);
                let server = Arc::new(Server::new(address, crate::authkey()?));
                Ok(Self { server, process: Some(process) })
            }
            // How it has ended says more than that it has.
            Err(error) => Err(process.join().err().unwrap_or(error)),
        }
    }

    /// The manager at this address, of another program of the same build that has this key; it stays when this
    /// value is dropped. (`BaseManager.connect`.)
    ///
    /// # Errors
    /// When nobody listens there, or it is of another build, or has another key.
    pub fn connect(address: &Address, key: AuthKey) -> Result<Self> {
        let server = Arc::new(Server::new(address.clone(), key));
        server.ping()?;
        Ok(Self { server, process: None })
    }

    /// Where others can [connect](Self::connect).
    pub fn address(&self) -> &Address {
        self.server.address()
    }

    /// Makes an object in the manager by a call of this function, and gives its proxy.
    ///
    /// # Errors
    /// When the function panics there, the arguments cannot be encoded, or the manager has ended.
    pub fn create<F, A>(&self, make: F, args: A) -> Result<Proxy<F::Output>>
    where
        F: Target<A>,
        F::Output: Send + Sync + 'static,
        A: Args,
    {
        // The function is known by its type; its value has no bytes.
        let _ = make;
        Proxy::create(&self.server, entry::code_of_maker::<F, A>()?, &args)
    }

    /// Makes an empty dictionary.
    ///
    /// # Errors
    /// When the manager has ended.
    pub fn dict<K: Item + Hash + Eq + Send + Sync, V: Item + Clone + Send + Sync>(
        &self,
    ) -> Result<DictProxy<K, V>> {
        Ok(DictProxy(self.create(HashMap::<K, V>::new, ())?))
    }

    /// Makes an empty list.
    ///
    /// # Errors
    /// When the manager has ended.
    pub fn list<T: Item + Clone + Send + Sync>(&self) -> Result<ListProxy<T>> {
        Ok(ListProxy(self.create(Vec::<T>::new, ())?))
    }

    /// Makes an empty namespace.
    ///
    /// # Errors
    /// When the manager has ended.
    pub fn namespace(&self) -> Result<Namespace> {
        Ok(Namespace(self.create(BTreeMap::<String, Vec<u8>>::new, ())?))
    }

    /// Ends the manager and all its objects, as dropping it does. One that this process has only
    /// [connected](Self::connect) to goes on.
    ///
    /// # Errors
    /// When the system refuses to end the process.
    pub fn shutdown(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        self.server.forget();
        process.kill()?;
        match process.join() {
            // That is how it ends.
            Err(error) if error.is_worker_lost() => Ok(()),
            ended => ended,
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // There is nobody to tell, and if it cannot be killed it goes with this program.
        let _ = self.end();
    }
}

/// An object that is gone, or that never was.
fn gone() -> Error {
    Error::closed("the manager has no such object any more")
}

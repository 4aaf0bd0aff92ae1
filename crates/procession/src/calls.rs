//! A pool's calls, with options of their own.

use crate::args::Args;
use crate::async_result::{AsyncResult, Source};
use crate::entry;
use crate::imap::{Imap, ImapUnordered};
use crate::map::{self, MapLater};
use crate::pool::{Layout, Pool};
use crate::stream::Stream;
use crate::target::{Returned, Target};
use crate::thread_pool::Owner;
use procession_core::face::Code;
use procession_core::payload::Output;
use procession_core::task::Terms;
use procession_core::threads::Name;
use procession_core::{Error, Result};
use std::any::type_name;
use std::time::Duration;

/// A pool's calls, with options of their own: what [`Pool::chunksize`], [`Pool::task_timeout`] and
/// [`Pool::retries`] give. Options may follow each other.
///
/// ```
/// use procession::Pool;
/// use std::time::Duration;
///
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     let pool = Pool::new(2)?;
///     let careful = pool.task_timeout(Duration::from_secs(5)).retries(2);
///     assert_eq!(careful.apply(|| 7, ())?, 7);
///     assert_eq!(careful.chunksize(10).map(|x: u32| x + 1, 0..3)?, [1, 2, 3]);
///     pool.close();
///     pool.join()
/// }
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "options are for the calls that are made with them"]
pub struct Calls<'a> {
    pool: &'a Pool,
    terms: Terms,
    chunk: Option<usize>,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(pool: &'a Pool) -> Self {
        Self { pool, terms: pool.terms, chunk: None }
    }

    /// As [`Pool::chunksize`].
    pub fn chunksize(mut self, items: usize) -> Self {
        self.chunk = Some(items.max(1));
        self
    }

    /// As [`Pool::task_timeout`].
    pub fn task_timeout(mut self, limit: Duration) -> Self {
        self.terms.timeout = Some(limit);
        self
    }

    /// As [`Pool::retries`].
    pub fn retries(mut self, retries: u32) -> Self {
        self.terms.retries = retries;
        self
    }

    /// Why these calls cannot be made on threads, if they cannot.
    fn refusal_on_threads(&self) -> Option<Error> {
        self.terms.timeout.map(|_| Error::usage(NO_LIMIT_ON_THREADS))
    }
}

/// What a pool of threads says of time limits.
pub(crate) const NO_LIMIT_ON_THREADS: &str =
    "a thread cannot be killed, so tasks of a pool of threads have no time limit: use processes";

impl Calls<'_> {
    /// As [`Pool::apply`].
    ///
    /// # Errors
    /// As [`Pool::apply`].
    pub fn apply<F, A>(&self, function: F, args: A) -> Result<F::Output>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
    {
        self.apply_async(function, args).get()
    }

    /// As [`Pool::apply_async`].
    pub fn apply_async<F, A>(&self, function: F, args: A) -> AsyncResult<F::Output>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
    {
        let core = match &self.pool.layout {
            Layout::Processes(core) => core,
            Layout::Threads(Owner(threads)) => {
                let outcome = match self.refusal_on_threads() {
                    None => threads.submit(type_name::<F>, move || function.call(args)),
                    Some(error) => threads.refuse(error),
                };
                return AsyncResult::on_threads(threads, outcome);
            }
        };
        // The function is known by its type; its value has no bytes.
        let _ = function;
        let submitted = entry::code_of::<F, A>().and_then(|code| {
            let encode = |output: &mut Output<'_>| args.encode(output);
            let submitted = core.submit(code, &self.terms, encode);
            submitted.map_err(|error| Error::codec(error.to_string()))
        });
        let cell = submitted.unwrap_or_else(|error| core.refuse(error));
        AsyncResult::of_task(core.clone(), cell)
    }

    /// As [`Pool::map`].
    ///
    /// # Errors
    /// As [`Pool::map`].
    pub fn map<F, T, I>(&self, function: F, items: I) -> Result<Vec<F::Output>>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        self.starmap(function, items.into_iter().map(|item| (item,)))
    }

    /// As [`Pool::map_async`].
    pub fn map_async<F, T, I>(&self, function: F, items: I) -> AsyncResult<Vec<F::Output>>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        self.starmap_async(function, items.into_iter().map(|item| (item,)))
    }

    /// As [`Pool::starmap`].
    ///
    /// # Errors
    /// As [`Pool::map`].
    pub fn starmap<F, A, I>(&self, function: F, items: I) -> Result<Vec<F::Output>>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
        I: IntoIterator<Item = A>,
    {
        let code = code::<F, A>()?;
        match &self.pool.layout {
            Layout::Processes(core) => {
                map::run(core, code, (self.terms, self.chunk), items.into_iter())
            }
            Layout::Threads(Owner(threads)) => {
                if let Some(error) = self.refusal_on_threads() {
                    return Err(error);
                }
                let call = move |args| function.call(args);
                let results = threads.map(
                    (type_name::<F> as Name, call),
                    self.chunk,
                    items.into_iter(),
                    true,
                );
                AsyncResult::on_threads(threads, results).get()
            }
        }
    }

    /// As [`Pool::starmap_async`].
    pub fn starmap_async<F, A, I>(&self, function: F, items: I) -> AsyncResult<Vec<F::Output>>
    where
        F: Target<A>,
        F::Output: Returned,
        A: Args,
        I: IntoIterator<Item = A>,
    {
        let core = match &self.pool.layout {
            Layout::Processes(core) => core,
            Layout::Threads(Owner(threads)) => {
                let outcome = match self.refusal_on_threads() {
                    None => {
                        let call = move |args| function.call(args);
                        threads.map(
                            (type_name::<F> as Name, call),
                            self.chunk,
                            items.into_iter(),
                            false,
                        )
                    }
                    Some(error) => threads.refuse(error),
                };
                return AsyncResult::on_threads(threads, outcome);
            }
        };
        let later = match code::<F, A>() {
            Ok(code) => MapLater::start(core, code, (self.terms, self.chunk), items.into_iter()),
            Err(error) => MapLater::refused(core, error),
        };
        AsyncResult::new(core.clone(), Source::Map(Box::new(later)))
    }

    /// As [`Pool::imap`].
    pub fn imap<F, T, I>(
        &self,
        function: F,
        items: I,
    ) -> Imap<impl Iterator<Item = (T,)> + use<F, T, I>, F::Output>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        Imap::new(self.stream(function, items))
    }

    /// As [`Pool::imap_unordered`].
    pub fn imap_unordered<F, T, I>(
        &self,
        function: F,
        items: I,
    ) -> ImapUnordered<impl Iterator<Item = (T,)> + use<F, T, I>, F::Output>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        ImapUnordered::new(self.stream(function, items))
    }
}

impl Calls<'_> {
    fn stream<F, T, I>(
        &self,
        function: F,
        items: I,
    ) -> Stream<impl Iterator<Item = (T,)> + use<F, T, I>, F::Output>
    where
        F: Target<(T,)>,
        F::Output: Returned,
        (T,): Args,
        I: IntoIterator<Item = T>,
    {
        let items = items.into_iter().map(|item| (item,));
        match &self.pool.layout {
            Layout::Processes(core) => {
                let options = (self.terms, self.chunk);
                Stream::in_processes(core, code::<F, (T,)>(), options, items)
            }
            Layout::Threads(Owner(threads)) => {
                let call = move |args| function.call(args);
                let mut stream =
                    Stream::on_threads(threads, (type_name::<F>, call), self.chunk, items);
                if let Some(error) = self.refusal_on_threads() {
                    stream.refuse(error, true);
                }
                stream
            }
        }
    }
}

fn code<F, A>() -> Result<Code>
where
    F: Target<A>,
    F::Output: Returned,
    A: Args,
{
    entry::code_of::<F, A>()
}

// SPDX-License-Identifier: GPL-2.0

//! Jobs that take turns on a few threads: none waits for the slowest of its turn.

use std::{sync::Mutex, thread};

/// `f` of each job and its number, in so many threads; the results are in the order of the jobs. After a failure
/// nothing more is begun.
pub fn in_parallel<T: Sync, R: Send, E: Send>(
    threads: usize,
    jobs: &[T],
    f: impl Fn(usize, &T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let todo = Mutex::new(jobs.iter().enumerate());
    let next = || todo.lock().expect("nobody panics with it").next();
    let work = || {
        let mut done = Vec::new();
        while let Some((n, job)) = next() {
            let result = f(n, job).inspect_err(|_| while next().is_some() {});
            done.push((n, result?));
        }
        Ok(done)
    };
    let mut done = Vec::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            done.extend(worker.join().expect("no panic")?);
        }
        Ok(())
    })?;
    done.sort_by_key(|(n, _)| *n);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

//! Shares a list of work among threads.

/// Cuts `items` into as many runs as there are `jobs`, works on all of them at once, and returns the results in the order
/// of the items.
///
/// A panic in a worker goes on in the caller.
pub(crate) fn in_chunks<T: Sync, R: Send>(items: &[T], jobs: usize, work: impl Fn(&[T]) -> Vec<R> + Sync) -> Vec<R> {
    let work = &work;
    let chunk = items.len().div_ceil(jobs.max(1)).max(1);
    std::thread::scope(|scope| {
        let mut chunks = items.chunks(chunk);
        let own = chunks.next();
        let start = |items| {
            let worker = std::thread::Builder::new().spawn_scoped(scope, move || work(items));
            // Where the system gives no thread, this one does the work.
            worker.map_err(|_| work(items))
        };
        let workers: Vec<_> = chunks.map(start).collect();
        let mut results = own.map(work).unwrap_or_default();
        for worker in workers {
            results.extend(match worker {
                Ok(worker) => worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(done) => done,
            });
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::in_chunks;

    #[test]
    fn order_and_number_are_kept() {
        let items: Vec<_> = (0..23).collect();
        for jobs in [0, 1, 2, 7, 23, 100] {
            assert_eq!(
                in_chunks(&items, jobs, |run| run.iter().map(|i| i * 2).collect()),
                (0..46).step_by(2).collect::<Vec<_>>()
            );
        }
        assert!(in_chunks(&items[..0], 4, <[i32]>::to_vec).is_empty());
    }
}

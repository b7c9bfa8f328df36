//! For tests: a runtime whose one thread for what may block is taken, as by a disk that hangs.

use std::sync::mpsc::{RecvError, Sender, channel};

use tokio::task::{JoinHandle, spawn_blocking};

/// The thread is taken until this is let go of.
pub(crate) struct Stuck {
    free: Sender<()>,
    hangs: JoinHandle<Result<(), RecvError>>,
}

impl Stuck {
    /// Runs `work` while the thread is taken.
    pub fn run(work: impl AsyncFnOnce(Stuck)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (free, held) = channel();
            let hangs = spawn_blocking(move || held.recv());
            work(Stuck { free, hangs }).await;
        });
    }

    /// Returns when the thread is free; what waited for it has its turn then.
    pub async fn end(self) {
        drop(self.free);
        assert!(self.hangs.await.unwrap().is_err());
    }
}
